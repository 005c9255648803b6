// Describes rings in numbers: which part of the slots each seat has, how even that is, and what would move between two
// rings. The numbers are exact, since slots are counted and not sampled.

import type { HashRing, SeatId } from './ring.ts';

export interface Shares {
  /** The part of the slots that leads to each seat, 0 … 1. */
  readonly bySeat: ReadonlyMap<SeatId, number>;
  /** The largest ratio of a share to what it should be; 1 if all shares are right. */
  readonly maxOverMean: number;
}

/** @param weights of all seats on the ring. A seat's share should be its weight over their sum. */
export function sharesOf(ring: HashRing, weights: ReadonlyMap<SeatId, number>): Shares {
  const slots = ring.slotsPerSeat();
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  const bySeat = new Map([...weights.keys()].map((seat) => [seat, (slots.get(seat) ?? 0) / ring.slotCount]));
  const overMean = [...bySeat].map(([seat, share]) => share / ((weights.get(seat) as number) / total));
  return { bySeat, maxOverMean: Math.max(0, ...overMean) };
}

/** A part of all slots that changes hands. */
export interface Move {
  readonly from: SeatId;
  readonly to: SeatId;
  /** The part that moves, 0 … 1. */
  readonly fraction: number;
}

/** What changes hands between two rings of the same size, the largest move first. Empty if either ring has no seat. */
export function movesBetween(before: HashRing, after: HashRing): Move[] {
  const moved = new Map<string, { from: SeatId; to: SeatId; slots: number }>();
  for (let slot = 0; slot < before.slotCount; slot++) {
    const from = before.owner(slot);
    const to = after.owner(slot);
    if (from === undefined || to === undefined || from === to) continue;
    const move = moved.get(`${from} ${to}`) ?? { from, to, slots: 0 };
    move.slots += 1;
    moved.set(`${from} ${to}`, move);
  }
  return [...moved.values()]
    .map(({ from, to, slots }) => ({ from, to, fraction: slots / before.slotCount }))
    .sort((a, b) => b.fraction - a.fraction || a.from - b.from || a.to - b.to);
}
