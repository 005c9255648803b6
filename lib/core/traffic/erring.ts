// Finds replicas with good heartbeats but bad replies: in a window of time, most of their replies had a status from 500
// up. The requests may be to blame, so nobody is convicted, but operators are told.

import type { ReplicaRef } from '../ports.ts';
import { countsSince, NO_COUNTS, type ReplicaCounters } from './counters.ts';
import type { Counts } from './traffic.ts';

/**
 * Looks at what the counters have gained, in one window of time after the other. A replica that errs is told as soon as
 * it shows, once in each window. Each reader of the counters has its own instance.
 */
export class ErringReplicas {
  readonly #windowMs: number;
  #sinceMs: number;
  // Counts at the start of the window, by incarnation.
  #before = new Map<number, Counts>();
  // Incarnations that erred in the last whole window, and in this one so far.
  #erred: ReadonlySet<number> = new Set();
  #errs: ReadonlySet<number> = new Set();
  #told = new Set<number>();

  constructor(nowMs: number, windowMs = 10_000) {
    this.#sinceMs = nowMs;
    this.#windowMs = windowMs;
  }

  /** Those of `replicas` that err now, or erred in the last whole window. */
  among(replicas: readonly ReplicaRef[]): ReplicaRef[] {
    return replicas.filter(({ incarnation }) => this.#errs.has(incarnation) || this.#erred.has(incarnation));
  }

  /** Takes a look at the counters. Gives the replicas that err and were not told in this window yet. */
  look(replicas: readonly ReplicaCounters[], nowMs: number): readonly ReplicaCounters[] {
    const found = replicas.filter((one) => hasErred(one.counts, this.#before.get(one.incarnation)));
    const untold = found.filter((one) => !this.#told.has(one.incarnation));
    this.#errs = new Set(found.map((one) => one.incarnation));
    for (const { incarnation } of untold) this.#told.add(incarnation);
    if (nowMs - this.#sinceMs >= this.#windowMs) {
      this.#sinceMs = nowMs;
      this.#before = new Map(replicas.map(({ incarnation, counts }) => [incarnation, counts]));
      this.#erred = this.#errs;
      this.#errs = new Set();
      this.#told.clear();
    }
    return untold;
  }
}

// Fewer may be chance.
const LEAST = 5;

function hasErred(now: Counts, before: Counts = NO_COUNTS): boolean {
  const { requests, erred } = countsSince(before, now);
  return erred >= LEAST && 2 * erred >= requests;
}
