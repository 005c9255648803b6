// The even pair, the default: virtual nodes laid out so that all seats have equal shares (even-layout.ts), and request ids dealt
// to the slots in turn, so that every run of M requests meets each slot once.

import { placeOfRequestId } from '../request-ids.ts';
import { EvenLayout } from './even-layout.ts';
import type { HashPair } from './hash-pair.ts';

/** @param slots M. @param virtualNodes K. The pair is made for one ring size; its layouts grow as seats join. */
export function evenPair(slots: number, virtualNodes: number): HashPair {
  const layouts = new Map<number, EvenLayout>();
  const layoutOf = (perSeat: number) => {
    const layout = layouts.get(perSeat) ?? new EvenLayout(slots, perSeat);
    layouts.set(perSeat, layout);
    return layout;
  };
  const stride = chooseStride(slots, layoutOf(Math.min(slots, virtualNodes)));
  return {
    requestSlot: (key) => {
      const place = placeOfRequestId(key);
      // place × stride stays far below 2^53.
      return (place * stride) % slots;
    },
    virtualNodeSlot: (seat, index, _slots, perSeat) => layoutOf(perSeat).virtualNodes(seat)[index],
  };
}

// From slot to slot by a stride that shares no factor with M, every M steps meet each slot once. In between, each seat should be
// met as often as its share says: of a few strides the one is taken with which the count of any seat, of 2 … 6, is least off
// in any run. The candidates are spread over the ring by the golden section.
function chooseStride(slots: number, layout: EvenLayout): number {
  const rings = [2, 3, 4, 5, 6].filter((seats) => seats <= slots).map((seats) => ownersOf(slots, layout, seats));
  let best = 1;
  let least = Number.POSITIVE_INFINITY;
  for (let candidate = 1; candidate <= STRIDES_TRIED; candidate++) {
    let stride = 1 + Math.floor(((candidate * GOLDEN_SECTION) % 1) * (slots - 1));
    while (greatestCommonDivisor(stride, slots) !== 1) stride += 1;
    const off = Math.max(0, ...rings.map((owners) => discrepancy(owners, stride)));
    if (off < least) [least, best] = [off, stride];
  }
  return best % Math.max(1, slots);
}

const STRIDES_TRIED = 32;
const GOLDEN_SECTION = (Math.sqrt(5) - 1) / 2;

// The seat, from 0, that each slot of a ring of the first `seats` seats leads to.
function ownersOf(slots: number, layout: EvenLayout, seats: number): Uint16Array {
  const owners = new Uint16Array(slots);
  const points = Array.from({ length: seats }, (_, seat) =>
    layout.virtualNodes(seat + 1).map((slot) => ({ slot, seat })),
  )
    .flat()
    .sort((a, b) => a.slot - b.slot);
  let slot = 0;
  for (const point of points) {
    owners.fill(point.seat, slot, point.slot + 1);
    slot = point.slot + 1;
  }
  owners.fill(points[0]?.seat ?? 0, slot);
  return owners;
}

// By how many the count of any seat in any run of requests is off at most.
function discrepancy(owners: Uint16Array, stride: number): number {
  const slots = owners.length;
  const shares = new Float64Array(8);
  for (const seat of owners) shares[seat] = (shares[seat] as number) + 1 / slots;
  const counts = new Float64Array(8);
  const highest = new Float64Array(8);
  const lowest = new Float64Array(8);
  for (let step = 0, slot = 0; step < slots; step++, slot = (slot + stride) % slots) {
    const seat = owners[slot] as number;
    const share = shares[seat] as number;
    lowest[seat] = Math.min(lowest[seat] as number, (counts[seat] as number) - share * step);
    counts[seat] = (counts[seat] as number) + 1;
    highest[seat] = Math.max(highest[seat] as number, (counts[seat] as number) - share * (step + 1));
  }
  return Math.max(...highest.map((high, seat) => high - (lowest[seat] as number)));
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
