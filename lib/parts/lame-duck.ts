// The time between the order to end and the end itself. Everything still works, and whoever sends requests here may
// learn that they should go elsewhere.

import { realClock } from '../fleet/clock.ts';
import type { Log } from '../log.ts';

export class LameDuck {
  readonly #forMs: number;
  readonly #log: Log;
  #over: AbortController | undefined;
  #isLame = false;

  constructor(forMs: number, log: Log) {
    this.#forMs = forMs;
    this.#log = log;
  }

  /** Why nobody should send new requests here; `undefined` if everybody may. */
  get reason(): string | undefined {
    return this.#isLame ? 'the balancer is about to end: new requests should go elsewhere' : undefined;
  }

  /** Resolves when that time has passed. */
  async last(): Promise<void> {
    this.#isLame = true;
    if (this.#forMs === 0) return;
    this.#log.info('lame-duck', { forMs: this.#forMs });
    this.#over = new AbortController();
    await realClock.sleep(this.#forMs, this.#over.signal).catch(() => undefined);
    this.#over = undefined;
  }

  /** Ends that time at once. False if it is not under way. */
  hurry(): boolean {
    const isUnderWay = this.#over !== undefined;
    this.#over?.abort();
    return isUnderWay;
  }
}
