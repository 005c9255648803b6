// Whether any replica has ever served, and what follows if none has: a command that somebody gives may be wrong, and
// then the balancer says so and ends, instead of trying again for ever.

import type { FleetState } from '../core/fleet/fleet-state.ts';
import { isUnfit, whyNeverServed } from '../core/fleet/outage.ts';
import { BalancerError } from '../errors.ts';

/** A program may listen this long before it has the page that is asked for, in ms. */
export const UNFIT_PATIENCE_MS = 1000;

export class FirstService {
  readonly #mustServe: boolean;
  #hasServed = false;

  constructor(mustServe: boolean) {
    this.#mustServe = mustServe;
  }

  observe({ seats }: FleetState): void {
    this.#hasServed ||= seats.some(({ phase }) => phase === 'serving');
  }

  /** One has to serve, and a replica has given a wrong answer for so long that no other will do better. */
  isLost(state: FleetState, nowMs: number): boolean {
    return this.#mustServe && !this.#hasServed && isUnfit(state, nowMs - UNFIT_PATIENCE_MS);
  }

  /** None has served, and waiting for at most UNFIT_PATIENCE_MS may help. */
  mayCome(state: FleetState, nowMs: number): boolean {
    return this.#mustServe && !this.#hasServed && isUnfit(state, nowMs) && !this.isLost(state, nowMs);
  }

  /** Throws `start-failed` if one has to serve and none has. `otherwise` is why, if no replica has a reason. */
  check(state: FleetState, otherwise: string): void {
    if (!this.#mustServe || this.#hasServed || state.seats.length === 0) return;
    throw new BalancerError('start-failed', whyNeverServed(state, otherwise));
  }
}
