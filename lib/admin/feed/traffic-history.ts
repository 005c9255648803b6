// What the counters of the data plane say over time: a row for each of the last seconds, and for each replica how it does now.
// Bounded: the rows by their number, the rest by that of the replicas.

import type { SeatId } from '../../core/ring/ring.ts';
import type { Counts, Reading, ReplicaReading } from '../../core/traffic/traffic.ts';

/** A second: time of day in ms, then requests, refused, failed (errors of replicas included), in flight, and p50, p90, p99 in ms. */
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
  /** In ms, of the last seconds. */
  readonly p50: number | null;
  readonly p99: number | null;
}

const MAX_ROWS = 300;
const SPREAD_ROWS = 60;
const NONE: Counts = { requests: 0, refused: 0, erred: 0, failed: 0, abandoned: 0 };

export class TrafficHistory {
  readonly #rows: Row[] = [];
  #total: Counts = NONE;
  #earlier = new Map<number, Counts>();
  #replicas: readonly ReplicaTraffic[] = [];
  #spread: ReadonlyMap<SeatId, number>[] = [];

  /** A look at the counters, `tookMs` after the one before; at `atMs`, time of day. */
  add(reading: Reading, atMs: number, tookMs: number): void {
    const { counts, inFlight, latency } = reading.total;
    const [requests, refused, failed] = ratesBetween(this.#total, counts, tookMs);
    const [p50, p90, p99] = [latency.p50, latency.p90, latency.p99].map(inMs) as [number, number, number];
    this.#rows.push([atMs, requests, refused, failed, inFlight, p50, p90, p99]);
    if (this.#rows.length > MAX_ROWS) this.#rows.shift();
    this.#total = counts;

    const landed = new Map<SeatId, number>();
    this.#replicas = reading.replicas.map((replica) => {
      const earlier = this.#earlier.get(replica.incarnation) ?? NONE;
      const count = replica.counts.requests - earlier.requests;
      landed.set(replica.seat, (landed.get(replica.seat) ?? 0) + count);
      return trafficOf(replica, earlier, tookMs);
    });
    this.#earlier = new Map(reading.replicas.map((replica) => [replica.incarnation, replica.counts]));
    this.#spread.push(landed);
    if (this.#spread.length > SPREAD_ROWS) this.#spread.shift();
  }

  /** Shares under one ring and under another must not be added up. */
  restartSpread(): void {
    this.#spread = [];
  }

  /** The oldest first, five minutes at most. */
  get rows(): readonly Row[] {
    return this.#rows;
  }

  get replicas(): readonly ReplicaTraffic[] {
    return this.#replicas;
  }

  /** Requests that ended at each seat over the last minute, if the ring is so old, and over how many seconds that was. */
  spread(): { seconds: number; seats: [SeatId, number][] } {
    const seats = new Map<SeatId, number>();
    for (const landed of this.#spread) {
      for (const [seat, count] of landed) seats.set(seat, (seats.get(seat) ?? 0) + count);
    }
    return { seconds: this.#spread.length, seats: [...seats] };
  }
}

function trafficOf(replica: ReplicaReading, earlier: Counts, tookMs: number): ReplicaTraffic {
  const { seat, incarnation, counts, inFlight, latency } = replica;
  const [rate] = ratesBetween(earlier, counts, tookMs);
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

// Per second: a look may come late.
function ratesBetween(before: Counts, after: Counts, tookMs: number): [number, number, number] {
  const rate = (count: number) => Math.round((count * 1000) / tookMs);
  return [
    rate(after.requests - before.requests),
    rate(after.refused - before.refused),
    rate(after.erred + after.failed - before.erred - before.failed),
  ];
}

function inMs(us: number | undefined): number | null {
  return us === undefined ? null : Math.round(us) / 1000;
}
