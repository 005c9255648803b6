// The hash pairs that have a name, and the check of one that a user wrote.

import type { HashPair } from './hash-pair.ts';
import { mixed } from './mixed.ts';
import { moduloRequests } from './modulo.ts';
import { quadratic } from './quadratic.ts';
import { type Digest, sha256Md5 } from './sha256-md5.ts';

export const HASH_NAMES = ['mixed', 'quadratic', 'modulo', 'sha256-md5'] as const;
export type HashName = (typeof HASH_NAMES)[number];

export function hashPair(name: HashName, digest: Digest): HashPair {
  switch (name) {
    case 'mixed':
      return mixed;
    case 'quadratic':
      return quadratic;
    case 'modulo':
      return moduloRequests;
    case 'sha256-md5':
      return sha256Md5(digest);
  }
}

/**
 * Why a user's module is not a hash pair, or `undefined` if it is one. The functions are called once here, so that a
 * slip shows at start and not in the middle of a request.
 */
export function hashPairFault(candidate: unknown, slots: number): string | undefined {
  const pair = candidate as Partial<HashPair> | undefined;
  for (const [name, args] of [
    ['requestSlot', [100_000, slots]],
    ['virtualNodeSlot', [1, 0, slots]],
  ] as const) {
    const hash = pair?.[name] as ((...args: readonly number[]) => unknown) | undefined;
    if (typeof hash !== 'function') return `it does not export a function ${name}`;
    try {
      const slot = hash(...args);
      if (!Number.isSafeInteger(slot)) return `${name}(${args.join(', ')}) returned ${String(slot)}, not an integer`;
    } catch (error) {
      return `${name}(${args.join(', ')}) threw ${String(error)}`;
    }
  }
  return undefined;
}
