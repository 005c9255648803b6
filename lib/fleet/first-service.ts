// Whether any replica has ever served, and what follows if none has: a command that somebody gives may be wrong, and
// then the balancer says so and ends, instead of trying again for ever.

import type { FleetState } from '../core/fleet/fleet-state.ts';
import { whyNeverServed } from '../core/fleet/outage.ts';
import { BalancerError } from '../errors.ts';

export class FirstService {
  readonly #mustServe: boolean;
  #hasServed = false;

  constructor(mustServe: boolean) {
    this.#mustServe = mustServe;
  }

  observe({ seats }: FleetState): void {
    this.#hasServed ||= seats.some(({ phase }) => phase === 'serving');
  }

  /** Throws `start-failed` if one has to serve and none has. `otherwise` is why, if no replica has a reason. */
  check(state: FleetState, otherwise: string): void {
    if (!this.#mustServe || this.#hasServed || state.seats.length === 0) return;
    throw new BalancerError('start-failed', whyNeverServed(state, otherwise));
  }
}
