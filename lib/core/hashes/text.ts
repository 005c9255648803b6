// From a text (a client address, a cookie, a path) to the number that the ring is asked with.

import { mix32 } from './mixed.ts';

/** 32 bits of a text: FNV-1a (Fowler, Noll, Vo) over its UTF-16 units, then a finaliser, since FNV mixes its high bits poorly. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return mix32(hash);
}
