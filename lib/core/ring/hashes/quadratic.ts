// The course's functions: H(i) = i² + 2i + 17 and Φ(i, j) = i² + j² + 2j + 25, both modulo M. With them one replica of
// three gets over 80 % of all requests. They are here to be studied, not to be used.

import type { HashPair } from './hash-pair.ts';

export const quadratic: HashPair = {
  requestSlot: (key, slots) => {
    // The key is reduced first: the square of a 32-bit key is more than a double holds exactly.
    const rest = key % slots;
    return rest * rest + 2 * rest + 17;
  },
  virtualNodeSlot: (seat, index) => seat * seat + index * index + 2 * index + 25,
};
