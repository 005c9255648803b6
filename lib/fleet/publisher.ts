// What the data plane goes by: a plan for each state of the fleet, at once, and whenever time alone changes it, as while a seat starts
// slowly. The supervisor gives states; what requests are told is made of them here and nowhere else.

import { draining, type FleetState, resting, routes } from '../core/fleet/fleet-state.ts';
import { failsOpen, mayReturn, whyNone } from '../core/fleet/outage.ts';
import type { DataPlane } from '../core/plane-ports.ts';
import type { Clock, ReplicaRef } from '../core/ports.ts';
import type { RingPolicy } from '../core/ring/policy.ts';
import type { HashRing } from '../core/ring/ring.ts';
import type { RingKeeper } from '../core/ring/ring-keeper.ts';
import { type PlannedRing, planned, type RoutingPlan } from '../core/routing-plan.ts';
import { describe } from '../errors.ts';
import type { Log } from '../log.ts';

/** What is in every plan, whatever the fleet does. */
export type PlanTerms = Pick<RoutingPlan, 'hash' | 'slots' | 'virtualNodes' | 'explain' | 'traffic'>;

export interface PublisherPorts {
  readonly plane: DataPlane;
  readonly rings: RingKeeper;
  readonly clock: Clock;
  readonly log: Log;
  /** Is told of each state and its ring once its plan is on its way. */
  readonly observe: (state: FleetState, ring: HashRing) => void;
}

export interface PublisherRules {
  /** Where no replica passes its heartbeats, requests go to those that listen. */
  readonly failOpen: boolean;
  /** Without heartbeats nobody knows what comes back. */
  readonly hasHeartbeats: boolean;
}

export class Publisher {
  readonly #ports: PublisherPorts;
  readonly #terms: PlanTerms;
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
  // By incarnation, of those that are leaving: at which nothing is left, and which have had their time.
  readonly #drained = new Set<number>();
  readonly #cut = new Set<number>();
  readonly #waiting = new Map<number, () => void>();

  constructor(ports: PublisherPorts, terms: PlanTerms, rules: PublisherRules) {
    this.#ports = ports;
    this.#terms = terms;
    this.#rules = rules;
  }

  /** Begins to hear the data plane. */
  begin(): void {
    this.#unwatch = this.#ports.plane.watch((news) => {
      if (news.type === 'drained') this.#onDrained(news.incarnation);
    });
  }

  /** Publishes no more. */
  close(): void {
    this.#unwatch();
    this.#alarm.abort();
  }

  /** That is the fleet from now on. Does not throw. */
  publish(state: FleetState): void {
    this.#state = state;
    this.#forgetThoseGone(state);
    this.#publish(state);
  }

  /** Resolves when requests go by the last state that was published. Rejects if its plan was refused. */
  holds(): Promise<void> {
    return this.#held;
  }

  /** Resolves when no request is left at a replica that is leaving; when `signal` is aborted, what is left there is cut. */
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
    this.#ports.observe(state, ring);
    this.#tellOpen(state);
    if (ring !== this.#ring) {
      this.#ring = ring;
      const seats = state.seats.map((seat) => seat.replica.seat);
      log.info('ring-changed', { seats, digest: ring.digest(), hash: hashName(this.#terms) });
    }
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
    this.#version += 1;
    return {
      ...this.#terms,
      version: this.#version,
      ring: this.#planned,
      routes: routes(state, failOpen),
      draining: draining(state).filter(({ incarnation }) => !this.#cut.has(incarnation)),
      resting: resting(state),
      outage: { whyNone: whyNone(state, failOpen), mayEnd: hasHeartbeats && mayReturn(state) },
      hostnames: new Map(state.seats.map(({ replica }) => [replica.seat, replica.hostname])),
    };
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
  return 'name' in hash ? hash.name : hash.path;
}
