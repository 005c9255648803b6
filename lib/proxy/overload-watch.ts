// Tells lib/core/request/overload.ts what this thread sees of its requests, and the log when requests are turned away.

import type { Ledger } from '../core/request/ledger.ts';
import { Overload } from '../core/request/overload.ts';
import type { RoutingPlan } from '../core/routing-plan.ts';
import { BalancerError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Ended, Shedder } from './exchange/exchange-context.ts';

interface Limits {
  readonly overloadWaitMs: number;
}

/** Of this thread. */
interface Load {
  readonly ledger: Pick<Ledger, 'ownConnections' | 'ownWaiting'>;
  readonly inFlight: number;
}

// After a replica came, went or became doubtful, requests wait for reasons of their own for so long.
const UNSTEADY_MS = 10_000;

export class OverloadWatch implements Shedder {
  readonly #limits: Limits;
  readonly #load: Load;
  readonly #log: Log;
  readonly #overload = new Overload();
  #arrived = 0;
  #finished = 0;
  #finishedMs = 0;
  #finishedMs2 = 0;
  #shed = 0;
  #wasShedding = false;
  #routes: RoutingPlan['routes'] = [];
  #changedMs = Number.POSITIVE_INFINITY;

  constructor(limits: Limits, load: Load, log: Log) {
    this.#limits = limits;
    this.#load = load;
    this.#log = log;
  }

  /** As many requests of this thread are at the replicas as may be. */
  get isFull(): boolean {
    return this.#load.inFlight >= this.#overload.mostInFlight;
  }

  /** How many requests of this thread may wait for a place. */
  get mostWaiting(): number {
    return this.#overload.mostWaiting;
  }

  get isShedding(): boolean {
    return this.mostWaiting !== Number.POSITIVE_INFINITY;
  }

  refusal(): BalancerError {
    this.#shed += 1;
    return new BalancerError('shed', 'more requests come than the replicas can do');
  }

  /** A request for a replica has come. */
  arrived(): void {
    this.#arrived += 1;
  }

  over({ agent, times }: Ended): void {
    if (agent === undefined) return;
    const tookMs = times.endedMs - times.placedMs;
    this.#finished += 1;
    this.#finishedMs += tookMs;
    this.#finishedMs2 += tookMs * tookMs;
  }

  onTick(nowMs: number, plan: Pick<RoutingPlan, 'routes' | 'isPaused'> | undefined): void {
    if (plan !== undefined && !areSame(plan.routes, this.#routes)) this.#changedMs = nowMs;
    this.#routes = plan?.routes ?? [];
    const facts = {
      nowMs,
      arrived: this.#arrived,
      finished: this.#finished,
      finishedMs: this.#finishedMs,
      finishedMs2: this.#finishedMs2,
      inFlight: this.#load.inFlight,
      waiting: this.#load.ledger.ownWaiting,
      replicas: plan?.routes.length ?? 0,
      isSteady: nowMs - this.#changedMs > UNSTEADY_MS,
    };
    // Who waits in a pause does not wait for the replicas. And without a client no further tick comes.
    const isOff = plan?.isPaused === true || this.#load.ledger.ownConnections === 0;
    this.#overload.advance(facts, isOff ? Number.POSITIVE_INFINITY : this.#limits.overloadWaitMs);
    this.#tell();
  }

  #tell(): void {
    const { isShedding } = this;
    if (isShedding === this.#wasShedding) return;
    this.#wasShedding = isShedding;
    const { mostInFlight, mostWaiting } = this.#overload;
    if (isShedding) this.#log.warn('overload', { mostInFlight, mostWaiting });
    else this.#log.info('overload-ended', { shed: this.#shed });
    this.#shed = 0;
  }
}

function areSame(one: RoutingPlan['routes'], other: RoutingPlan['routes']): boolean {
  if (one === other) return true;
  return (
    one.length === other.length &&
    one.every(({ replica, suspected }, index) => {
      const there = other[index];
      return there?.replica.incarnation === replica.incarnation && there.suspected === suspected;
    })
  );
}
