// Slow start: a seat that has just joined takes its slots bit by bit, so that its replica can warm up. A slot that it does not have
// yet stays with the seat that would have it without the joiner; each slot, and so each key, changes hands once.

import { HashRing, type RingPoint, type SeatId } from './ring.ts';

const GOLDEN_SECTION = (Math.sqrt(5) - 1) / 2;

/** @param taken for each seat that is starting slowly, the part of its slots that it has, 0 to below 1. It may only grow. */
export function withSlowStart(ring: HashRing, taken: ReadonlyMap<SeatId, number>): HashRing {
  if (taken.size === 0) return ring;
  const { points, slotCount } = ring;
  const warm = points.filter((point) => !taken.has(point.seat));
  // Nobody to leave a slot with.
  if (warm.length === 0) return ring;
  const warmRing = new HashRing(warm, slotCount);
  const result: RingPoint[] = [];
  points.forEach((point, index) => {
    const part = taken.get(point.seat);
    if (part === undefined) {
      result.push(point);
      return;
    }
    const previous = points.at(index - 1) as RingPoint;
    const length = ((point.slot - previous.slot + slotCount - 1) % slotCount) + 1;
    // Arcs do not change hands all at the same moment: each rounds from another fraction.
    const had = Math.min(length, Math.floor(part * length + ((index * GOLDEN_SECTION) % 1)));
    const heir = warmRing.owner(point.slot) as SeatId;
    if (had < length) result.push({ slot: (point.slot - had + slotCount) % slotCount, seat: heir });
    if (had > 0) result.push(point);
  });
  return new HashRing(result, slotCount);
}
