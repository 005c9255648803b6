// One fleet under one hash and one bound, to which the requests of a log go: what each replica would have had to do.

import { RequestDealer } from '../request/request-dealer.ts';
import type { HashPair } from '../ring/hashes/hash-pair.ts';
import { type Key, type RingPolicy, ringPolicy } from '../ring/policy.ts';
import { requestIdAt } from '../ring/request-ids.ts';
import type { SeatId } from '../ring/ring.ts';
import { RingKeeper } from '../ring/ring-keeper.ts';
import { MOST_FLIGHTS } from './flights.ts';
import { HitCurve } from './hit-curve.ts';
import { type Bound, placeOf, SeatLoads } from './placing.ts';
import type { Series, Timeline } from './timeline.ts';

/** Which seats there are from when on. */
export interface FleetAt {
  readonly fromMs: number;
  readonly seats: readonly SeatId[];
  /** What they hold on the ring; by default each has the place of its number. */
  readonly places?: ReadonlyMap<number, SeatId>;
}

/** A hash pair with its name. */
export interface NamedPair {
  readonly name: string;
  readonly pair: HashPair;
}

export interface Situation extends Bound {
  readonly name: string;
  readonly hash: NamedPair;
  /** By time, at least one; the first one also holds before its time. */
  readonly fleets: readonly FleetAt[];
}

/** M and K. */
export interface RingSize {
  readonly slots: number;
  readonly virtualNodes: number;
}

/** A request of a log. */
export interface LoggedRequest {
  readonly startMs: number;
  readonly endMs: number;
  /** What it was hashed by; without a key of its own, its request id. */
  readonly key: Key;
  /** It has a key. Otherwise it belongs nowhere. */
  readonly isKeyed: boolean;
  /** What a cache would have for it, as a number: a hash of 32 bits. */
  readonly object: number;
  /** Size of that, a whole number from 1. */
  readonly sizeBytes: number;
  /** Who took it, if the log says so. */
  readonly seat: SeatId | undefined;
  /** What a person knows its key by. */
  readonly label: string;
}

/** A request that is played, with what all scenarios need of it. */
export interface Played {
  readonly request: LoggedRequest;
  readonly interval: number;
  /** Its number among those in flight. */
  readonly flight: number;
  /** Where its object lies in the sample; `undefined` if it is in none. */
  readonly point: number | undefined;
  readonly rate: number;
}

/** What one seat had to do. */
export interface SeatWork {
  readonly seat: SeatId;
  requests: number;
  bytes: number;
  /** Time in which its requests were in flight, in ms, summed up. */
  busyMs: number;
  peakInFlight: number;
  /** Requests that belonged to it and went elsewhere, as it was full by the bound. */
  spilled: number;
  readonly curve: HitCurve;
}

// The row of a request for which there was no seat.
const NOWHERE = 0xffff;

export class Scenario {
  readonly situation: Situation;
  readonly work: readonly SeatWork[];
  /** Requests in each interval, a row for each of `work`. */
  readonly series: Series;
  /** Estimated misses of the first asked cache in each interval; the same rows. */
  readonly misses: Series;
  readonly #rows = new Map<SeatId, number>();
  readonly #policies: readonly {
    readonly fromMs: number;
    readonly seats: readonly SeatId[];
    readonly policy: RingPolicy;
  }[];
  readonly #loads: SeatLoads;
  readonly #dealer: RequestDealer;
  readonly #rowOf = new Uint16Array(MOST_FLIGHTS);
  readonly #cacheBytes: number;
  #at = 0;
  #dealt = 0;

  /** @param sizes of caches, ascending. @param cacheBytes the one whose misses are told over time. */
  constructor(situation: Situation, size: RingSize, timeline: Timeline, sizes: Float64Array, cacheBytes: number) {
    this.situation = situation;
    this.#cacheBytes = cacheBytes;
    const keeper = new RingKeeper({ ...size, pair: situation.hash.pair, slowStartMs: 0 });
    this.#policies = situation.fleets.map(({ fromMs, seats, places }) => {
      const ring = keeper.build(places ?? new Map(seats.map((seat) => [seat, seat])));
      return { fromMs, seats, policy: ringPolicy(ring, situation.hash.pair) };
    });
    const seats = [...new Set(situation.fleets.flatMap((fleet) => fleet.seats))].sort((a, b) => a - b);
    for (const [row, seat] of seats.entries()) this.#rows.set(seat, row);
    this.work = seats.map((seat) => ({
      ...{ seat, requests: 0, bytes: 0, busyMs: 0, peakInFlight: 0, spilled: 0 },
      curve: new HitCurve(sizes),
    }));
    this.series = timeline.series(seats.length);
    this.misses = timeline.series(seats.length);
    this.#loads = new SeatLoads(situation, (situation.fleets[0] as FleetAt).seats);
    this.#dealer = new RequestDealer(() => requestIdAt(0, this.#dealt++));
  }

  /** What requests of that time go by. */
  policyAt(atMs: number): RingPolicy {
    let next = this.#policies[this.#at + 1];
    while (next !== undefined && atMs >= next.fromMs) {
      this.#at += 1;
      this.#loads.change(next.seats);
      next = this.#policies[this.#at + 1];
    }
    return this.#policies[this.#at]?.policy as RingPolicy;
  }

  /** The policies of its fleets, in turn. */
  get policies(): readonly RingPolicy[] {
    return this.#policies.map(({ policy }) => policy);
  }

  /** Entries of all its stacks. */
  get entries(): number {
    return this.work.reduce((sum, { curve }) => sum + curve.entries, 0);
  }

  /** Times may not fall. Gives the seat that the request gets; `undefined` if there is no seat. */
  play({ request, interval, flight, point, rate }: Played): SeatId | undefined {
    const policy = this.policyAt(request.startMs);
    const key = this.#keyOf(request, policy);
    const seat = placeOf(policy, key, this.#loads);
    this.#rowOf[flight] = NOWHERE;
    if (seat === undefined) return undefined;
    this.#spill(policy, key, seat);
    const row = this.#rows.get(seat) as number;
    const work = this.work[row] as SeatWork;
    work.requests += 1;
    work.bytes += request.sizeBytes;
    work.busyMs += request.endMs - request.startMs;
    this.#loads.begin(seat);
    work.peakInFlight = Math.max(work.peakInFlight, this.#loads.inFlightAt(seat));
    this.#rowOf[flight] = row;
    this.series.add(row, interval, 1);
    work.curve.count();
    if (point !== undefined) {
      const needed = work.curve.touch(request.object, point, request.sizeBytes, rate);
      if (needed > this.#cacheBytes) this.misses.add(row, interval, 1 / rate);
    }
    return seat;
  }

  /** The request with that number is over. */
  end(flight: number): void {
    const row = this.#rowOf[flight] as number;
    if (row !== NOWHERE) this.#loads.end((this.work[row] as SeatWork).seat);
  }

  /** Only those objects are in the sample from now on. */
  keep(isKept: (object: number) => boolean): void {
    for (const { curve } of this.work) curve.keep(isKept);
  }

  // A request without a key is dealt an id, as the balancer deals them. Without a bound the one that it had is as good.
  #keyOf({ isKeyed, key }: LoggedRequest, policy: RingPolicy): Key {
    if (isKeyed || this.situation.factor === Number.POSITIVE_INFINITY) return key;
    return this.#dealer.deal((id) => policy.pick(id, () => true), this.#loads.hasRoom);
  }

  #spill(policy: RingPolicy, key: Key, taken: SeatId): void {
    if (this.situation.factor === Number.POSITIVE_INFINITY) return;
    const owner = policy.pick(key, () => true) as SeatId;
    if (owner !== taken) (this.work[this.#rows.get(owner) as number] as SeatWork).spilled += 1;
  }
}
