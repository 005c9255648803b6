// What a named pair of hash functions is, and how a ring is built from one: seat by seat, virtual node by virtual node,
// linear probing where a slot is taken. Which pairs there are is the table's business (table.ts).

import { HashRing, type RingPoint, type SeatId } from '../ring.ts';

/** Two pure functions, chosen by name with `--hash`. Both may return any integer: it is taken modulo M. */
export interface HashPair {
  /** The slot of a request. `key` is the request id, or the 32-bit hash of a client, header, cookie, query or path. */
  requestSlot(key: number, slots: number): number;
  /** The slot of virtual node `index` = 0 … K-1 of a seat = 1, 2, … */
  virtualNodeSlot(seat: SeatId, index: number, slots: number): number;
}

/** The ring of a set of seats: the same for the same seats, whatever the order in which they came. */
export function buildRing(seats: Iterable<SeatId>, pair: HashPair, slots: number, virtualNodes: number): HashRing {
  const ordered = [...new Set(seats)].sort((a, b) => a - b);
  // More virtual nodes than slots: every seat gets fewer, so that the last to come is not left without any.
  const perSeat = Math.min(virtualNodes, Math.floor(slots / Math.max(1, ordered.length)));
  const taken = new Uint8Array(slots);
  const points: RingPoint[] = [];
  for (const seat of ordered) {
    for (let index = 0; index < perSeat; index++) {
      let slot = modulo(pair.virtualNodeSlot(seat, index, slots), slots);
      while (taken[slot] === 1) slot = (slot + 1) % slots;
      taken[slot] = 1;
      points.push({ slot, seat });
    }
  }
  return new HashRing(points, slots);
}

/** `value` mod `slots` in 0 … slots-1, for negative values too. */
export function modulo(value: number, slots: number): number {
  const rest = value % slots;
  return rest < 0 ? rest + slots : rest;
}
