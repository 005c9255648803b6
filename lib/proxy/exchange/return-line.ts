// Requests that no replica is left for, while one is expected back: a service restarts, or a seat gets its next
// replica. Nothing of them was sent, or they may be repeated. When a replica is back all of them are called. Until then
// some are called now and then: first one as a scout, then twice as many each time, as long as they find a replica.

import type { Outage, RoutingPlan } from '../../core/routing-plan.ts';
import type { Waiting } from './waiting-line.ts';

export class ReturnLine {
  readonly #limits: { readonly maxQueued: number };
  readonly #line = new Set<Waiting>();
  #atATime = 1;
  #outage: Outage | undefined;

  /** @param limits if `maxQueued` requests wait, the next one is turned away. */
  constructor(limits: { readonly maxQueued: number }) {
    this.#limits = limits;
  }

  /** Why no replica takes requests. */
  get whyNone(): string {
    return this.#outage?.whyNone ?? 'no replica can take the request now';
  }

  /** How many wait. */
  get size(): number {
    return this.#line.size;
  }

  /** Calls `onRoom` later, any number of times. False if no replica is expected back, or too many requests wait. */
  join(one: Waiting): boolean {
    if (this.#outage?.mayEnd !== true || this.#line.size >= this.#limits.maxQueued) return false;
    // A request that comes back after a call has found no replica, so the next call is for a single scout again.
    this.#atATime = 1;
    this.#line.add(one);
    return true;
  }

  leave(one: Waiting): void {
    this.#line.delete(one);
  }

  /** A plan is in force, in which other replicas may take requests. */
  onPlan({ routes, outage }: Pick<RoutingPlan, 'routes' | 'outage'>): void {
    this.#outage = outage;
    if (routes.some((route) => !route.suspected)) this.#call(this.#line.size);
  }

  /** Called a few times a second, in case a replica takes requests again. */
  callSome(): void {
    if (this.#line.size === 0) return;
    const called = this.#atATime;
    this.#atATime *= 2;
    this.#call(called);
  }

  // A request that is called may join again at once, at the end of the line.
  #call(count: number): void {
    for (const one of [...this.#line].slice(0, count)) {
      this.#line.delete(one);
      one.onRoom();
    }
  }
}
