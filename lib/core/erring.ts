// Replicas whose heartbeats are good and whose answers are not: most of what they said in a window of time had a status from 500 up. That
// convicts nobody, since it may be the requests; it is worth a word.

import type { ReplicaRef } from './ports.ts';
import type { Counts, ReplicaReading } from './traffic.ts';

/** The counters are read again and again: what they have gained is looked at in windows of time, one after the other. */
export class ErringReplicas {
  readonly #windowMs: number;
  #sinceMs: number;
  // By incarnation, when the window began.
  #before = new Map<number, Counts>();
  #erring = new Set<number>();

  constructor(nowMs: number, windowMs = 10_000) {
    this.#sinceMs = nowMs;
    this.#windowMs = windowMs;
  }

  /** Of those, which erred in the last whole window. */
  among(replicas: readonly ReplicaRef[]): ReplicaRef[] {
    return replicas.filter((replica) => this.#erring.has(replica.incarnation));
  }

  /** A look: gives those that erred in the window that it ends, if it ends one. */
  look(replicas: readonly ReplicaReading[], nowMs: number): readonly ReplicaReading[] {
    if (nowMs - this.#sinceMs < this.#windowMs) return [];
    const found = replicas.filter((one) => hasErred(one.counts, this.#before.get(one.incarnation)));
    this.#sinceMs = nowMs;
    this.#before = new Map(replicas.map(({ incarnation, counts }) => [incarnation, counts]));
    this.#erring = new Set(found.map((one) => one.incarnation));
    return found;
  }
}

// A few may be chance.
const LEAST = 5;

function hasErred(now: Counts, before: Counts | undefined): boolean {
  const erred = now.erred - (before?.erred ?? 0);
  return erred >= LEAST && 2 * erred >= now.requests - (before?.requests ?? 0);
}
