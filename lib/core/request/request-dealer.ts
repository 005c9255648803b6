// Deals out request ids. A request without a key has no home on the ring. So when the seat of the next id is full, the
// request gets a later id, and the earlier one is kept for a request that comes when the seat has room again. Shares
// thus come out as even as the ids are, whatever the load and however the replicas' speed varies. Only a replica that
// stays slower than the others gets fewer requests.

import type { SeatId } from '../ring/ring.ts';

// How many ids are kept per seat. If a seat stays full because its replica is slow, the oldest of them is used all the
// same. At 15,000 requests per second, a replica of three that stands still for 200 ms misses 1,000.
const MAX_KEPT = 1024;

export class RequestDealer {
  readonly #next: () => number;
  readonly #kept = new Map<SeatId, number[]>();

  /** @param next gives the next id, each once before any comes again. */
  constructor(next: () => number) {
    this.#next = next;
  }

  /**
   * Gives the oldest id kept for a seat that has room. If there is none, gives the next id whose seat has room. If too
   * many had to be kept on the way there, gives the oldest of these.
   * @param ownerOf the seat that an id leads to, `undefined` if there is none.
   */
  deal(ownerOf: (id: number) => SeatId | undefined, hasRoom: (seat: SeatId) => boolean): number {
    for (const [seat, ids] of this.#kept) {
      // If the ring has changed these ids may lead elsewhere by now. They are as good as any then.
      if (hasRoom(seat)) return this.#takeOldest(seat, ids);
    }
    for (;;) {
      const id = this.#next();
      const seat = ownerOf(id);
      if (seat === undefined || hasRoom(seat)) return id;
      const ids = this.#kept.get(seat) ?? [];
      this.#kept.set(seat, ids);
      ids.push(id);
      if (ids.length > MAX_KEPT) return this.#takeOldest(seat, ids);
    }
  }

  #takeOldest(seat: SeatId, ids: number[]): number {
    if (ids.length === 1) this.#kept.delete(seat);
    return ids.shift() as number;
  }
}
