// The workers of a plane over several threads: as many as there are to be. One that ends is replaced, at once or after
// a while if it ends again and again; one that does not answer is ended. What they are told is for others.

import { getHeapStatistics } from 'node:v8';
import type { Clock } from '../../core/ports.ts';
import { describe } from '../../errors.ts';
import type { WorkerTerms } from './messages.ts';
import { type ThreadEnd, ThreadEnded, type ThreadPorts, WorkerThread } from './thread.ts';

export interface CrewPorts extends Omit<ThreadPorts, 'onEnded'> {
  readonly clock: Clock;
  /** @param number of the worker: 1, 2, … */
  readonly termsOf: (number: number) => WorkerTerms;
  /** What it had is lost. Called before those who wait for its answers are told. */
  readonly onEnded: (thread: WorkerThread) => void;
  /** Has one that takes the place of another know and do what the others do. */
  readonly bringUp: (thread: WorkerThread) => Promise<void>;
}

const TICK_MS = 1000;
// One that ends later than this after it began is replaced at once; of one that ends sooner each next one waits twice
// as long.
const STABLE_MS = 10_000;
const BACKOFF_BASE_MS = 100;
const BACKOFF_CAP_MS = 5000;
// After all that is left was cut.
const LONGEST_END_MS = 1000;

interface Place {
  readonly number: number;
  /** `undefined` until the next one begins. */
  thread: WorkerThread | undefined;
  beganMs: number;
  /** How often in a row it ended soon. */
  lapses: number;
}

export class Crew {
  readonly #ports: CrewPorts;
  readonly #places: readonly Place[];
  readonly #closing = new AbortController();
  #hasBegun = false;
  #stopTicking = () => {};
  #closed: Promise<void> | undefined;

  constructor(ports: CrewPorts, workers: number) {
    this.#ports = ports;
    this.#places = Array.from({ length: workers }, (_, index) => ({
      number: index + 1,
      thread: undefined,
      beganMs: 0,
      lapses: 0,
    }));
  }

  /** Starts them, unless that was done, or undone. */
  begin(): void {
    if (this.#hasBegun || this.#closing.signal.aborted) return;
    this.#hasBegun = true;
    this.#stopTicking = this.#ports.clock.every(TICK_MS, () => {
      for (const thread of this.living()) thread.onTick();
    });
    for (const place of this.#places) this.#start(place);
  }

  living(): WorkerThread[] {
    return this.#places.flatMap(({ thread }) => thread ?? []);
  }

  /** Closes the plane of each and ends it. What is left when `signal` is aborted is cut, whoever was told so first. */
  async close(signal: AbortSignal): Promise<void> {
    await this.#end(signal, (thread) => thread.close());
  }

  /** The same, but each gives way. Resolves with the number of requests that were cut. */
  async giveWay(signal: AbortSignal): Promise<number> {
    let lost = 0;
    await this.#end(signal, async (thread) => {
      // Not in one expression with `await`, which would add to what `lost` was before.
      const there = await thread.giveWay();
      lost += there;
    });
    return lost;
  }

  async #end(signal: AbortSignal, endOne: (thread: WorkerThread) => Promise<void>): Promise<void> {
    this.#closing.abort();
    const threads = this.living();
    this.#closed ??= Promise.all(threads.map(endOne)).then(() => this.#stopTicking());
    const finished = new AbortController();
    const cut = () => {
      for (const thread of threads) thread.cut();
      this.#ports.clock.sleep(LONGEST_END_MS, finished.signal).then(
        () => threads.forEach((thread) => void thread.terminate('it did not close')),
        () => undefined,
      );
    };
    if (signal.aborted) cut();
    signal.addEventListener('abort', cut, { once: true });
    return this.#closed.finally(() => {
      signal.removeEventListener('abort', cut);
      finished.abort();
    });
  }

  #start(place: Place): WorkerThread {
    const { clock, termsOf } = this.#ports;
    // What all of them may have is what one thread may have: so none takes the process with it.
    const mostHeapMiB = Math.ceil(getHeapStatistics().heap_size_limit / this.#places.length / 2 ** 20);
    const ports = { ...this.#ports, onEnded: (end: ThreadEnd) => this.#onEnded(place, end) };
    place.thread = new WorkerThread(place.number, termsOf(place.number), mostHeapMiB, ports);
    place.beganMs = clock.now();
    return place.thread;
  }

  #onEnded(place: Place, { reason, stack }: ThreadEnd): void {
    const { clock, log, onEnded } = this.#ports;
    const thread = place.thread as WorkerThread;
    place.thread = undefined;
    onEnded(thread);
    if (this.#closing.signal.aborted) return;
    place.lapses = lapsesAfter(place.lapses, clock.now() - place.beganMs);
    const waitMs = waitAfter(place.lapses);
    log.error('worker-lost', { worker: place.number, reason, stack, nextInMs: waitMs });
    clock.sleep(waitMs, this.#closing.signal).then(
      () => this.#replace(place),
      () => undefined,
    );
  }

  async #replace(place: Place): Promise<void> {
    const { log, bringUp } = this.#ports;
    const thread = this.#start(place);
    try {
      await bringUp(thread);
      log.info('worker-replaced', { worker: place.number });
    } catch (error) {
      if (!(error instanceof ThreadEnded)) await thread.terminate(`it could not listen: ${describe(error)}`);
    }
  }
}

/** How often in a row it has ended soon, if it has lived that long now. */
export function lapsesAfter(lapses: number, livedMs: number): number {
  return livedMs < STABLE_MS ? lapses + 1 : 0;
}

/** How long the next one waits, in ms. */
export function waitAfter(lapses: number): number {
  return lapses < 2 ? 0 : Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** (lapses - 2));
}
