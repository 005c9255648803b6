// What the beginning of a fleet waits for, and what follows if no replica has ever served: a command that somebody
// gives may be wrong, and then the balancer says so and ends, instead of trying again for ever.

import type { FleetState, Seat } from '../../core/fleet/fleet-state.ts';
import { isSettled, noneCameUp, whyNeverServed } from '../../core/fleet/outage.ts';
import { sameHostname } from '../../core/fleet/replica-name.ts';
import type { Clock, Wish } from '../../core/ports.ts';
import { BalancerError } from '../../errors.ts';
import { within } from '../clock.ts';
import { notUp } from './joining.ts';
import type { Waiters } from './waiters.ts';

export interface FirstWait {
  readonly clock: Clock;
  readonly waiters: Waiters;
  readonly first: FirstService;
  readonly state: () => FleetState;
  readonly rules: { readonly joinAttempts: number; readonly beginTimeoutMs: number; readonly timeoutMs: number };
}

/**
 * Resolves as `Supervisor.begin` says, and throws what it throws of the first replicas.
 * @param adopts an earlier process has left replicas.
 */
export async function untilFirstServe(wait: FirstWait, adopts: boolean): Promise<void> {
  const { first, state, rules } = wait;
  const { joinAttempts, beginTimeoutMs, timeoutMs } = rules;
  const settled = (counts: (seat: Seat) => boolean) => () =>
    first.isHopeless(state(), joinAttempts) || firstSettled(state().seats.filter(counts), joinAttempts);
  // After this time every given replica that is well has answered, so it has its keys from the first request on.
  const quickMs = 2 * timeoutMs;
  if (!adopts) {
    const [given, started] = [settled(({ isGiven }) => isGiven), settled(({ isGiven }) => !isGiven)];
    await Promise.all([atMost(wait, quickMs, given), atMost(wait, beginTimeoutMs, started)]);
    return;
  }
  await atMost(
    wait,
    quickMs,
    settled(() => true),
  );
  await atMost(wait, beginTimeoutMs, () => firstServes(state().seats));
}

// When the time is up, the start goes on with the replicas that serve by then.
async function atMost({ clock, waiters }: FirstWait, limitMs: number, condition: () => boolean): Promise<void> {
  const late = new BalancerError('start-failed', 'not all replicas are up yet');
  const until = (signal: AbortSignal) => waiters.until(condition, signal);
  await within(clock, limitMs, until, () => late).catch((error) => {
    if (error !== late) throw error;
  });
}

// Whether none of the first seats need be waited for. Throws `start-failed` or `name-taken` for one that trying again
// does not mend.
function firstSettled(seats: readonly Seat[], joinAttempts: number): boolean {
  const failed = seats.find(({ lapses }) => lapses.final);
  if (failed !== undefined) throw failed.lapses.isUnfit ? allUnfit(failed) : notUp(failed);
  return seats.every((seat) => isSettled(seat, joinAttempts));
}

// Whether one of the first seats serves, or there is none. Throws `start-failed` if all will have the same fault.
function firstServes(seats: readonly Seat[]): boolean {
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

/**
 * Those of the wishes that still have to be added.
 * @param there hostnames that an earlier process left. Each takes the place of one that would be started, whatever its
 * name.
 */
export function missing(wishes: readonly Wish[], there: readonly string[]): Wish[] {
  const free = wishes.filter(({ hostname = '' }) => !there.some((other) => sameHostname(other, hostname)));
  let toStart = Math.max(0, wishes.filter(({ address }) => address === undefined).length - there.length);
  return free.filter(({ address }) => address !== undefined || toStart-- > 0);
}
