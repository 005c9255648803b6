// What happens to the fleet, as a program is told: the states of the fleet are compared, so that nothing is told twice
// and no change is missed. A seat is followed from the first replica that served there.

import { type FleetState, predecessorOf, type Seat } from '../core/fleet/fleet-state.ts';
import { complaintOf } from '../core/fleet/outage.ts';
import { entryOf, type PidOf, type Replica } from './roster.ts';

/**
 * What a listener is given, by the name of the event. Replicas that are gone are told as they were when they served.
 */
export interface FleetEvents {
  /** A replica takes requests that was not there before. */
  added: [replica: Replica];
  /** A replica takes no requests any more, though it should: it died, hangs, or its heartbeats fail. */
  lost: [replica: Replica, reason: string];
  /** A replica takes requests in the seat of one that was lost. */
  replaced: [replica: Replica, previous: Replica];
  /** A replica that was lost takes requests again. */
  returned: [replica: Replica];
  /** A replica that was to be removed has finished its requests and is gone. */
  removed: [replica: Replica];
}

export type TellFleet = <E extends keyof FleetEvents>(event: E, ...details: FleetEvents[E]) => void;

/** The replica that served last in a seat. */
interface Served {
  readonly replica: Replica;
  readonly incarnation: number;
  readonly isLost: boolean;
}

/** Gives the function to be called with each state. */
export function fleetTeller(tell: TellFleet): (state: FleetState, pidOf: PidOf) => void {
  const seats = new Map<number, Served>();
  const leaving = new Map<number, Replica>();
  return (state, pidOf) => {
    const wanted = new Set(state.seats.map(({ replica }) => replica.seat));
    for (const [number, { replica, incarnation }] of seats) {
      if (wanted.has(number)) continue;
      seats.delete(number);
      leaving.set(incarnation, replica);
    }
    const stillThere = new Set(state.leaving.map(({ replica }) => replica.incarnation));
    for (const [incarnation, replica] of leaving) {
      if (stillThere.has(incarnation)) continue;
      leaving.delete(incarnation);
      tell('removed', replica);
    }
    for (const seat of state.seats) {
      const served = seats.get(seat.replica.seat);
      const now = seat.phase === 'serving' ? serves(seat, pidOf, served, tell) : servesNot(seat, served, tell);
      if (now !== undefined) seats.set(seat.replica.seat, now);
    }
  };
}

function serves(seat: Seat, pidOf: PidOf, before: Served | undefined, tell: TellFleet): Served {
  const { incarnation } = seat.replica;
  if (before?.incarnation === incarnation && !before.isLost) return before;
  const replica = entryOf(seat, pidOf);
  if (before === undefined) tell('added', replica);
  else if (before.incarnation === incarnation) tell('returned', replica);
  else {
    // Both may have come about between two states.
    if (!before.isLost) tell('lost', before.replica, seat.lapses.reason);
    tell('replaced', replica, before.replica);
  }
  return { replica, incarnation, isLost: false };
}

function servesNot(seat: Seat, before: Served | undefined, tell: TellFleet): Served | undefined {
  if (before === undefined || before.isLost) return before;
  const complaint = predecessorOf(seat) === undefined ? complaintOf(seat) : undefined;
  tell('lost', before.replica, complaint?.reason ?? seat.lapses.reason);
  return { ...before, isLost: true };
}
