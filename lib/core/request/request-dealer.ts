// Deals request ids. A request without a key has no home on the ring, so when the seat of the next id has its fill, the request is
// given a later id, and the id is kept for a request that comes when the seat has room again: the shares come out as even as the
// ids are, whatever the load and however the replicas' speed wavers. Only a replica that stays slower than the others gets less.

import type { SeatId } from '../ring/ring.ts';

// Per seat. A seat that stays full, because its replica is slow, gets fewer requests: the oldest id kept for it is then used all the
// same. A replica that stands still for 200 ms at 15,000 requests per second among three has missed 1,000.
const MAX_KEPT = 1024;

export class RequestDealer {
  readonly #next: () => number;
  readonly #kept = new Map<SeatId, number[]>();

  /** @param next gives the next id, each once before any comes again. */
  constructor(next: () => number) {
    this.#next = next;
  }

  /**
   * The oldest id kept for a seat that has room, or else the first of the next ones whose seat has room, or else the oldest of
   * those that have been kept for too long.
   * @param ownerOf the seat that an id leads to, `undefined` if there is none.
   */
  deal(ownerOf: (id: number) => SeatId | undefined, hasRoom: (seat: SeatId) => boolean): number {
    for (const [seat, ids] of this.#kept) {
      // By now the ids may lead elsewhere, when the ring has changed; then they are as good as any.
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
