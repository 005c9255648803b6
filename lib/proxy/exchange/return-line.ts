// Requests of which nothing was sent and that nobody is left for, while a replica is expected back: a service that restarts, a seat
// that gets its next replica. When one is back all are called. Until then a few are, time and again: one as a scout, and as many
// more as have found somebody.

import type { Outage, RoutingPlan } from '../../core/routing-plan.ts';
import type { Waiting } from './waiting-line.ts';

export class ReturnLine {
  readonly #limits: { readonly maxQueued: number };
  readonly #line = new Set<Waiting>();
  #atATime = 1;
  #outage: Outage | undefined;

  /** @param limits `maxQueued`: who comes when so many wait is turned away. */
  constructor(limits: { readonly maxQueued: number }) {
    this.#limits = limits;
  }

  /** Why no replica takes requests. */
  get whyNone(): string {
    return this.#outage?.whyNone ?? 'no replica can take the request now';
  }

  /** Calls `onRoom` later, any number of times. False if nobody is expected back, or too many wait. */
  join(one: Waiting): boolean {
    if (this.#outage?.mayEnd !== true || this.#line.size >= this.#limits.maxQueued) return false;
    // A request that was called and comes back has found no replica.
    this.#atATime = 1;
    this.#line.add(one);
    return true;
  }

  leave(one: Waiting): void {
    this.#line.delete(one);
  }

  /** Other replicas may take requests now. */
  onPlan({ routes, outage }: Pick<RoutingPlan, 'routes' | 'outage'>): void {
    this.#outage = outage;
    if (routes.some((route) => !route.suspected)) this.#call(this.#line.size);
  }

  /** There may be somebody: called a few times a second. */
  callSome(): void {
    if (this.#line.size === 0) return;
    const called = this.#atATime;
    this.#atATime *= 2;
    this.#call(called);
  }

  // A request that is called may come back at once: it goes to the end of the line.
  #call(count: number): void {
    for (const one of [...this.#line].slice(0, count)) {
      this.#line.delete(one);
      one.onRoom();
    }
  }
}
