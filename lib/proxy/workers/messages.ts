// What passes between the main thread and a worker: plain data, which structuredClone takes. The main thread asks and a
// worker answers; what a worker tells beside that is its log, the news of its plane, and requests that are the
// balancer's own.

import type { MessagePort } from 'node:worker_threads';
import type { DataPlane, LineBatch, ListenPlace, PlaneNews } from '../../core/plane-ports.ts';
import type { ReplicaRef } from '../../core/ports.ts';
import type { Key } from '../../core/ring/policy.ts';
import type { RoutingPlan } from '../../core/routing-plan.ts';
import type { TrafficSettings } from '../../core/traffic-settings.ts';
import type { LogLevel } from '../../log.ts';
import type { MeasuredBlock } from '../measure-book.ts';

/** With what a worker is made. */
export interface WorkerTerms {
  /** Where the request ids of all workers begin. */
  readonly seed: number;
  /** Of the sample of keys. */
  readonly sampleSeed: number;
  /** What all workers count together, and which part of it is this worker's. */
  readonly ledger: { readonly memory: SharedArrayBuffer; readonly thread: number };
  /** Where all workers keep what they have learned of cookies. */
  readonly learned: SharedArrayBuffer;
  /** What all workers know of requests that may kill replicas. */
  readonly suspects: SharedArrayBuffer;
  /** 1, 2, … */
  readonly number: number;
  /** When the clock of the main thread began, in ms since 1970: all workers go by that clock. */
  readonly clockOriginMs: number;
  /** In force until a plan holds. */
  readonly traffic: TrafficSettings;
  /** The least grave lines of the log that are wanted. */
  readonly logLevel: LogLevel;
  readonly own: OwnEndpoints;
  /** For the client of an answer of the balancer's own to take what is left of it at most, in ms. */
  readonly takeTimeoutMs: number;
}

/** The balancer's own endpoints where they are on the public port: the method of each, by its path. */
export type OwnEndpoints = ReadonlyMap<string, string>;

/** What can be asked of a worker: what a data plane is asked, with what is needed for it. */
export interface Questions {
  readonly publish: { readonly plan: RoutingPlan; readonly rows: RowsOfPlan };
  readonly listen: ListenPlace;
  readonly counters: undefined;
  readonly reading: undefined;
  /** Where the last look ended. */
  readonly landings: number;
  readonly explain: { readonly key: Key; readonly learned: string | undefined };
  readonly hotKeys: undefined;
  readonly sketch: undefined;
  readonly handover: undefined;
  readonly giveWay: undefined;
  readonly close: undefined;
}

/** The row of each replica in the ledger, by incarnation. */
export type RowsOfPlan = ReadonlyMap<number, number>;

export type Topic = keyof Questions;

export type Answers = { readonly [T in Topic]: Awaited<ReturnType<DataPlane[T]>> };

/** From the main thread. A worker begins with them in the order in which they come. */
export type ToWorker =
  | { readonly [T in Topic]: { readonly type: T; readonly number: number; readonly about: Questions[T] } }[Topic]
  /** What is left while it closes is to be cut. */
  | { readonly type: 'cut' }
  /** The lines of that number have been written, or lost. */
  | { readonly type: 'lines-taken'; readonly number: number; readonly memory: ArrayBuffer }
  /** So many entries of the log have been written. */
  | { readonly type: 'logged'; readonly count: number }
  /** From now on these lines of the log are wanted. */
  | { readonly type: 'level'; readonly level: LogLevel };

/** From a worker. */
export type FromWorker =
  | { readonly type: 'answer'; readonly number: number; readonly value: Answers[Topic] }
  | { readonly type: 'failure'; readonly number: number; readonly error: ErrorData }
  | { readonly type: 'log'; readonly entries: readonly LogEntry[] }
  /** Lines of the access log. `number`: for when they are written. */
  | { readonly type: 'lines'; readonly number: number; readonly batch: LineBatch }
  /** `version`: of the plan that it goes by. */
  | { readonly type: 'news'; readonly news: PlaneNews; readonly version: number }
  /** Memory in which this worker counts the requests of a replica, or all requests. */
  | { readonly type: 'tally'; readonly replica: ReplicaRef | undefined; readonly memory: SharedArrayBuffer }
  /** Memory in which this worker measures what happens at a seat, or at its front. */
  | { readonly type: 'measures'; readonly block: MeasuredBlock; readonly memory: SharedArrayBuffer }
  /** A request for the main thread, as HTTP over that port. */
  | { readonly type: 'own'; readonly port: MessagePort; readonly facts: OwnFacts };

export interface LogEntry {
  readonly level: Exclude<LogLevel, 'off'>;
  readonly event: string;
  readonly details: Readonly<Record<string, unknown>> | undefined;
}

/** Of a request of the balancer's own, as its client sent it: what HTTP between two threads would change. */
export interface OwnFacts {
  readonly httpVersionMajor: number;
  readonly httpVersionMinor: number;
  readonly rawHeaders: readonly string[];
  /** As `http.Server` has made them of the raw ones. */
  readonly headers: Readonly<NodeJS.Dict<string | string[]>>;
  /** Of the other end of the connection. */
  readonly address: string | undefined;
}

/** An error of another thread: structuredClone would drop what the system says of it. */
export interface ErrorData {
  readonly message: string;
  readonly code?: string | undefined;
  readonly port?: number | undefined;
  readonly address?: string | undefined;
}

export function errorData(thrown: unknown): ErrorData {
  if (!(thrown instanceof Error)) return { message: String(thrown) };
  const { message, code, port, address } = thrown as Error & ErrorData;
  return { message, code, port, address };
}

export function errorOf({ message, ...rest }: ErrorData): Error {
  return Object.assign(new Error(message), rest);
}
