// Limits retries to a part of the requests of the last seconds, so that an outage is not met with three times the load
// (Google SRE book, chapter 22). A few retries are always allowed, so that a quiet service is helped too.

import type { RetrySettings } from '../traffic-settings.ts';

// Retries and requests are counted in two windows of this length, so what is remembered is between one and two of them
// old.
const WINDOW_MS = 5000;

// All threads count in the same cells: requests and retries of this window and of the one before, and whether a thread
// is at work to begin the next window. Two more cells say when that is due.
const REQUESTS = 0;
const RETRIES = 1;
const EARLIER_REQUESTS = 2;
const EARLIER_RETRIES = 3;
const TURNING = 4;
const DUE = 6;
export const BUDGET_CELLS = 8;

type Settings = Pick<RetrySettings, 'retryBudget' | 'leastRetriesPerSecond'>;

export class RetryBudget {
  readonly #settings: Settings;
  readonly #cells: Int32Array;
  readonly #due: Float64Array;

  /**
   * @param settings read anew whenever a retry is asked for, since they may change.
   * @param cells `BUDGET_CELLS` of them, all 0 at first. Threads that share cells share the budget.
   */
  constructor(settings: Settings, cells: Int32Array = new Int32Array(BUDGET_CELLS)) {
    this.#settings = settings;
    this.#cells = cells;
    this.#due = new Float64Array(cells.buffer, cells.byteOffset + DUE * Int32Array.BYTES_PER_ELEMENT, 1);
  }

  /**
   * Moves on to the time `nowMs`, by a clock that all threads share. Call it before the first request, and every now
   * and then.
   */
  advance(nowMs: number): void {
    const cells = this.#cells;
    if (nowMs < this.#dueMs || Atomics.compareExchange(cells, TURNING, 0, 1) !== 0) return;
    // Another thread may have begun the next window in between.
    if (nowMs >= this.#dueMs) {
      const late = nowMs >= this.#dueMs + WINDOW_MS;
      const [requests, retries] = [Atomics.exchange(cells, REQUESTS, 0), Atomics.exchange(cells, RETRIES, 0)];
      Atomics.store(cells, EARLIER_REQUESTS, late ? 0 : requests);
      Atomics.store(cells, EARLIER_RETRIES, late ? 0 : retries);
      this.#due[0] = nowMs + WINDOW_MS;
    }
    Atomics.store(cells, TURNING, 0);
  }

  /** Counts a request. */
  deposit(): void {
    Atomics.add(this.#cells, REQUESTS, 1);
  }

  /** May one more retry be made? If so, it is counted. */
  withdraw(): boolean {
    const cells = this.#cells;
    const { retryBudget, leastRetriesPerSecond } = this.#settings;
    const requests = Atomics.load(cells, REQUESTS) + Atomics.load(cells, EARLIER_REQUESTS);
    const allowed = retryBudget * requests + (leastRetriesPerSecond * 2 * WINDOW_MS) / 1000;
    // The retry is counted before the check, as ledger.ts explains.
    const retries = Atomics.add(cells, RETRIES, 1) + 1 + Atomics.load(cells, EARLIER_RETRIES);
    if (retries <= allowed) return true;
    Atomics.sub(cells, RETRIES, 1);
    return false;
  }

  get #dueMs(): number {
    return this.#due[0] as number;
  }
}
