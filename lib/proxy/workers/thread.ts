// One worker as the main thread has it: asked by message, and ended when it does not answer. Whoever asks one that ends
// is told so.

import { Worker } from 'node:worker_threads';
import type { PlaneNews, TakeBatch } from '../../core/plane-ports.ts';
import type { ReplicaRef } from '../../core/ports.ts';
import { type Counters, noCounters } from '../../core/traffic/counters.ts';
import { FRONT_LAYOUT } from '../../core/traffic/measures.ts';
import { noReading, type PlaneReading } from '../../core/traffic/plane-reading.ts';
import { Tally } from '../../core/traffic/traffic.ts';
import { describe } from '../../errors.ts';
import type { Log, LogLevel } from '../../log.ts';
import type { MeasuredBlock } from '../measure-book.ts';
import {
  type Answers,
  errorOf,
  type FromWorker,
  type Questions,
  type Topic,
  type ToWorker,
  type WorkerTerms,
} from './messages.ts';
import type { OwnServer } from './own-server.ts';

/** What there is of a thread here. */
export type ThreadHandle = Pick<Worker, 'on' | 'once' | 'postMessage' | 'terminate'>;

export interface ThreadPorts {
  /** What the worker runs. */
  readonly script: URL;
  /** Begins a thread in another way than as one of this process. */
  readonly spawn?: ((terms: WorkerTerms) => ThreadHandle) | undefined;
  readonly log: Log;
  readonly takeLines: TakeBatch;
  readonly answerOwn: OwnServer;
  /** `version`: of the plan that the worker goes by. */
  readonly onNews: (thread: WorkerThread, news: PlaneNews, version: number) => void;
  /** Called once, before those who still wait for an answer are told. */
  readonly onEnded: (end: ThreadEnd) => void;
}

/** Why it ended. */
export interface ThreadEnd {
  readonly reason: string;
  readonly stack?: string | undefined;
}

/** Who asked gets no answer, since the thread has ended. */
export class ThreadEnded extends Error {
  override readonly name = 'ThreadEnded';
}

interface Pending {
  readonly topic: Topic;
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
  /** Ticks that it has waited. */
  waited: number;
}

const NOTHING = { clients: 0, waiting: 0, waitingForReturn: 0, activeSeconds: 0 };

// In ticks, which are seconds in which this process ran. A thread that begins loads its program first.
const LONGEST_SILENCE = 10;
const LONGEST_BEGIN = 30;

export class WorkerThread {
  /** 1, 2, … */
  readonly number: number;
  /** Resolves when nothing of it runs any more. */
  readonly ended: Promise<void>;
  /** When it was last asked. */
  counters = noCounters();
  /** What there was at the last look at what it measures. */
  now = noReading();
  /** Where the last look at its landings ended, and how many there were until then. */
  landed = { last: 0, landed: 0 };
  /** The port that it listens on, or will soon. */
  listening: Promise<number> | undefined;
  readonly #worker: ThreadHandle;
  // Of all requests, and of each replica.
  #tallies: { readonly replica: ReplicaRef | undefined; readonly tally: Tally }[] = [];
  // What it measures, in memory that it goes on to write.
  readonly #measures = new Map<MeasuredBlock, Float64Array>();
  readonly #pending = new Map<number, Pending>();
  #asked = 0;
  #hasAnswered = false;
  #end: ThreadEnd | undefined;

  /** @param mostHeapMiB a worker that needs more memory for its objects ends. */
  constructor(number: number, terms: WorkerTerms, mostHeapMiB: number, ports: ThreadPorts) {
    this.number = number;
    this.#worker = ports.spawn?.(terms) ?? begun(terms, mostHeapMiB, ports.script);
    this.#worker.on('message', (message: FromWorker) => this.#hear(message, ports));
    this.#worker.on('error', (error: unknown) => {
      this.#end ??= { reason: describe(error), stack: error instanceof Error ? error.stack : undefined };
    });
    this.ended = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        this.#end ??= { reason: `it ended with exit code ${code}` };
        ports.onEnded(this.#end);
        for (const { reject } of this.#pending.values()) reject(new ThreadEnded(this.#end.reason));
        this.#pending.clear();
        resolve();
      });
    });
  }

  /** All that it has counted when it has ended: nothing is in flight there then. */
  get lastCounters(): Counters {
    const total = this.#tallies.find(({ replica }) => replica === undefined)?.tally ?? new Tally();
    const replicas = this.#tallies.flatMap(({ replica, tally }) =>
      replica === undefined
        ? []
        : [{ seat: replica.seat, incarnation: replica.incarnation, ...tally.read(), inFlight: 0 }],
    );
    return { total: { ...total.read(), inFlight: 0 }, diverted: this.counters.diverted, replicas };
  }

  /** What it has measured until now, and what there was at the last look. */
  get reading(): PlaneReading {
    const seats = Array.from(this.#measures).flatMap(([block, cells]) =>
      block === 'front' ? [] : [[block, cells.slice()] as const],
    );
    const cells = this.#measures.get('front')?.slice() ?? new Float64Array(FRONT_LAYOUT.size);
    const thread = String(this.number);
    const [now = { ...NOTHING, thread, cells }] = this.now.threads;
    return { seats: new Map(seats), loads: this.now.loads, threads: [{ ...now, cells }] };
  }

  /** What it has measured when it has ended: nothing is there any more. */
  get lastReading(): PlaneReading {
    const { seats, threads } = this.reading;
    return { seats, loads: new Map(), threads: threads.map((one) => ({ ...one, ...NOTHING })) };
  }

  /** That replica is gone: what was counted there is in the counters of all requests only. */
  forget(incarnation: number): void {
    this.#tallies = this.#tallies.filter(({ replica }) => replica?.incarnation !== incarnation);
  }

  /** Rejects with its error, or with ThreadEnded. What is asked first is begun first. */
  ask<T extends Topic>(topic: T, about: Questions[T]): Promise<Answers[T]> {
    if (this.#end !== undefined) return Promise.reject(new ThreadEnded(this.#end.reason));
    this.#asked += 1;
    const number = this.#asked;
    return new Promise((resolve, reject) => {
      this.#pending.set(number, { topic, resolve, reject, waited: 0 });
      this.#post({ type: topic, number, about } as ToWorker);
    });
  }

  /** Resolves when it has closed its plane and ended. */
  async close(): Promise<void> {
    await this.ask('close', undefined).catch(() => undefined);
    await this.terminate('it was closed');
  }

  /** Resolves when its plane has given way and it has ended, with the number of requests that were cut. */
  async giveWay(): Promise<number> {
    const lost = await this.ask('giveWay', undefined).catch(() => 0);
    await this.terminate('it gave way');
    return lost;
  }

  /** From now on it tells these lines of its log. */
  tellLevel(level: LogLevel): void {
    this.#post({ type: 'level', level });
  }

  /** What is left while it closes is cut. */
  cut(): void {
    this.#post({ type: 'cut' });
  }

  terminate(reason: string): Promise<void> {
    this.#end ??= { reason };
    void this.#worker.terminate();
    return this.ended;
  }

  /**
   * Called every second: one that has not answered for long is ended. How long it takes to close is for others to say.
   */
  onTick(): void {
    const most = this.#hasAnswered ? LONGEST_SILENCE : LONGEST_BEGIN;
    for (const pending of this.#pending.values()) {
      if (pending.topic !== 'close' && pending.topic !== 'giveWay') pending.waited += 1;
      if (pending.waited > most) void this.terminate(`it has not answered for ${most} s`);
    }
  }

  #hear(message: FromWorker, ports: ThreadPorts): void {
    switch (message.type) {
      case 'answer':
        this.#hasAnswered = true;
        this.#take(message.number)?.resolve(message.value as never);
        return;
      case 'failure':
        this.#take(message.number)?.reject(errorOf(message.error));
        return;
      case 'log':
        for (const { level, event, details } of message.entries) {
          ports.log[level](event, { worker: this.number, ...details });
        }
        this.#post({ type: 'logged', count: message.entries.length });
        return;
      case 'lines':
        ports.takeLines(message.batch, (memory) =>
          this.#post({ type: 'lines-taken', number: message.number, memory }, [memory]),
        );
        return;
      case 'news':
        ports.onNews(this, message.news, message.version);
        return;
      case 'tally':
        this.#tallies.push({ replica: message.replica, tally: new Tally(new Float64Array(message.memory)) });
        return;
      case 'measures':
        this.#measures.set(message.block, new Float64Array(message.memory));
        return;
      case 'own':
        ports.answerOwn(message.port, message.facts);
    }
  }

  #take(number: number): Pending | undefined {
    const pending = this.#pending.get(number);
    this.#pending.delete(number);
    return pending;
  }

  #post(message: ToWorker, given: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, given);
  }
}

/** What one that ends meanwhile would have said, nobody waits for. */
export async function unlessEnded<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ThreadEnded) return undefined;
    throw error;
  }
}

function begun(terms: WorkerTerms, mostHeapMiB: number, script: URL): Worker {
  return new Worker(script, {
    name: `worker ${terms.number}`,
    workerData: terms,
    resourceLimits: { maxOldGenerationSizeMb: mostHeapMiB },
  });
}
