// Decides what those who watch are told, and when: first a snapshot, then changes of the fleet within 50 ms, the
// traffic once a second, and where requests land at most 20 times a second. It looks at the counters every second,
// watched or not, so that whoever comes sees the last minutes. Everything else rests while nobody watches.

import type { ServerResponse } from 'node:http';
import type { AutoscaleView } from '../../core/autoscale-view.ts';
import { emptyFleet, type FleetState, placesOf, routes, stateOf } from '../../core/fleet/fleet-state.ts';
import { complaintOf, failsOpen } from '../../core/fleet/outage.ts';
import type { Clock, ReplicaRef } from '../../core/ports.ts';
import type { Poison } from '../../core/request/poison.ts';
import { type Eased, reasonText, shareText } from '../../core/ring/easing.ts';
import type { HashRing } from '../../core/ring/ring.ts';
import type { Counters } from '../../core/traffic/counters.ts';
import type { Landings } from '../../core/traffic/landings.ts';
import { BalancerError } from '../../errors.ts';
import type { LoadFacts } from '../load/load-generator.ts';
import { EventLog, shortReason } from './event-log.ts';
import { EventStream, formatEvent } from './event-stream.ts';
import { TrafficHistory } from './traffic-history.ts';

export interface FeedPorts {
  readonly clock: Clock;
  /** Time of day, in ms since 1970. */
  readonly timeOfDay: () => number;
  /** Everything counted since the start. A look that fails is skipped; the next one makes up for it. */
  readonly counters: () => Promise<Counters>;
  /** Gets each look at the counters. Gives the replicas that are found to err by it. */
  readonly erring: (counters: Counters, nowMs: number) => readonly ReplicaRef[];
  /** Replicas that get a part of their requests only: the same object while nothing changes. */
  readonly eased: () => readonly Eased[];
  /**
   * Landings since the look that ended at `after`. Asked for only while somebody watches. May fail as `counters` may.
   */
  readonly landings: (after: number) => Promise<Landings>;
  /** Requests that are refused, since replicas ended that had them. */
  readonly quarantined: () => Poison['quarantined'];
  /** Other balancers of the same service, and in what they differ from this one. */
  readonly peers: () => readonly { readonly url: string; readonly differs: readonly string[] }[];
  /** What the built-in load is doing. */
  readonly load: () => LoadFacts;
  /** What there is to show of autoscaling; `undefined` if it is off. */
  readonly autoscale: () => AutoscaleView | undefined;
  /** What is shown as it is. Only the hash may change, together with the ring. */
  readonly about: {
    readonly hash: string;
    readonly virtualNodes: number;
    readonly maxReplicas: number;
    /** If not, each new one has to be given with its address. */
    readonly startsReplicas: boolean;
    /** The replicas are those of the sample service, whose pages are known. */
    readonly isSample: boolean;
    /** Requests go on even if no replica passes its heartbeats. */
    readonly failOpen: boolean;
  };
}

/** Somebody who watches, and what their page may do. */
export interface Watcher {
  /** The address as far as it can be trusted: a trusted proxy may have said it. */
  readonly address: string;
  /** The page has an origin of its own, so that no other page's script can read what is typed there. */
  readonly alone: boolean;
  /** Why the page may not change anything; `undefined` if it may. */
  readonly looksOnlyBecause: string | undefined;
}

const SECOND_MS = 1000;
const FLUSH_MS = 50;

export class LiveFeed {
  readonly #ports: FeedPorts;
  readonly #stream: EventStream;
  readonly #log = new EventLog();
  readonly #history = new TrafficHistory();
  #state: FleetState = emptyFleet(0);
  #ring: HashRing | undefined;
  // What the watchers have been told so far.
  #toldState = this.#state;
  #toldRing: HashRing | undefined;
  #toldEntry = 0;
  #toldEased: readonly Eased[] = [];
  #shownRing: HashRing | undefined;
  #ringText = '';
  #watching = new AbortController();
  readonly #closed = new AbortController();

  constructor(ports: FeedPorts) {
    this.#ports = ports;
    this.#stream = new EventStream((watched) => this.#onWatched(watched));
  }

  /** Starts to look at the counters. Call it once, when the balancer starts. */
  begin(): void {
    void this.#lookEverySecond();
  }

  /**
   * The fleet or its ring has changed. Watchers are told soon, but not at once, since many changes may come together.
   */
  fleetChanged(state: FleetState, ring: HashRing): void {
    this.#log.add(this.#state, state, this.#ports.timeOfDay());
    // Shares are of those who take requests: a joiner has none before it serves, though it is on the ring.
    if (ring !== this.#ring || takers(state) !== takers(this.#state)) this.#history.restartSpread();
    this.#state = state;
    this.#ring = ring;
  }

  /** Turns the response into an event stream. Throws `too-many-watchers` or `closing`. */
  watch(response: ServerResponse, { address, alone, looksOnlyBecause }: Watcher): void {
    if (this.#closed.signal.aborted) throw new BalancerError('closing', 'the balancer is shutting down');
    const snapshot = {
      ...this.#ports.about,
      looksOnlyBecause,
      alone,
      nowMs: this.#ports.timeOfDay(),
      fleet: this.#fleetNow(),
      log: this.#log.since(0),
      rows: this.#history.rows,
      ...this.#trafficNow(),
    };
    this.#stream.add(response, address, formatEvent('snapshot', snapshot, { ring: this.#ringNow() }));
  }

  close(): void {
    this.#closed.abort();
    this.#watching.abort();
    this.#stream.end();
  }

  #onWatched(watched: boolean): void {
    this.#watching.abort();
    if (!watched || this.#closed.signal.aborted) return;
    this.#watching = new AbortController();
    this.#toldState = this.#state;
    this.#toldRing = this.#ring;
    this.#toldEntry = this.#log.last;
    this.#toldEased = this.#ports.eased();
    void this.#tellLandingsWhileWatched(this.#watching.signal);
    void this.#tellFleetWhileWatched(this.#watching.signal);
  }

  async #tellLandingsWhileWatched(signal: AbortSignal): Promise<void> {
    // The first look makes landings be noted. What landed before it is not for those who come now.
    let seen: Landings | undefined;
    for (;;) {
      const now = await this.#ports.landings(seen?.last ?? 0).catch(() => undefined);
      if (signal.aborted) return;
      const landed = seen === undefined || now === undefined ? 0 : now.landed - seen.landed;
      if (now !== undefined && landed > 0) this.#stream.send(formatEvent('sparks', { landed, told: now.told }));
      seen = now ?? seen;
      await this.#ports.clock.sleep(FLUSH_MS, signal).catch(() => undefined);
      if (signal.aborted) return;
    }
  }

  // A loop of its own, so that news of the fleet never waits for the data plane.
  async #tellFleetWhileWatched(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#ports.clock.sleep(FLUSH_MS, signal).catch(() => undefined);
      if (signal.aborted) return;
      const eased = this.#ports.eased();
      const isNews = this.#log.last !== this.#toldEntry || this.#state !== this.#toldState || eased !== this.#toldEased;
      if (!isNews && this.#ring === this.#toldRing) continue;
      const { hash } = this.#ports.about;
      const log = this.#log.since(this.#toldEntry);
      const fleet = { ...this.#fleetNow(), hash, log, spread: this.#history.spread() };
      const ring = this.#ring === this.#toldRing ? {} : { ring: this.#ringNow() };
      this.#stream.send(formatEvent('fleet', fleet, ring));
      this.#toldState = this.#state;
      this.#toldRing = this.#ring;
      this.#toldEntry = this.#log.last;
      this.#toldEased = eased;
    }
  }

  async #lookEverySecond(): Promise<void> {
    const { clock, timeOfDay } = this.#ports;
    const { signal } = this.#closed;
    let lastMs = clock.now();
    for (;;) {
      // Sleeps until the next full second of the clock. Sleeping a second after each look would make the rows drift.
      await clock.sleep(SECOND_MS - (clock.now() % SECOND_MS), signal).catch(() => undefined);
      if (signal.aborted) return;
      // A timer may be a little early, and the last answer may have been late.
      if (clock.now() - lastMs < SECOND_MS / 2) continue;
      const counters = await this.#ports.counters().catch(() => undefined);
      if (signal.aborted) return;
      if (counters === undefined) continue;
      const nowMs = clock.now();
      this.#history.add(counters, timeOfDay(), nowMs - lastMs);
      for (const replica of this.#ports.erring(counters, nowMs)) this.#log.addErring(replica, timeOfDay());
      lastMs = nowMs;
      if (!this.#stream.isWatched) continue;
      this.#stream.dropLate();
      const row = this.#history.rows.at(-1);
      this.#stream.send(formatEvent('traffic', { row, ...this.#trafficNow() }));
    }
  }

  #trafficNow() {
    const quarantined = this.#ports.quarantined();
    const parted = this.#ports.peers().filter(({ differs }) => differs.length > 0);
    const [load, autoscale] = [this.#ports.load(), this.#ports.autoscale()];
    return { traffic: this.#history.replicas, spread: this.#history.spread(), quarantined, parted, load, autoscale };
  }

  // The ring as JSON: thousands of pairs that every new watcher is sent, made once for each ring.
  #ringNow(): string {
    if (this.#ring !== this.#shownRing || this.#ringText === '') {
      this.#shownRing = this.#ring;
      this.#ringText = JSON.stringify(ringPairs(this.#ring));
    }
    return this.#ringText;
  }

  #fleetNow() {
    const { seats, leaving } = this.#state;
    const eased = new Map(this.#ports.eased().map((one) => [one.replica.incarnation, one]));
    return {
      failsOpen: failsOpen(this.#state, this.#ports.about.failOpen),
      seats: seats.map((seat) => ({
        seat: seat.replica.seat,
        replica: seat.replica.hostname,
        incarnation: seat.replica.incarnation,
        weight: placesOf(seat.replica).length,
        joined: seat.joined,
        isGiven: seat.isGiven,
        state: stateOf(seat),
        eased: easedText(eased.get(seat.replica.incarnation)),
        sinceMs: 'sinceMs' in seat ? this.#timeOfDayAt(seat.sinceMs) : null,
        reason: seat.phase === 'serving' ? '' : shortReason(complaintOf(seat)?.reason ?? seat.lapses.reason),
      })),
      leaving: leaving.map(({ replica: { seat, hostname, incarnation }, drains }) => ({
        seat,
        replica: hostname,
        incarnation,
        state: drains ? 'draining' : 'ending',
      })),
    };
  }

  #timeOfDayAt(clockMs: number): number {
    return Math.round(this.#ports.timeOfDay() - (this.#ports.clock.now() - clockMs));
  }
}

// The replicas that requests go to, as one text to compare.
function takers(state: FleetState): string {
  return routes(state)
    .map(({ replica }) => replica.incarnation)
    .join();
}

function easedText(eased: Eased | undefined): string {
  return eased === undefined ? '' : `eased: ${shareText(eased.share)}, ${reasonText(eased.why)}`;
}

function ringPairs(ring: HashRing | undefined): unknown {
  if (ring === undefined) return { slots: 0, digest: '', points: [] };
  return { slots: ring.slotCount, digest: ring.digest(), points: ring.points.map(({ slot, seat }) => [slot, seat]) };
}
