// Replacing a replica that is well: the next one in its seat comes up beside it, and it gets requests until that one
// serves. If the next one does not come up, it keeps the seat. No key moves, since the seat stays.

import { type FleetState, NO_LAPSES, predecessorOf, type Seat } from './fleet-state.ts';
import { leave, nextReplica, replaceSeat } from './seats.ts';

/** The seat of that replica waits for the next one. Nothing changes unless the replica serves and is started here. */
export function beginReplacement(state: FleetState, incarnation: number, atMs: number): FleetState {
  const seat = state.seats.find((one) => one.replica.incarnation === incarnation);
  if (seat?.phase !== 'serving' || seat.isGiven) return state;
  const replica = nextReplica(state, seat.replica, undefined);
  const { joined, firstServedMs } = seat;
  const vacant: Seat = {
    ...{ phase: 'vacant', replica, joined, firstServedMs, startAtMs: atMs, lapses: NO_LAPSES },
    ...{ insists: false, isGiven: false, predecessor: seat, isReplacement: true },
  };
  return { ...replaceSeat(state, incarnation, () => vacant), lastIncarnation: replica.incarnation };
}

/** The replica that was to be replaced keeps its seat. Nothing changes if it has lost it for good. */
export function endReplacement(state: FleetState, incarnation: number, atMs: number): FleetState {
  const seat = state.seats.find((one) => predecessorOf(one)?.replica.incarnation === incarnation);
  const predecessor = seat && predecessorOf(seat);
  if (seat === undefined || predecessor === undefined) return state;
  const { replica, phase } = seat;
  const kept = replaceSeat(state, replica.incarnation, () => predecessor);
  return phase === 'vacant' ? kept : { ...kept, leaving: [...kept.leaving, leave(replica, false, atMs)] };
}
