// What the counters of the data plane say over time: a row for each of the last seconds, and the present state of each
// replica. Bounded by the number of rows and of replicas.

import type { SeatId } from '../../core/ring/ring.ts';
import {
  type Counters,
  countersSince,
  type Latency,
  latencyOf,
  noCounters,
  type ReplicaCounters,
} from '../../core/traffic/counters.ts';
import { Histogram } from '../../core/traffic/histogram.ts';
import type { Counts } from '../../core/traffic/traffic.ts';

/**
 * One second. `refused` are replies from 400 to 499, `failed` includes replies from 500 up. The percentiles are in ms.
 */
export type Row = readonly [
  atMs: number,
  requests: number,
  refused: number,
  failed: number,
  inFlight: number,
  p50: number | null,
  p90: number | null,
  p99: number | null,
];

export interface ReplicaTraffic {
  readonly seat: SeatId;
  readonly incarnation: number;
  /** Requests in the last second. */
  readonly rate: number;
  readonly inFlight: number;
  readonly requests: number;
  readonly refused: number;
  readonly failed: number;
  /** In ms, over the last seconds. */
  readonly p50: number | null;
  readonly p99: number | null;
}

const MAX_ROWS = 300;
const SPREAD_ROWS = 60;
// What a replica's times still count for at the next look. It makes half of what is shown come from the last three
// seconds.
const KEPT_PER_LOOK = 0.8;

export class TrafficHistory {
  readonly #rows: Row[] = [];
  #last = noCounters();
  // What the last look found at each replica, and what of it is new.
  #replicas: readonly { readonly now: ReplicaCounters; readonly gained: Counts }[] = [];
  #tookMs = 0;
  // By incarnation.
  #times = new Map<number, Histogram>();
  #spread: ReadonlyMap<SeatId, number>[] = [];
  // What the next look finds is in part from before the spread began anew.
  #skipsNext = false;

  /** Takes a look at the counters. @param atMs time of day. @param tookMs time since the look before. */
  add(counters: Counters, atMs: number, tookMs: number): void {
    const { total, replicas } = countersSince(this.#last, counters);
    const [requests, refused, failed] = ratesOf(total.counts, tookMs);
    const { p50, p90, p99 } = latencyOf(new Histogram(total.times));
    this.#rows.push([atMs, requests, refused, failed, total.inFlight, inMs(p50), inMs(p90), inMs(p99)]);
    if (this.#rows.length > MAX_ROWS) this.#rows.shift();

    this.#times = new Map(replicas.map((replica) => [replica.incarnation, this.#timesOf(replica)]));
    const landed = new Map<SeatId, number>();
    this.#replicas = replicas.map(({ seat, counts }, index) => {
      landed.set(seat, (landed.get(seat) ?? 0) + counts.requests);
      return { now: counters.replicas[index] as ReplicaCounters, gained: counts };
    });
    this.#tookMs = tookMs;
    this.#last = counters;
    if (!this.#skipsNext) this.#spread.push(landed);
    this.#skipsNext = false;
    if (this.#spread.length > SPREAD_ROWS) this.#spread.shift();
  }

  /**
   * Forgets the spread, since shares under two different rings, or of different replicas, must not be added up. The
   * second under way, which has both, is left out.
   */
  restartSpread(): void {
    this.#spread = [];
    this.#skipsNext = true;
  }

  /** The oldest first, five minutes at most. */
  get rows(): readonly Row[] {
    return this.#rows;
  }

  /** Worked out when asked for: for a thousand replicas that takes as long as some hundred requests. */
  get replicas(): readonly ReplicaTraffic[] {
    return this.#replicas.map(({ now, gained }) => {
      const latency = latencyOf(this.#times.get(now.incarnation) as Histogram);
      return trafficOf(now, gained, latency, this.#tookMs);
    });
  }

  /** Requests that ended at each seat, and over how many seconds: a minute, or less if the ring is younger. */
  spread(): { seconds: number; seats: [SeatId, number][] } {
    const seats = new Map<SeatId, number>();
    for (const landed of this.#spread) {
      for (const [seat, count] of landed) seats.set(seat, (seats.get(seat) ?? 0) + count);
    }
    return { seconds: this.#spread.length, seats: [...seats] };
  }

  // Times of earlier looks fade, and those since the last look are added at full weight.
  #timesOf({ incarnation, times }: ReplicaCounters): Histogram {
    const known = this.#times.get(incarnation) ?? new Histogram();
    known.fade(KEPT_PER_LOOK);
    known.add(times);
    return known;
  }
}

function trafficOf(replica: ReplicaCounters, gained: Counts, latency: Latency, tookMs: number): ReplicaTraffic {
  const { seat, incarnation, counts, inFlight } = replica;
  const [rate] = ratesOf(gained, tookMs);
  const failed = counts.erred + counts.failed;
  const { requests, refused } = counts;
  return {
    seat,
    incarnation,
    rate,
    inFlight,
    requests,
    refused,
    failed,
    p50: inMs(latency.p50),
    p99: inMs(latency.p99),
  };
}

// Per second. The time is needed since a look may come late.
function ratesOf({ requests, refused, erred, failed }: Counts, tookMs: number): [number, number, number] {
  const rate = (count: number) => Math.round((count * 1000) / tookMs);
  return [rate(requests), rate(refused), rate(erred + failed)];
}

function inMs(us: number | undefined): number | null {
  return us === undefined ? null : Math.round(us) / 1000;
}
