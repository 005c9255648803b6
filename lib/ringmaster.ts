// The library: what `import … from 'ringmaster'` gives. A balancer in a program does what the command does, but for
// what belongs to the process: it handles no signals, never ends the process, and says nothing unless it is told to.

import { EventEmitter } from 'node:events';
import type { ExplanationFacts, RingFacts } from './admin/insight.ts';
import { createBalancer as create } from './balancer.ts';
import { BalancerError } from './errors.ts';
import { type FleetEvents, fleetTeller, type TellFleet } from './library/fleet-events.ts';
import { logOf } from './library/log-forms.ts';
import type { BalancerOptions } from './library/options.ts';
import type { Replica } from './library/roster.ts';
import { localUrlOf } from './library/urls.ts';
import { givenOptions, inKeys, LIBRARY_DEFAULTS } from './settings/given.ts';
import { defaultOptions, OptionError, type Options } from './settings/options.ts';

export type { ExplanationFacts, RingFacts } from './admin/insight.ts';
export type { KeyFunction, KeyRequest } from './core/request/key-source.ts';
export type { HashPair } from './core/ring/hashes/hash-pair.ts';
export { BalancerError, type ErrorCode } from './errors.ts';
export type { LogEntry, LogFunction, LogTarget } from './library/forms.ts';
export type { BalancerOptions } from './library/options.ts';
export type { Replica } from './library/roster.ts';
export { OptionError } from './settings/options.ts';

const { config: _, ...defaultsOfPrograms } = defaultOptions();

/** All options at their defaults. They can be given to `createBalancer` as they are. */
export const defaults: Omit<Options, 'config'> = Object.freeze({ ...defaultsOfPrograms, ...LIBRARY_DEFAULTS });

/** Where a balancer listens. */
export interface Listening {
  readonly port: number;
  /** A URL that leads there from this machine, without a path. */
  readonly url: string;
}

/** What listeners are given, by the name of the event. They are called once whatever caused it is done. */
export interface BalancerEvents extends FleetEvents {
  listening: [listening: Listening];
  /** All replicas have ended, and nothing is held any more. */
  closed: [];
}

/** Which replicas to add. The lists belong together by position; each may be shorter, or missing. */
export interface Addition {
  /** How many. Default: as many as the longest list has. */
  readonly n?: number | undefined;
  /** A replica without one gets a random name, a service its address. One that is there counts as added. */
  readonly hostnames?: readonly string[] | undefined;
  /** How many places on the ring each has, 1 to 16. Default: 1. */
  readonly weights?: readonly number[] | undefined;
  /** `host:port` or `unix:/path` of services that run already. Replicas without one are started. */
  readonly addresses?: readonly string[] | undefined;
}

/** Which replicas to remove. */
export interface Removal {
  readonly hostnames: readonly string[];
}

/** A key, a request id, or a request whose key is asked for. */
export type Question =
  | string
  | { readonly requestId: number }
  | {
      readonly method?: string | undefined;
      /** With the query. */
      readonly path?: string | undefined;
      readonly headers?: Readonly<Record<string, string>> | undefined;
      /** The address of the client. */
      readonly client?: string | undefined;
      /** A text, or what JSON is made of. */
      readonly body?: unknown;
    };

export interface Balancer extends EventEmitter<BalancerEvents>, AsyncDisposable {
  /**
   * Starts the replicas, then listens; until then nothing has been created. Called again, it gives the same result.
   * Rejects with a BalancerError if it cannot listen or was closed, and leaves nothing behind then.
   */
  start(): Promise<Listening>;
  /**
   * Adds replicas. Resolves with all that there are, once the new ones are healthy and requests go by it. Rejects with
   * a BalancerError, and has added none, if one will not come up or cannot be.
   */
  add(change: number | Addition): Promise<readonly Replica[]>;
  /**
   * Removes these, or so many, picked so that the ring stays as even as it can. Resolves with all that are left, once
   * the others have finished their requests and are gone.
   */
  remove(change: number | Removal): Promise<readonly Replica[]>;
  /** The wanted replicas, in the order in which they joined. */
  replicas(): readonly Replica[];
  /** What `GET /balancer/ring` answers. */
  ring(): Promise<RingFacts>;
  /** Where a request would go and why, as `POST /balancer/explain` answers. */
  explain(question: Question): Promise<ExplanationFacts>;
  /** The token that changes of the fleet take over HTTP, if one is needed and none was given. */
  readonly drawnToken: string | undefined;
  /** Opens `accessLogFile` anew, if it is a file: it was renamed, to be compressed or removed. */
  reopenAccessLog(): Promise<void>;
  /** Stops accepting, lets open requests finish within `graceMs`, and ends every replica. May be called again. */
  close(): Promise<void>;
}

/**
 * Makes a balancer that has not begun. Rejects with an OptionError if an option is unknown, out of bounds, or does not
 * go with another.
 */
export async function createBalancer(given: BalancerOptions = {}): Promise<Balancer> {
  if (!isObject(given)) throw new OptionError('options are an object, as { port: 0, replicas: 3 }');
  const { log: wantedLog = defaults.log, ...others } = given;
  const target = logOf(wantedLog, others.logFormat);
  const { options, pair, keyFunction } = givenOptions({ ...others, log: target.level });
  const emitter = new EventEmitter<BalancerEvents>();
  // A listener that throws must not stop what it is told of, so it is called when that is done.
  const tell = <E extends keyof BalancerEvents>(event: E, ...details: BalancerEvents[E]) =>
    queueMicrotask(() => (emitter as EventEmitter).emit(event, ...details));
  const tellFleet = fleetTeller(tell as TellFleet);
  let starting: Promise<Listening> | undefined;
  let closing: Promise<void> | undefined;
  const inner = await create(options, target.log, {
    pair,
    keyFunction,
    // That all replicas end with the balancer is told once.
    observe: (state, pidOf) => {
      if (closing === undefined) tellFleet(state, pidOf);
    },
  }).catch(rethrow);
  const start = async (): Promise<Listening> => {
    checkOpen(closing);
    const port = await inner.start().catch(rethrow);
    checkOpen(closing);
    const listening = { port, url: localUrlOf(options.host, port) };
    tell('listening', listening);
    return listening;
  };
  const close = async () => {
    await inner.close();
    tell('closed');
  };
  const change = async (path: '/add' | '/rm', body: unknown, query?: string) => {
    await inner.call(path, body, query).catch(rethrow);
    return inner.replicas();
  };
  return Object.assign(emitter, {
    start: async () => {
      checkOpen(closing);
      starting ??= start();
      return starting;
    },
    add: async (addition: number | Addition) => change('/add', additionBody(addition)),
    remove: async (removal: number | Removal) => {
      if (typeof removal === 'number') return change('/rm', { n: removal });
      const hostnames = isObject(removal) ? removal.hostnames : undefined;
      if (Array.isArray(hostnames)) return change('/rm', { n: hostnames.length, hostnames }, 'only-named');
      throw new BalancerError('bad-body', "remove takes a number, or hostnames as { hostnames: ['S5'] }");
    },
    replicas: inner.replicas,
    ring: () => inner.call('/balancer/ring', undefined) as Promise<RingFacts>,
    explain: (question: Question) => {
      const body = typeof question === 'string' ? { key: question } : question;
      return inner.call('/balancer/explain', body) as Promise<ExplanationFacts>;
    },
    drawnToken: inner.drawnToken,
    reopenAccessLog: () => inner.reopenAccessLog(),
    close: () => (closing ??= close()),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  });
}

function additionBody(addition: number | Addition): unknown {
  if (typeof addition === 'number') return { n: addition };
  if (!isObject(addition)) throw new BalancerError('bad-body', "add takes a number, or as { hostnames: ['S5'] }");
  const { hostnames = [], weights = [], addresses = [] } = addition;
  const n = addition.n ?? Math.max(hostnames.length, weights.length, addresses.length);
  return { n, hostnames, weights, addresses };
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkOpen(closing: Promise<void> | undefined): void {
  if (closing !== undefined) throw new BalancerError('closing', 'the balancer was closed');
}

// What the command says of flags is said of keys here. What a replica said last is left as it was.
function rethrow(error: unknown): never {
  if (error instanceof OptionError) throw new OptionError(inKeys(error.message));
  if (!(error instanceof BalancerError) || error.code === 'start-failed') throw error;
  throw new BalancerError(error.code, inKeys(error.message), { cause: error });
}
