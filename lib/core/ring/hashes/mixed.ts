// A fast pair that behaves like chance: an integer finaliser whose every input bit flips about half of the output bits.
// Source of the constants: C. Wellons, "Prospecting for Hash Functions", 2018 (lowbias32).

import type { HashPair } from './hash-pair.ts';

export const mixed: HashPair = {
  requestSlot: (key, slots) => scale(mix32(key), slots),
  virtualNodeSlot: (seat, index, slots) => scale(mix32(mix32(seat) + index), slots),
};

/** A bijection on 32-bit words after which neighbours are unrelated. */
export function mix32(word: number): number {
  let hash = word >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
  return (hash ^ (hash >>> 16)) >>> 0;
}

// Maps 0 … 2³²-1 onto 0 … slots-1 by multiplication, which favours no slot if M is not a power of two.
function scale(hash: number, slots: number): number {
  return Math.floor((hash * slots) / 2 ** 32);
}
