// What most solutions of the course end up with: sha256 of the request id in decimal, and md5 of `seat-j`. Of each, the
// first four bytes are read as a big-endian number.

import type { HashPair } from './hash-pair.ts';

/** A cryptographic digest of ASCII text. It is passed in, since `core/` imports nothing of Node. */
export type Digest = (algorithm: 'sha256' | 'md5', text: string) => Uint8Array;

export function sha256Md5(digest: Digest): HashPair {
  return {
    requestSlot: (key) => firstWord(digest('sha256', String(key))),
    virtualNodeSlot: (seat, index) => firstWord(digest('md5', `${seat}-${index}`)),
  };
}

function firstWord(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
}
