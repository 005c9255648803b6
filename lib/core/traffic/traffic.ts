// What is counted of the traffic: by replica and in all. Counting is a few additions of whole numbers for each request; what is
// made of the numbers is for whoever reads them, once a second.

import type { SeatId } from '../ring/ring.ts';
import { Histogram } from './histogram.ts';

/** Requests since the start, by how they ended. The first includes the others. */
export interface Counts {
  readonly requests: number;
  /** The replica's reply had a status from 400 to 499. */
  readonly refused: number;
  /** It had a status from 500 up. */
  readonly erred: number;
  /** The balancer had to answer itself, or to cut the reply. */
  readonly failed: number;
  /** The client went away before it had the reply, or its request was at fault. */
  readonly abandoned: number;
}

/** How long requests took, in µs; `undefined` where there were none. */
export interface Latency {
  readonly p50: number | undefined;
  readonly p90: number | undefined;
  readonly p99: number | undefined;
}

/** One look at the counters. */
export interface Reading {
  /** Of the time since the last look. */
  readonly total: { readonly counts: Counts; readonly inFlight: number; readonly latency: Latency };
  /** Of those that take requests or have some left; latency of the last few seconds. */
  readonly replicas: readonly ReplicaReading[];
}

export interface ReplicaReading {
  readonly seat: SeatId;
  readonly incarnation: number;
  readonly counts: Counts;
  readonly inFlight: number;
  readonly latency: Latency;
}

/** The counters of one replica, or of all. */
export class Tally {
  #requests = 0;
  #refused = 0;
  #erred = 0;
  #failed = 0;
  #abandoned = 0;
  readonly #times = new Histogram();

  /** @param status of a replica's reply. */
  countReply(status: number): void {
    this.#requests += 1;
    if (status >= 500) this.#erred += 1;
    else if (status >= 400) this.#refused += 1;
  }

  countLoss(how: 'failed' | 'abandoned'): void {
    this.#requests += 1;
    if (how === 'failed') this.#failed += 1;
    else this.#abandoned += 1;
  }

  /** @param weight how many requests the one that was timed stands for. */
  time(tookMs: number, weight: number): void {
    this.#times.record(tookMs * 1000, weight);
  }

  get counts(): Counts {
    return {
      requests: this.#requests,
      refused: this.#refused,
      erred: this.#erred,
      failed: this.#failed,
      abandoned: this.#abandoned,
    };
  }

  /** The times so far, which from here on count only so much. */
  takeLatency(keep: number): Latency {
    const [p50, p90, p99] = [0.5, 0.9, 0.99].map((part) => this.#times.percentile(part));
    this.#times.fade(keep);
    return { p50, p90, p99 };
  }
}
