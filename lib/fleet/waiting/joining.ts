// What an /add waits for: all replicas that it asked for have to serve. How long it waits depends on who runs them: a
// start that fails is tried again a few times, but a given replica either is there or is not.

import { startRounds } from '../../core/fleet/fleet.ts';
import type { FleetState, Seat } from '../../core/fleet/fleet-state.ts';
import { complaintOf } from '../../core/fleet/outage.ts';
import type { SeatId } from '../../core/ring/ring.ts';
import { BalancerError } from '../../errors.ts';

export interface JoinTerms {
  readonly joinAttempts: number;
  readonly startTimeoutMs: number;
  /** How long heartbeats let a serving replica fail before they convict it, in ms. */
  readonly adoptTimeoutMs: number;
  readonly parallelStarts: number;
}

/** Some of the seats that an /add waits for, and for how long. */
export interface Joining {
  readonly seats: readonly Seat[];
  readonly limitMs: number;
  /** The error when the time is up. */
  readonly late: (state: FleetState) => BalancerError;
}

/** The seats that joined, grouped into those that are started here and those that are given. */
export function joinings(state: FleetState, joined: readonly Seat[], terms: JoinTerms): Joining[] {
  const groups = [startedHere(state, joined, terms), given(joined, terms)];
  return groups.filter(({ seats }) => seats.length > 0);
}

/** Whether all of them serve. Throws `start-failed` or `name-taken` if one of them will not. */
export function allServe(state: FleetState, { seats }: Joining, joinAttempts: number): boolean {
  const now = seatsNow(state, seats);
  const failed = now.find((seat) => seat.lapses.final || seat.lapses.count >= joinAttempts);
  if (failed !== undefined) throw notUp(failed);
  // Such an answer does not change by waiting.
  const unfit = now.find((seat) => seat.isGiven && complaintOf(seat)?.kind === 'unfit');
  if (unfit !== undefined) throw unhealthy(unfit);
  const removed = seats.find((seat) => !now.some((one) => one.replica.seat === seat.replica.seat));
  if (removed !== undefined) throw notUp(removed, 'was removed before it was up');
  return now.every((seat) => seat.phase === 'serving');
}

/** The error for a seat whose replica does not come up. */
export function notUp(seat: Seat, how = `did not come up: ${seat.lapses.reason}`): BalancerError {
  const code = seat.lapses.final && !seat.lapses.isUnfit ? 'name-taken' : 'start-failed';
  return new BalancerError(code, `${seat.replica.hostname} ${how}`);
}

// The limit covers all attempts and the waits between them. Without it, a seat whose name is never freed would wait for
// ever.
function startedHere(state: FleetState, joined: readonly Seat[], terms: JoinTerms): Joining {
  const seats = joined.filter(({ isGiven }) => !isGiven);
  const limitMs = terms.joinAttempts * terms.startTimeoutMs * startRounds(state, terms) + 5000;
  const late = (after: FleetState) => {
    const reason = seatsNow(after, seats).find((seat) => seat.lapses.reason !== '')?.lapses.reason;
    const why = reason === undefined ? '' : `: ${reason}`;
    return new BalancerError('start-failed', `not all of them were up within ${limitMs} ms${why}`);
  };
  return { seats, limitMs, late };
}

// Nobody here starts given replicas, so they have as long as heartbeats take to convict, but no longer than a start.
function given(joined: readonly Seat[], { adoptTimeoutMs, startTimeoutMs }: JoinTerms): Joining {
  const seats = joined.filter(({ isGiven }) => isGiven);
  const limitMs = Math.min(adoptTimeoutMs, startTimeoutMs);
  const late = (after: FleetState) => {
    const [awaited] = seatsNow(after, seats).filter(({ phase }) => phase !== 'serving');
    return unhealthy(awaited ?? (seats[0] as Seat), ` within ${limitMs} ms`);
  };
  return { seats, limitMs, late };
}

function seatsNow(state: FleetState, joined: readonly Seat[]): Seat[] {
  const numbers = new Set<SeatId>(joined.map((seat) => seat.replica.seat));
  return state.seats.filter((seat) => numbers.has(seat.replica.seat));
}

function unhealthy(seat: Seat, when = ''): BalancerError {
  const reason = complaintOf(seat)?.reason ?? 'it did not answer';
  return notUp(seat, `passed no heartbeat${when}: ${reason}`);
}
