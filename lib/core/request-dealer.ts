// Deals request ids. A request without a key has no home on the ring, so when the seat of the next id has its fill, the request is
// given a later id, and the id is kept for a request that comes when the seat has room again: every id is still used once, and
// the shares come out as even as the ids are, whatever the load.

import { firstRequestId, nextRequestId } from './request-ids.ts';

// A seat that stays full, because its replica is slow, gets fewer requests: the oldest id kept back is then used all the same.
const MAX_KEPT = 16;

export class RequestDealer {
  #next: number;
  readonly #kept: number[] = [];

  /** @param seed where the ids begin: any whole number ≥ 0. */
  constructor(seed: number) {
    this.#next = firstRequestId(seed);
  }

  /** The first id that `fits`, of those kept back or of the next ones; the oldest kept back if too many do not. */
  deal(fits: (id: number) => boolean): number {
    for (let index = 0; index < this.#kept.length; index++) {
      const id = this.#kept[index] as number;
      if (!fits(id)) continue;
      this.#kept.splice(index, 1);
      return id;
    }
    for (;;) {
      const id = this.#next;
      this.#next = nextRequestId(id);
      if (fits(id)) return id;
      this.#kept.push(id);
      if (this.#kept.length > MAX_KEPT) return this.#kept.shift() as number;
    }
  }
}
