// Why a fleet cannot answer: which seats take no requests and why, in words for people, and whether waiting may help.

import { type FleetState, isResting, predecessorOf, routes, type Seat } from './fleet-state.ts';
import type { ProbeFailure } from './health.ts';

/** A seat that takes no requests. */
export interface Absentee {
  readonly hostname: string;
  readonly reason: string;
}

// After this many failed heartbeats or lost replicas nobody knows how long the outage lasts, so requests fail at once
// instead of waiting.
const HOPEFUL_BEATS = 20;
const HOPEFUL_LAPSES = 3;
const MOST_NAMED = 3;
// Reasons that are longer are not said again for the next seat.
const MOST_REPEATED_CHARACTERS = 40;

/** The seats that take no requests, in the order in which they joined. */
export function absentees(state: FleetState): Absentee[] {
  return state.seats
    .toSorted((a, b) => a.joined - b.joined)
    .flatMap((seat) =>
      seat.phase === 'serving' && !isResting(seat) ? [] : [{ hostname: seat.replica.hostname, reason: reasonOf(seat) }],
    );
}

/** Requests go to replicas, but all of these were convicted by their heartbeats. Envoy calls that panic mode. */
export function failsOpen(state: FleetState, failOpen: boolean): boolean {
  const isWell = (seat: Seat) =>
    seat.phase === 'serving' ? !isResting(seat) : predecessorOf(seat)?.health.failuresInARow === 0;
  return routes(state, failOpen).length > 0 && !state.seats.some(isWell);
}

/** Why no replica takes requests, in words for people; `undefined` if one does. */
export function whyNone(state: FleetState, failOpen: boolean): string | undefined {
  if (routes(state, failOpen).length > 0) return undefined;
  if (state.seats.length === 0) return 'no replica: there is none in this fleet';
  const absent = absentees(state);
  const first = absent.slice(0, MOST_NAMED);
  const named = first.map(({ hostname, reason }, index) =>
    reason.length > MOST_REPEATED_CHARACTERS && reason === first[index + 1]?.reason
      ? hostname
      : `${hostname} ${reason}`,
  );
  const rest = absent.length - first.length;
  const more = rest > 0 ? [`and ${rest} more`] : [];
  return `no replica: ${[...named, ...more].join(', ')}`;
}

/** Why no replica has ever served, in words for people. `otherwise` is the reason if none of them has one. */
export function whyNeverServed(state: FleetState, otherwise: string): string {
  const known = state.seats.map((seat) => complaintOf(seat)?.reason ?? seat.lapses.reason);
  const reasons = [...new Set(known.filter((reason) => reason !== ''))].slice(0, MOST_NAMED);
  return noneCameUp(reasons.length === 0 ? [otherwise] : reasons);
}

/** Says that no replica has ever served, and why. */
export function noneCameUp(reasons: readonly string[]): string {
  return `no replica came up: ${reasons.join('; ')}`;
}

/** Whether some seat takes requests or may soon do so. If so, a request that no replica can take now may wait. */
export function mayReturn(state: FleetState): boolean {
  return state.seats.some(seatMayReturn);
}

/** The same where a first replica is started for whoever asks. */
export function mayBegin(state: FleetState): boolean {
  return state.seats.length === 0 || mayReturn(state);
}

/**
 * Whether there is no need to wait for the seat: it serves, has failed too often, or gives an answer that will not
 * change.
 */
export function isSettled(seat: Seat, attempts: number): boolean {
  return seat.phase === 'serving' || complaintOf(seat)?.kind === 'unfit' || seat.lapses.count >= attempts;
}

/** How its last heartbeat failed, if that is why it does not serve. */
export function complaintOf(seat: Seat): ProbeFailure | undefined {
  return seat.phase === 'down' || seat.phase === 'started' ? seat.complaint : undefined;
}

function seatMayReturn(seat: Seat): boolean {
  switch (seat.phase) {
    case 'serving':
      return seat.isDrained !== true;
    case 'down':
      return seat.complaint.kind !== 'unfit' && seat.bad < HOPEFUL_BEATS;
    case 'vacant':
    case 'starting':
    case 'started':
      return complaintOf(seat) === undefined && !seat.lapses.final && seat.lapses.count < HOPEFUL_LAPSES;
  }
}

function reasonOf(seat: Seat): string {
  if (seat.isDrained === true) return 'drained';
  if (seat.absentSinceMs !== undefined) return `not listed by ${seat.source}`;
  const complaint = complaintOf(seat);
  if (complaint !== undefined) return `down: ${complaint.reason}`;
  return seat.lapses.reason === '' ? 'starting' : `starting, after: ${seat.lapses.reason}`;
}
