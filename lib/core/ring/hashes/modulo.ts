// Deals requests evenly over the slots, but puts virtual nodes where `quadratic` does. Shows that with the course's
// placement no request hash can help.

import type { HashPair } from './hash-pair.ts';
import { quadratic } from './quadratic.ts';

export const moduloRequests: HashPair = {
  requestSlot: (key) => key,
  virtualNodeSlot: quadratic.virtualNodeSlot,
};
