// The even pair, which is the default. Virtual nodes are laid out so that all seats have equal shares (even-layout.ts).
// Request ids are dealt to the slots in turn, so that every run of M requests meets each slot once.

import { placeOfRequestId } from '../request-ids.ts';
import type { HashRing, SeatId } from '../ring.ts';
import { EvenLayout } from './even-layout.ts';
import { buildRing, type HashPair } from './hash-pair.ts';

/**
 * The pair is made for one ring size; its layout grows as seats join.
 * @param slots M.
 * @param virtualNodes K.
 */
export function evenPair(slots: number, virtualNodes: number): HashPair {
  const layout = new EvenLayout(slots, virtualNodes);
  const pairWith = (stride: number): HashPair => ({
    takesOver: true,
    // place × stride stays far below 2^53.
    requestSlot: (key) => (placeOfRequestId(key) * stride) % slots,
    virtualNodeSlot: (place, index) => layout.virtualNodes(place)[index],
  });
  const rings = Array.from({ length: MOST_SEATS - 1 }, (_, index) => index + 2)
    .filter((seats) => seats <= slots)
    .map((seats) => new Map(Array.from({ length: seats }, (_, index) => [index + 1, index + 1])))
    .map((places) => buildRing(places, pairWith(1), slots, virtualNodes));
  return pairWith(chooseStride(slots, rings));
}

// Chooses the stride from slot to slot. It shares no factor with M, so every M steps meet each slot once. Within fewer
// steps, each seat should be met as often as its share says. So some strides are tried, spread over the ring by the
// golden section, and the one is taken whose counts are least off, for any seat in any run, with 2 to 6 seats.
function chooseStride(slots: number, rings: readonly HashRing[]): number {
  const owners = rings.map((ring) => Uint16Array.from({ length: slots }, (_, slot) => ring.owner(slot) as SeatId));
  let best = 1;
  let least = Number.POSITIVE_INFINITY;
  for (let candidate = 1; candidate <= STRIDES_TRIED; candidate++) {
    let stride = 1 + Math.floor(((candidate * GOLDEN_SECTION) % 1) * (slots - 1));
    while (greatestCommonDivisor(stride, slots) !== 1) stride += 1;
    const off = Math.max(0, ...owners.map((seats) => discrepancy(seats, stride)));
    if (off < least) [least, best] = [off, stride];
  }
  return best;
}

// The stride is chosen for rings of up to this many seats.
const MOST_SEATS = 6;
const STRIDES_TRIED = 64;
const GOLDEN_SECTION = (Math.sqrt(5) - 1) / 2;

// How far off the count of any seat can be, in any run of requests.
function discrepancy(owners: Uint16Array, stride: number): number {
  const slots = owners.length;
  const shares = new Float64Array(MOST_SEATS + 1);
  for (const seat of owners) shares[seat] = (shares[seat] as number) + 1 / slots;
  const counts = new Float64Array(MOST_SEATS + 1);
  const highest = new Float64Array(MOST_SEATS + 1);
  const lowest = new Float64Array(MOST_SEATS + 1);
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
