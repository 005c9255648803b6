// Explains why a request goes where it goes: its slot, the seats in the order of the ring, and what speaks against
// each. It uses the order and the objections by which the proxy picks, so that it tells what would really happen.

import type { Eased } from './easing.ts';
import type { Key, RingPolicy } from './policy.ts';
import type { SeatId } from './ring.ts';

/**
 * What may speak against a seat, the least first. The proxy takes the first seat with the least objection, unless that
 * is `absent`.
 */
export const OBJECTIONS = ['none', 'busy', 'eased', 'suspected', 'absent'] as const;
/**
 * `busy`: the seat has its part of the load. `eased`: its replica stands out as slow or erring, and this key is not in
 * the share that it gets. `suspected`: something failed there, and it has not answered since.
 * `absent`: no replica takes requests there.
 */
export type Objection = (typeof OBJECTIONS)[number];

/** What is in flight at a seat weighs so much, and it takes a request without a body while that is less than `most`. */
export interface SeatWeight {
  readonly seat: SeatId;
  readonly weight: number;
  /** Infinity for no bound. */
  readonly most: number;
}

export interface Explanation {
  readonly key: Key;
  readonly slot: number;
  /** All seats, in the order in which they are asked; the first one is the owner. */
  readonly order: readonly SeatId[];
  readonly skipped: readonly { readonly seat: SeatId; readonly why: Objection }[];
  /** The seat that gets the request, if any does. */
  readonly taken: SeatId | undefined;
  /** Replicas that get a part of their requests only, and why. */
  readonly eased: readonly Eased[];
  /** By seats in that order; only where requests have weights. */
  readonly weights?: readonly SeatWeight[];
}

export function explain(
  policy: RingPolicy,
  key: Key,
  objection: (seat: SeatId) => Objection,
  eased: readonly Eased[] = [],
): Explanation {
  const order: SeatId[] = [];
  policy.pick(key, (seat) => {
    order.push(seat);
    return false;
  });
  const objections = order.map((seat) => ({ seat, why: objection(seat) }));
  const least = OBJECTIONS.find((level) => objections.some((one) => one.why === level));
  const taken = least === 'absent' ? undefined : objections.find((one) => one.why === least)?.seat;
  const skipped = taken === undefined ? objections : objections.slice(0, order.indexOf(taken));
  return { key, slot: policy.slotOf(key), order, skipped, taken, eased };
}
