// Slow start: a seat that has just joined takes its slots bit by bit, so that its replica can warm up. A slot that it
// has not taken yet stays with the seat that would have it without the joiner. So each slot, and with it each key,
// moves to a joiner once and never back. This also holds while several seats start: the ring without the youngest says
// who has what the youngest has not taken, and so on.

import { HashRing, type RingPoint, type SeatId } from './ring.ts';

const GOLDEN_SECTION = (Math.sqrt(5) - 1) / 2;

/** A seat that starts slowly. */
export interface Starter {
  readonly seat: SeatId;
  /** The ring without this seat, and without those that came later. */
  readonly without: HashRing;
}

/**
 * Gives the ring of this moment.
 * @param ring with all seats.
 * @param starters the youngest first.
 * @param taken for each starter, the part of its slots that it has, 0 … 1. It may only grow.
 */
export function withSlowStart(
  ring: HashRing,
  starters: readonly Starter[],
  taken: ReadonlyMap<SeatId, number>,
): HashRing {
  const oldest = starters.at(-1);
  // There is no other seat to leave a slot with.
  if (oldest === undefined || oldest.without.owner(0) === undefined) return ring;
  const begun = new Set<SeatId>();
  const owners = Array.from({ length: ring.slotCount }, (_, slot) => {
    let owner = ring.owner(slot) as SeatId;
    for (const { seat, without } of starters) {
      if (owner !== seat) continue;
      // The first slot is its own from the beginning: a seat without any slot could not step in when others fail.
      const first = !begun.has(seat);
      begun.add(seat);
      // Whether a slot is taken depends on the slot alone, so that it stays taken whatever else joins. The golden
      // section spreads taken slots over the ring.
      if (first || (slot * GOLDEN_SECTION) % 1 < (taken.get(seat) as number)) return owner;
      owner = without.owner(slot) as SeatId;
    }
    return owner;
  });
  // A virtual node stands at the end of each run of slots with the same owner. There are at least two owners.
  const points = owners.map((seat, slot): RingPoint => ({ slot, seat }));
  return new HashRing(
    points.filter(({ slot, seat }) => owners[(slot + 1) % owners.length] !== seat),
    ring.slotCount,
  );
}
