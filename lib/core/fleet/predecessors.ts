// Convicted replicas that stay until they are replaced. When all replicas are slow at once, as on a busy machine,
// heartbeats convict one after the other. If each were taken out, none would be left, and a slow answer is better than
// none. So a heartbeat takes a replica out at once only if at least half of the seats, rounded up, are held by other
// replicas that are well. Otherwise it stays, as the last choice, until the next replica in its seat serves; it gets
// the seat back if it answers before that one is started. A replica that has exited is always taken out, since it
// cannot answer.
//
// A replica that is well is replaced in the same way: the next one in its seat comes up beside it, and it gets requests
// until that one serves. If the next one does not come up, it keeps the seat. No key moves, since the seat stays.

import {
  type FleetState,
  NO_LAPSES,
  predecessorOf,
  predecessors,
  type Seat,
  type ServingSeat,
  type WaitingSeat,
} from './fleet-state.ts';
import { afterProbe } from './health.ts';
import { type FleetRules, leave, loseReplica, nextReplica, replaceSeat } from './seats.ts';

/** The state after heartbeats convicted the replica of that seat. */
export function convict(
  state: FleetState,
  seat: ServingSeat,
  reason: string,
  atMs: number,
  rules: FleetRules,
): FleetState {
  const { incarnation } = seat.replica;
  const isNeeded = seat.isDrained !== true && wellBeside(state, seat) < Math.ceil(state.seats.length / 2);
  const told = isNeeded ? `${reason}; it is the last choice until another serves in its place` : reason;
  const lost = loseReplica(state, incarnation, { reason: told, final: false }, atMs, rules);
  if (!isNeeded) return lost;
  return {
    ...lost,
    leaving: lost.leaving.filter((one) => one.replica.incarnation !== incarnation),
    seats: lost.seats.map((one) =>
      one.phase === 'vacant' && one.replica.seat === seat.replica.seat ? { ...one, predecessor: seat } : one,
    ),
  };
}

/** The state after a probe of a predecessor; the same object if it is none, or nothing changes. */
export function afterProbeOfPredecessor(state: FleetState, incarnation: number, succeeded: boolean): FleetState {
  return changeSeatOf(state, incarnation, (seat, held) => {
    const health = afterProbe(held.health, succeeded);
    if (succeeded && seat.phase === 'vacant' && seat.isReplacement !== true) return { ...held, health };
    return health === held.health ? seat : { ...seat, predecessor: { ...held, health } };
  });
}

/** The state without that predecessor, which has ended; the same object if it is none. */
export function losePredecessor(state: FleetState, incarnation: number, atMs: number): FleetState {
  const held = predecessors(state).find((one) => one.replica.incarnation === incarnation);
  if (held === undefined) return state;
  const rest = changeSeatOf(state, incarnation, (seat) => ({ ...seat, predecessor: undefined }));
  return { ...rest, leaving: [...rest.leaving, leave(held.replica, false, atMs)] };
}

/** The state once the next replica in the seat serves: the predecessor leaves when its requests are finished. */
export function relievePredecessor(state: FleetState, predecessor: ServingSeat | undefined, atMs: number): FleetState {
  if (predecessor === undefined) return state;
  const { replica, isGiven } = predecessor;
  return { ...state, leaving: [...state.leaving, { ...leave(replica, true, atMs), isGiven }] };
}

function wellBeside(state: FleetState, seat: ServingSeat): number {
  return state.seats.filter(
    (one) =>
      one.replica.seat !== seat.replica.seat &&
      one.phase === 'serving' &&
      one.isDrained !== true &&
      !one.health.suspected,
  ).length;
}

function changeSeatOf(
  state: FleetState,
  incarnation: number,
  change: (seat: WaitingSeat, held: ServingSeat) => Seat,
): FleetState {
  const index = state.seats.findIndex((seat) => predecessorOf(seat)?.replica.incarnation === incarnation);
  const seat = state.seats[index];
  if (seat === undefined || seat.phase === 'serving' || seat.phase === 'down' || seat.predecessor === undefined)
    return state;
  const changed = change(seat, seat.predecessor);
  return changed === seat ? state : { ...state, seats: state.seats.with(index, changed) };
}

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
