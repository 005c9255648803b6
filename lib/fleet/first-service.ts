// What the beginning of a fleet waits for, and what follows if no replica has ever served: a command that somebody
// gives may be wrong, and then the balancer says so and ends, instead of trying again for ever.

import type { FleetState, Seat } from '../core/fleet/fleet-state.ts';
import { isSettled, noneCameUp, whyNeverServed } from '../core/fleet/outage.ts';
import { BalancerError } from '../errors.ts';
import { notUp } from './joining.ts';

/**
 * Whether none of the first seats need be waited for. Throws `start-failed` or `name-taken` for one that trying again
 * does not mend.
 */
export function firstSettled(seats: readonly Seat[], joinAttempts: number): boolean {
  const failed = seats.find(({ lapses }) => lapses.final);
  if (failed !== undefined) throw failed.lapses.isUnfit ? allUnfit(failed) : notUp(failed);
  return seats.every((seat) => isSettled(seat, joinAttempts));
}

/** Whether one of the first seats serves, or there is none. Throws `start-failed` if all will have the same fault. */
export function firstServes(seats: readonly Seat[]): boolean {
  if (seats.length === 0 || seats.some(({ phase }) => phase === 'serving')) return true;
  const unfit = seats.find(({ lapses }) => lapses.isUnfit);
  if (unfit !== undefined) throw allUnfit(unfit);
  return false;
}

// For a first replica whose answers to heartbeats are wrong: the others run the same program.
function allUnfit({ lapses }: Seat): BalancerError {
  return new BalancerError('start-failed', noneCameUp([lapses.reason]));
}

/** Remembers whether a replica has served. */
export class FirstService {
  readonly #mustServe: boolean;
  #hasServed = false;

  constructor(mustServe: boolean) {
    this.#mustServe = mustServe;
  }

  observe({ seats }: FleetState): void {
    this.#hasServed ||= seats.some(({ phase }) => phase === 'serving');
  }

  /**
   * One has to serve, and so many starts have failed, of each replica at least one: more would fail too, and whoever
   * reads what the program said would read it once more for each.
   */
  isHopeless({ seats }: FleetState, starts: number): boolean {
    if (!this.#mustServe || this.#hasServed) return false;
    const failed = seats.map(({ lapses }) => lapses.count);
    return failed.every((count) => count > 0) && failed.reduce((sum, count) => sum + count, 0) >= starts;
  }

  /** Throws `start-failed` if one has to serve and none has. `otherwise` is why, if no replica has a reason. */
  check(state: FleetState, otherwise: string): void {
    if (!this.#mustServe || this.#hasServed || state.seats.length === 0) return;
    throw new BalancerError('start-failed', whyNeverServed(state, otherwise));
  }
}
