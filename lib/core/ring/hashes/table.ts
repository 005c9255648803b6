// The hash pairs that have a name, and a check for a pair that a user wrote.

import { evenPair } from './even.ts';
import type { HashPair } from './hash-pair.ts';
import { mixed } from './mixed.ts';
import { moduloRequests } from './modulo.ts';
import { quadratic } from './quadratic.ts';
import { type Digest, sha256Md5 } from './sha256-md5.ts';

export const HASH_NAMES = ['even', 'mixed', 'quadratic', 'modulo', 'sha256-md5'] as const;
export type HashName = (typeof HASH_NAMES)[number];

/** The pair of this name for a ring of M = `slots` and K = `virtualNodes`. */
export function hashPair(name: HashName, slots: number, virtualNodes: number, digest: Digest): HashPair {
  switch (name) {
    case 'even':
      return evenPair(slots, virtualNodes);
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
 * Why a user's module is not a hash pair, or `undefined` if it is one. Calls its functions for every virtual node that
 * there may be and for a thousand keys, so that a mistake shows at start and not in the middle of a request.
 */
export function hashPairFault(
  candidate: unknown,
  slots: number,
  places: number,
  virtualNodes: number,
): string | undefined {
  const pair = candidate as Partial<HashPair> | undefined;
  for (const name of ['requestSlot', 'virtualNodeSlot'] as const) {
    if (typeof pair?.[name] !== 'function') return `it does not export a function ${name}`;
  }
  for (let key = 0; key < 1000; key++) {
    const fault = callFault(pair as HashPair, 'requestSlot', key < 500 ? 100_000 + key : key * 4_294_967, slots);
    if (fault !== undefined) return fault;
  }
  for (let place = 1; place <= places; place++) {
    for (let index = 0; index < virtualNodes; index++) {
      const fault = callFault(pair as HashPair, 'virtualNodeSlot', place, index, slots, virtualNodes);
      if (fault !== undefined) return fault;
    }
  }
  return undefined;
}

function callFault(pair: HashPair, name: keyof HashPair, ...args: number[]): string | undefined {
  try {
    const slot = (pair[name] as (...args: number[]) => unknown)(...args);
    return Number.isSafeInteger(slot)
      ? undefined
      : `${name}(${args.join(', ')}) returned ${String(slot)}, not an integer`;
  } catch (error) {
    return `${name}(${args.join(', ')}) threw ${String(error)}`;
  }
}
