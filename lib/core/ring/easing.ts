// Easing: while a replica answers more slowly than the others, or fails more of its requests, its seat gets a part of
// them, and the rest walks on round the ring. Which keys stay depends on the key alone, so that each moves away once as
// the share shrinks, and returns once as it grows. The ring itself does not change. Who is eased is decided in
// lib/core/traffic/outliers.ts.

import type { Route } from '../fleet/fleet-state.ts';
import type { ReplicaRef } from '../ports.ts';
import type { Finding } from '../traffic/comparison.ts';
import { mix32 } from './hashes/mixed.ts';
import type { Key } from './policy.ts';

/** A replica that gets a part of the requests that belong to its seat. */
export interface Eased {
  readonly replica: ReplicaRef;
  /** The part that it gets, above 0 and below 1. */
  readonly share: number;
  readonly why: Finding;
}

// Any word: the pair `mixed` makes slots of the key by the same function, and with it point and slot are unrelated.
const APART = 0x9e3779b9;

/** Where a key lies between 0 and 1: an eased seat gets those below its share. */
export function pointOf(key: Key): number {
  return mix32(key ^ APART) / 2 ** 32;
}

/**
 * Those that may be eased together: a third of the replicas that take requests at most, by number and by weight, since
 * the others have to take what they do not.
 * @param outliers the worst first.
 */
export function withinThird<One extends Pick<Eased, 'replica'>>(
  outliers: readonly One[],
  routes: readonly Route[],
): One[] {
  const weights = new Map(routes.map(({ replica, weight }) => [replica.incarnation, weight]));
  let places = Math.floor(weights.size / 3);
  let weightLeft = routes.reduce((sum, { weight }) => sum + weight, 0) / 3;
  return outliers.filter(({ replica }) => {
    const weight = weights.get(replica.incarnation) ?? Number.POSITIVE_INFINITY;
    if (places === 0 || weight > weightLeft) return false;
    places -= 1;
    weightLeft -= weight;
    return true;
  });
}

/** Why a replica is eased, for people: `slow: 304 ms, others 12 ms`. */
export function reasonText(why: Finding): string {
  const percent = (part: number) => `${Math.round(part * 100)} %`;
  return why.type === 'slow'
    ? `slow: ${Math.round(why.ms)} ms, others ${Math.round(why.othersMs)} ms`
    : `fails: ${percent(why.part)}, others ${percent(why.othersPart)}`;
}

/** A share as a fraction: `1/8`. */
export function shareText(share: number): string {
  return `1/${Math.round(1 / share)}`;
}
