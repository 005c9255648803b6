// What the data plane has counted, as plain data that survives structuredClone. Counters of several planes can be added
// up. Reading takes nothing from them: for a span of time, take the difference of two looks.

import type { SeatId } from '../ring/ring.ts';
import { BUCKETS, type Histogram } from './histogram.ts';
import type { Counts } from './traffic.ts';

/** Counted at one replica, or at all. */
export interface Counted {
  readonly counts: Counts;
  /** Requests that hold a place now. Unlike the rest, this is no sum over time. */
  readonly inFlight: number;
  /** The buckets of a histogram of times in µs. */
  readonly times: Float64Array;
}

export interface ReplicaCounters extends Counted {
  readonly seat: SeatId;
  readonly incarnation: number;
}

/** Since the start, or between two looks. */
export interface Counters {
  /** All requests, including those at replicas that have gone and those that no replica got. */
  readonly total: Counted;
  /** How often the bound on load has sent a request past its owner. */
  readonly diverted: number;
  /** Replicas that take requests, or have some left. */
  readonly replicas: readonly ReplicaCounters[];
}

/** How long requests took, in µs; `undefined` if there were none. */
export interface Latency {
  readonly p50: number | undefined;
  readonly p90: number | undefined;
  readonly p99: number | undefined;
}

export const NO_COUNTS: Counts = { requests: 0, refused: 0, erred: 0, failed: 0, abandoned: 0 };

/** The counters of a plane that has just begun. */
export function noCounters(): Counters {
  return { total: nothing(), diverted: 0, replicas: [] };
}

/** The counters of two planes together. Replicas come in the order of their incarnations. */
export function mergeCounters(one: Counters, other: Counters): Counters {
  const merged = new Map(one.replicas.map((replica) => [replica.incarnation, replica]));
  for (const replica of other.replicas) {
    const same = merged.get(replica.incarnation);
    merged.set(replica.incarnation, same === undefined ? replica : { ...replica, ...sumOf(same, replica) });
  }
  return {
    total: sumOf(one.total, other.total),
    diverted: one.diverted + other.diverted,
    replicas: [...merged.values()].sort((a, b) => a.incarnation - b.incarnation),
  };
}

/**
 * What was counted between two looks. Replicas, their order and what is in flight come from the later look. A number
 * that went down counts as unchanged: if a plane has ended, what it counted may be gone.
 */
export function countersSince(before: Counters, after: Counters): Counters {
  const earlier = new Map(before.replicas.map((replica) => [replica.incarnation, replica]));
  return {
    total: differenceOf(before.total, after.total),
    diverted: gained(before.diverted, after.diverted),
    replicas: after.replicas.map((replica) => {
      const known = earlier.get(replica.incarnation);
      return known === undefined ? replica : { ...replica, ...differenceOf(known, replica) };
    }),
  };
}

/** Does for counts alone what `countersSince` does. */
export function countsSince(before: Counts, after: Counts): Counts {
  return eachOf(before, after, gained);
}

export function latencyOf(times: Histogram): Latency {
  return { p50: times.percentile(0.5), p90: times.percentile(0.9), p99: times.percentile(0.99) };
}

function nothing(): Counted {
  return { counts: NO_COUNTS, inFlight: 0, times: new Float64Array(BUCKETS) };
}

function sumOf(one: Counted, other: Counted): Counted {
  return {
    counts: eachOf(one.counts, other.counts, plus),
    inFlight: one.inFlight + other.inFlight,
    times: one.times.map((weight, bucket) => weight + (other.times[bucket] as number)),
  };
}

function differenceOf(before: Counted, after: Counted): Counted {
  return {
    counts: countsSince(before.counts, after.counts),
    inFlight: after.inFlight,
    times: timesGained(before.times, after.times),
  };
}

// A loop, since of a thousand replicas there are half a million buckets each second.
function timesGained(before: Float64Array, after: Float64Array): Float64Array {
  const times = new Float64Array(BUCKETS);
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    times[bucket] = gained(before[bucket] as number, after[bucket] as number);
  }
  return times;
}

function eachOf(one: Counts, other: Counts, of: (a: number, b: number) => number): Counts {
  return {
    requests: of(one.requests, other.requests),
    refused: of(one.refused, other.refused),
    erred: of(one.erred, other.erred),
    failed: of(one.failed, other.failed),
    abandoned: of(one.abandoned, other.abandoned),
  };
}

function plus(one: number, other: number): number {
  return one + other;
}

function gained(before: number, after: number): number {
  return Math.max(0, after - before);
}
