// A policy gives each key an order of preference, and the caller filters it. Health, load and what was tried already
// are all one `accept`, so that each of these rules works with every policy. A policy is built anew when the wanted
// seats change.

import { type HashPair, modulo } from './hashes/hash-pair.ts';
import type { HashRing, SeatId } from './ring.ts';

/** What a request is hashed by: its request id, or the 32-bit hash of a text (lib/proxy/keys/). A whole number ≥ 0. */
export type Key = number;

export interface Policy {
  /** The first seat in the order of `key` that `accept` takes; `undefined` if there is none. */
  pick(key: Key, accept: (seat: SeatId) => boolean): SeatId | undefined;
}

export interface RingPolicy extends Policy {
  readonly ring: HashRing;
  /** The slot of a key, 0 … M-1. */
  slotOf(key: Key): number;
}

/** The same order, but that seat comes before all others. */
export function homeFirst(policy: RingPolicy, home: SeatId): RingPolicy {
  const others = (accept: (seat: SeatId) => boolean) => (seat: SeatId) => seat !== home && accept(seat);
  return { ...policy, pick: (key, accept) => (accept(home) ? home : policy.pick(key, others(accept))) };
}

/** Consistent hashing: takes seats in the order in which they come clockwise of the key's slot. */
export function ringPolicy(ring: HashRing, pair: HashPair): RingPolicy {
  const slots = ring.slotCount;
  const slotOf = (key: Key) => modulo(pair.requestSlot(key, slots), slots);
  return { ring, slotOf, pick: (key, accept) => ring.walk(slotOf(key), accept) };
}
