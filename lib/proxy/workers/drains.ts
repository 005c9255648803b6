// At which replicas something may be left, and in which threads: a replica is drained when it is in all of them. An
// incarnation that a plan has let go is never routed to again, but a thread may say so late, of an earlier plan.

import type { RoutingPlan } from '../../core/routing-plan.ts';

interface Held<Thread> {
  /** The latest plan by which it got requests, or may get them again. */
  routedBy: number;
  readonly by: Set<Thread>;
}

export class Drains<Thread> {
  /** By incarnation. */
  readonly #held = new Map<number, Held<Thread>>();
  readonly #onDrained: (incarnation: number) => void;

  constructor(onDrained: (incarnation: number) => void) {
    this.#onDrained = onDrained;
  }

  /** That plan is given to those threads: to all of them, or to one that begins. */
  onPlan({ version, routes, resting, draining }: Plan, threads: readonly Thread[]): void {
    for (const { incarnation } of [...routes.map(({ replica }) => replica), ...resting]) {
      this.#hold(incarnation, threads).routedBy = version;
    }
    for (const { incarnation } of draining) {
      this.#hold(incarnation, threads);
      this.#checkOf(incarnation);
    }
  }

  /** Nothing is left at that replica in that thread, which goes by the plan of that version. */
  onDrained(incarnation: number, thread: Thread, version: number): void {
    const held = this.#held.get(incarnation);
    if (held === undefined || version < held.routedBy) return;
    held.by.delete(thread);
    this.#checkOf(incarnation);
  }

  /** That thread has ended, and what it had with it. @param plan the latest one. */
  onEnded(thread: Thread, plan: Plan | undefined): void {
    const stay = new Set(plan?.routes.map(({ replica }) => replica.incarnation));
    for (const { incarnation } of plan?.resting ?? []) stay.add(incarnation);
    for (const [incarnation, held] of this.#held) {
      if (held.by.delete(thread) && !stay.has(incarnation)) this.#checkOf(incarnation);
    }
  }

  #hold(incarnation: number, threads: readonly Thread[]): Held<Thread> {
    const held = this.#held.get(incarnation) ?? { routedBy: 0, by: new Set() };
    this.#held.set(incarnation, held);
    for (const thread of threads) held.by.add(thread);
    return held;
  }

  #checkOf(incarnation: number): void {
    if (this.#held.get(incarnation)?.by.size !== 0) return;
    this.#held.delete(incarnation);
    this.#onDrained(incarnation);
  }
}

type Plan = Pick<RoutingPlan, 'version' | 'routes' | 'resting' | 'draining'>;
