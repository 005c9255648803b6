// Whether two balancers send a key to the same replica: what decides that, in a form that can be compared. Pure. How
// well replicas are is not in it, since each balancer finds that out by itself, and it never changes the ring.

import type { HashPair } from '../ring/hashes/hash-pair.ts';

/** What `/balancer/digest` tells. */
export interface Digest {
  /** Of the ring, as the log has it: equal digests, equal rings. */
  readonly ring: string;
  /** Values of the options that decide where a key leads, as they are written, by flag. */
  readonly options: Readonly<Record<string, string>>;
}

const MOST_OPTIONS = 64;
const MOST_CHARACTERS = 4096;

/** In what the other one differs, in words; empty if every key leads to the same replica by both. */
export function disagreements(own: Digest, other: Digest): string[] {
  const flags = new Set([...Object.keys(own.options), ...Object.keys(other.options)]);
  const options = [...flags].flatMap((flag) => {
    const [here, there] = [own.options[flag], other.options[flag]];
    return here === there ? [] : [`--${flag} is ${shown(here)} here and ${shown(there)} there`];
  });
  if (own.ring === other.ring) return options;
  return [...options, `its ring has the digest ${other.ring}, and this one ${own.ring}`];
}

/** Reads what a peer has answered; `undefined` if it is no such answer. Whoever answers may be anybody. */
export function readDigest(text: string): Digest | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { ring, options } = (parsed ?? {}) as { ring?: unknown; options?: unknown };
  if (typeof ring !== 'string' || !/^[\da-f]{16}$/.test(ring)) return undefined;
  if (typeof options !== 'object' || options === null) return undefined;
  const entries = Object.entries(options);
  const isFit = ([flag, value]: [string, unknown]) =>
    /^[a-z-]{1,40}$/.test(flag) && typeof value === 'string' && value.length <= MOST_CHARACTERS;
  if (entries.length > MOST_OPTIONS || !entries.every(isFit)) return undefined;
  return { ring, options: options as Record<string, string> };
}

// Keys of all sizes: small ones, request ids, and hashes of texts.
const SAMPLE = Array.from({ length: 256 }, (_, index) => Math.imul(index, 0x9e3779b1) >>> (index % 24));

/**
 * Eight hexadecimal digits that tell where a pair has keys, for one whose name says nothing: a module of the same path
 * may be another one on another machine. FNV-1a (Fowler, Noll, Vo) over the slots of 256 keys.
 */
export function pairDigest(pair: HashPair, slots: number): string {
  const digest = SAMPLE.reduce((hash, key) => {
    const slot = pair.requestSlot(key, slots);
    return Math.imul(Math.imul(hash ^ (slot & 0xffff), 0x01000193) ^ (slot >>> 16), 0x01000193);
  }, 0x811c9dc5);
  return (digest >>> 0).toString(16).padStart(8, '0');
}

function shown(value: string | undefined): string {
  if (value === undefined) return 'unknown';
  return value === '' ? 'empty' : value;
}
