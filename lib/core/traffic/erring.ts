// Replicas whose heartbeats are good and whose answers are not: most of what they said in a window of time had a status from 500 up. That
// convicts nobody, since it may be the requests; it is worth a word.

import type { ReplicaRef } from '../ports.ts';
import { countsSince, NO_COUNTS, type ReplicaCounters } from './counters.ts';
import type { Counts } from './traffic.ts';

/**
 * What the counters have gained is looked at in windows of time, one after the other. Who errs is told as soon as it
 * shows, once in each window. Each reader of the counters has one of these, and none knows of another.
 */
export class ErringReplicas {
  readonly #windowMs: number;
  #sinceMs: number;
  // By incarnation, when the window began.
  #before = new Map<number, Counts>();
  // In the last whole window, and in this one so far.
  #erred: ReadonlySet<number> = new Set();
  #errs: ReadonlySet<number> = new Set();
  #told = new Set<number>();

  constructor(nowMs: number, windowMs = 10_000) {
    this.#sinceMs = nowMs;
    this.#windowMs = windowMs;
  }

  /** Of those, which err, or erred in the last whole window. */
  among(replicas: readonly ReplicaRef[]): ReplicaRef[] {
    return replicas.filter(({ incarnation }) => this.#errs.has(incarnation) || this.#erred.has(incarnation));
  }

  /** A look: gives those that err and were not given in this window yet. */
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

// A few may be chance.
const LEAST = 5;

function hasErred(now: Counts, before: Counts = NO_COUNTS): boolean {
  const { requests, erred } = countsSince(before, now);
  return erred >= LEAST && 2 * erred >= requests;
}
