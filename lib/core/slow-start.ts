// Slow start: a seat that has just joined takes its slots bit by bit, so that its replica can warm up. A slot that it does not have
// yet stays with the seat that would have it without the joiner; each slot, and so each key, changes hands once.

import { HashRing, type RingPoint, type SeatId } from './ring.ts';

const GOLDEN_SECTION = (Math.sqrt(5) - 1) / 2;

/**
 * The ring in between two.
 * @param ring with all seats. @param warm without those that start slowly; empty if all do.
 * @param taken for each seat that starts slowly, the part of its slots that it has, 0 to below 1. It may only grow.
 */
export function withSlowStart(ring: HashRing, warm: HashRing, taken: ReadonlyMap<SeatId, number>): HashRing {
  // Nobody to leave a slot with.
  if (taken.size === 0 || warm.owner(0) === undefined) return ring;
  const met = new Map<SeatId, number>();
  const owners = Array.from({ length: ring.slotCount }, (_, slot) => {
    const seat = ring.owner(slot) as SeatId;
    const part = taken.get(seat);
    if (part === undefined) return seat;
    const index = met.get(seat) ?? 0;
    met.set(seat, index + 1);
    // Spread over its slots. The first one is its own from the beginning: a seat on no slot would not be there if others fail.
    return (index * GOLDEN_SECTION) % 1 <= part ? seat : (warm.owner(slot) as SeatId);
  });
  // A virtual node at the end of each run of slots with the same owner.
  const points = owners.map((seat, slot): RingPoint => ({ slot, seat }));
  const ends = points.filter(({ slot, seat }) => owners[(slot + 1) % owners.length] !== seat);
  return new HashRing(ends.length === 0 ? points.slice(-1) : ends, ring.slotCount);
}
