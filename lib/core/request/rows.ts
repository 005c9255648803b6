// Which row of the ledger is whose: each replica has one from its first plan on, until nothing is left there in any
// thread.

import { MOST_REPLICAS } from './ledger.ts';

/** Tells each replica's row. */
export interface RowBook {
  rowOf(incarnation: number): number;
  /** Nothing is left at that replica in this thread, and it gets no requests any more. */
  free(incarnation: number): void;
}

/** Gives rows out, for all threads. */
export class Rows implements RowBook {
  readonly #rows = new Map<number, number>();
  readonly #free: number[] = [];
  #next = 0;

  /**
   * The row of that incarnation. When all are taken the last one is shared: a bound on load is then kept for those
   * together.
   */
  rowOf(incarnation: number): number {
    const known = this.#rows.get(incarnation);
    if (known !== undefined) return known;
    const row = this.#free.pop() ?? Math.min(this.#next++, MOST_REPLICAS - 1);
    this.#rows.set(incarnation, row);
    return row;
  }

  free(incarnation: number): void {
    const row = this.#rows.get(incarnation);
    this.#rows.delete(incarnation);
    // The last one may be shared, and is not given to one alone.
    if (row !== undefined && row < MOST_REPLICAS - 1) this.#free.push(row);
  }
}
