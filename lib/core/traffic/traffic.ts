// Counts the traffic of one replica, or of all. Counting is a few additions per request; readers make sense of the
// numbers (counters.ts).

import { BUCKETS, Histogram } from './histogram.ts';

/** Requests since the start, by how they ended. `requests` includes all others. */
export interface Counts {
  readonly requests: number;
  /** The replica's reply had a status from 400 to 499. */
  readonly refused: number;
  /** The replica's reply had a status from 500 up. */
  readonly erred: number;
  /** The balancer had to answer itself, or to cut the reply. */
  readonly failed: number;
  /** The client went away before it had the reply, or its request was at fault. */
  readonly abandoned: number;
}

// Where each number is in a tally's cells. The buckets of the times follow.
const REQUESTS = 0;
const REFUSED = 1;
const ERRED = 2;
const FAILED = 3;
const ABANDONED = 4;
const TIMES = 5;
type CountCells = [number, number, number, number, number];
/** How many numbers a tally takes: the counts in the order of `Counts`, then the buckets of its times in µs. */
export const TALLY_CELLS = TIMES + BUCKETS;

/** The counters of one replica, or of all. They only grow. */
export class Tally {
  // 64 bits hold whole numbers exactly up to 2^53. There is one writer, so adding needs no lock.
  readonly #cells: Float64Array;
  readonly #times: Histogram;

  /** @param cells memory for exactly `TALLY_CELLS` numbers. Readers may share it. */
  constructor(cells: Float64Array = new Float64Array(TALLY_CELLS)) {
    this.#cells = cells;
    this.#times = new Histogram(cells.subarray(TIMES));
  }

  /** @param status of a replica's reply. */
  countReply(status: number): void {
    this.#addOne(REQUESTS);
    if (status >= 500) this.#addOne(ERRED);
    else if (status >= 400) this.#addOne(REFUSED);
  }

  countLoss(how: 'failed' | 'abandoned'): void {
    this.#addOne(REQUESTS);
    this.#addOne(how === 'failed' ? FAILED : ABANDONED);
  }

  time(tookMs: number): void {
    this.#times.record(tookMs * 1000, 1);
  }

  /** A copy of what was counted so far. */
  read(): { readonly counts: Counts; readonly times: Float64Array } {
    const [requests, refused, erred, failed, abandoned] = this.#cells as unknown as CountCells;
    return { counts: { requests, refused, erred, failed, abandoned }, times: this.#cells.slice(TIMES) };
  }

  #addOne(cell: number): void {
    this.#cells[cell] = (this.#cells[cell] as number) + 1;
  }
}
