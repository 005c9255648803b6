// Turns each state of the fleet into a plan for the data plane. A plan goes out at every change of state, and whenever
// time alone changes what it says, as during a slow start. No other file tells requests where to go.

import { endedUnasked } from '../core/fleet/fleet-news.ts';
import { allReplicas, draining, type FleetState, resting, routes } from '../core/fleet/fleet-state.ts';
import { failsOpen, mayBegin, mayReturn, whyNone } from '../core/fleet/outage.ts';
import type { DataPlane } from '../core/plane-ports.ts';
import type { Clock, ReplicaRef } from '../core/ports.ts';
import { withinThird } from '../core/ring/easing.ts';
import type { RingPolicy } from '../core/ring/policy.ts';
import type { HashRing } from '../core/ring/ring.ts';
import type { RingKeeper } from '../core/ring/ring-keeper.ts';
import { type PlannedRing, planned, type RoutingPlan } from '../core/routing-plan.ts';
import { describe } from '../errors.ts';
import type { Log } from '../log.ts';

/** The part of a plan that does not depend on the fleet. */
export type PlanTerms = Pick<
  RoutingPlan,
  'hash' | 'slots' | 'virtualNodes' | 'explain' | 'traffic' | 'isPaused' | 'eased'
> & {
  /** Where there is no replica, the first request has one started. */
  readonly startsFromZero?: boolean;
};

export interface PublisherPorts {
  readonly plane: DataPlane;
  readonly rings: RingKeeper;
  readonly clock: Clock;
  readonly log: Log;
  /** Called with each state, its ring and the version of the plan, once that is on its way. */
  readonly observe: (state: FleetState, ring: HashRing, version: number) => void;
}

export interface PublisherRules {
  /** If no replica passes its heartbeats, requests go to those that accept connections. */
  readonly failOpen: boolean;
  /** Without heartbeats there is no way to learn that a replica is back. */
  readonly hasHeartbeats: boolean;
}

// Replicas that ended, as plans have them. A plane that missed plans may miss some.
const MOST_ENDS = 32;

export class Publisher {
  readonly #ports: PublisherPorts;
  #terms: PlanTerms;
  readonly #rules: PublisherRules;
  #state: FleetState | undefined;
  #version = 0;
  #ring: HashRing | undefined;
  #policy: RingPolicy | undefined;
  #planned: PlannedRing = { version: 0, points: new Uint32Array() };
  #isOpen = false;
  #alarm = new AbortController();
  #unwatch = () => {};
  #held: Promise<void> = Promise.resolve();
  // Incarnations of leaving replicas: those with no request left, and those whose time to finish is over.
  readonly #drained = new Set<number>();
  readonly #cut = new Set<number>();
  readonly #waiting = new Map<number, () => void>();
  // Incarnations of those that ended though nobody wanted that, and of those that are ended on purpose.
  #ended: readonly number[] = [];
  readonly #spared = new Set<number>();

  constructor(ports: PublisherPorts, terms: PlanTerms, rules: PublisherRules) {
    this.#ports = ports;
    this.#terms = terms;
    this.#rules = rules;
  }

  /** Begins to listen to the data plane. */
  begin(): void {
    this.#unwatch = this.#ports.plane.watch((news) => {
      if (news.type === 'drained') this.#onDrained(news.incarnation);
    });
  }

  /** Stops publishing. */
  close(): void {
    this.#unwatch();
    this.#alarm.abort();
  }

  /**
   * Makes this the state that requests go by. Does not throw. Resolves when they do; rejects if the plan was refused.
   */
  publish(state: FleetState): Promise<void> {
    this.#noteEnds(this.#state ?? state, state);
    this.#state = state;
    this.#forgetThoseGone(state);
    this.#publish(state);
    return this.#held;
  }

  /**
   * Makes plans by these terms from now on, beginning with the state that was published last. Resolves when requests go
   * by them; rejects if that plan was refused, though later ones are made by them too.
   */
  change(terms: Partial<PlanTerms>): Promise<void> {
    this.#terms = { ...this.#terms, ...terms };
    if (this.#state !== undefined) this.#publish(this.#state);
    return this.#held;
  }

  /** That replica is ended on purpose: no request is to be suspected for it. */
  spare({ incarnation }: ReplicaRef): void {
    this.#spared.add(incarnation);
  }

  /** Resolves when requests go by the state that was published last. Rejects if its plan was refused. */
  holds(): Promise<void> {
    return this.#held;
  }

  /**
   * Resolves when a leaving replica has no request left. When `signal` is aborted, its remaining requests are cut off.
   */
  async drained({ incarnation }: ReplicaRef, signal: AbortSignal): Promise<void> {
    if (this.#drained.has(incarnation)) return;
    const cut = () => {
      this.#cut.add(incarnation);
      if (this.#state !== undefined) this.#publish(this.#state);
    };
    signal.addEventListener('abort', cut, { once: true });
    const isDrained = new Promise<void>((resolve) => this.#waiting.set(incarnation, resolve));
    if (signal.aborted) cut();
    await isDrained;
    signal.removeEventListener('abort', cut);
  }

  #publish(state: FleetState): void {
    const { plane, rings, clock, log } = this.#ports;
    const { ring, policy, nextChangeMs } = rings.keep(state, clock.now());
    if (policy !== this.#policy) {
      this.#policy = policy;
      this.#planned = planned(policy.ring, this.#planned.version + 1);
    }
    const plan = this.#planOf(state);
    this.#held = plane.publish(plan);
    this.#held.catch((error) => log.error('plan-refused', { version: plan.version, reason: describe(error) }));
    this.#ports.observe(state, ring, plan.version);
    const isNewRing = ring !== this.#ring;
    this.#ring = ring;
    // After whoever waits for the plan has told why there is one.
    void this.#held
      .catch(() => undefined)
      .then(() => {
        this.#tellOpen(state);
        if (isNewRing) this.#tellRing(state, ring);
      });
    this.#alarm.abort();
    if (nextChangeMs === Number.POSITIVE_INFINITY) return;
    this.#alarm = new AbortController();
    clock.sleep(nextChangeMs - clock.now(), this.#alarm.signal).then(
      () => this.#publish(state),
      () => undefined,
    );
  }

  #planOf(state: FleetState): RoutingPlan {
    const { failOpen, hasHeartbeats } = this.#rules;
    const { eased = [], traffic, startsFromZero = false, ...terms } = this.#terms;
    const open = routes(state, failOpen);
    this.#version += 1;
    return {
      ...terms,
      traffic,
      version: this.#version,
      ring: this.#planned,
      routes: open,
      // Others may have gone since they were found.
      eased: traffic.spread.easesOutliers ? withinThird(eased, open) : [],
      draining: draining(state).filter(({ incarnation }) => !this.#cut.has(incarnation)),
      resting: resting(state),
      ended: this.#ended,
      outage: {
        whyNone: whyNone(state, failOpen),
        mayEnd: startsFromZero ? mayBegin(state) : hasHeartbeats && mayReturn(state),
      },
      hostnames: new Map(state.seats.map(({ replica }) => [replica.seat, replica.hostname])),
    };
  }

  #noteEnds(before: FleetState, after: FleetState): void {
    const news = endedUnasked(before, after).filter((incarnation) => !this.#spared.has(incarnation));
    if (news.length > 0) this.#ended = [...this.#ended, ...news].slice(-MOST_ENDS);
    if (this.#spared.size === 0) return;
    const known = new Set(allReplicas(after).map(({ incarnation }) => incarnation));
    for (const incarnation of this.#spared) if (!known.has(incarnation)) this.#spared.delete(incarnation);
  }

  #tellOpen(state: FleetState): void {
    const { log } = this.#ports;
    const isOpen = failsOpen(state, this.#rules.failOpen);
    if (isOpen === this.#isOpen) return;
    this.#isOpen = isOpen;
    const to = routes(state, isOpen).map((route) => route.replica.hostname);
    if (isOpen) log.warn('failing-open', { reason: 'no replica passes its heartbeats', to });
    else log.info('failing-open-ended');
  }

  #tellRing({ seats }: FleetState, ring: HashRing): void {
    const numbers = seats.map((seat) => seat.replica.seat);
    this.#ports.log.info('ring-changed', { seats: numbers, digest: ring.digest(), hash: hashName(this.#terms) });
  }

  #onDrained(incarnation: number): void {
    if (this.#state?.leaving.some(({ replica }) => replica.incarnation === incarnation) === true) {
      this.#drained.add(incarnation);
    }
    this.#waiting.get(incarnation)?.();
    this.#waiting.delete(incarnation);
  }

  #forgetThoseGone({ leaving }: FleetState): void {
    const isLeaving = new Set(leaving.map(({ replica }) => replica.incarnation));
    for (const known of [this.#drained, this.#cut]) {
      for (const incarnation of known) if (!isLeaving.has(incarnation)) known.delete(incarnation);
    }
  }
}

function hashName({ hash }: PlanTerms): string {
  if ('own' in hash) return 'own';
  return 'name' in hash ? hash.name : hash.path;
}
