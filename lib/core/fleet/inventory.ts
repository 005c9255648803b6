// What a list of the running replicas means for the fleet. At the start it says which replicas of an earlier process
// may keep their seats; later, which replicas run that nobody wants, and which wanted ones are missing.

import type { PresentReplica } from '../ports.ts';
import { allReplicas, type FleetState, NO_LAPSES, placesOf, predecessors, type Seat } from './fleet-state.ts';
import { losePredecessor } from './predecessors.ts';
import { type FleetRules, loseReplica, nextReplica, withStrays } from './seats.ts';

/**
 * The state of a fleet that begins where another process left it. Each seat that had a replica is wanted again, and its
 * youngest replica keeps it if it runs. The other replicas are stopped.
 */
export function adopt(
  state: FleetState,
  present: readonly PresentReplica[],
  atMs: number,
  rules: FleetRules,
): FleetState {
  if (present.length === 0) return state;
  const heads = youngestOfSeats(present, rules);
  // If none of them runs, the machine or the engine was restarted. No replica failed, so all come back under their
  // names.
  const allEnded = heads.every((one) => one.address === undefined);
  const lastIncarnation = Math.max(state.lastIncarnation, ...present.map((one) => one.replica.incarnation));
  let adopted: FleetState = { ...state, lastIncarnation };
  const lasting = { lapses: NO_LAPSES, firstServedMs: Number.NEGATIVE_INFINITY, insists: false, isGiven: false };
  for (const { replica, address, untried, ageMs = Number.POSITIVE_INFINITY } of heads) {
    const goesOn = address !== undefined;
    const hostname = allEnded || untried ? replica.hostname : undefined;
    const heir = goesOn ? replica : nextReplica(adopted, replica, hostname);
    const common = { ...lasting, replica: heir, joined: heir.incarnation };
    // A replica that may still be coming up gets the rest of its start timeout.
    const restMs = Math.max(rules.adoptTimeoutMs, rules.startTimeoutMs - ageMs);
    const isOld = restMs === rules.adoptTimeoutMs;
    const seat: Seat = goesOn
      ? { ...common, phase: 'started', address, sinceMs: atMs, giveUpAtMs: atMs + restMs, isOld }
      : { ...common, phase: 'vacant', startAtMs: atMs };
    adopted = {
      ...adopted,
      lastIncarnation: Math.max(adopted.lastIncarnation, heir.incarnation),
      seats: [...adopted.seats, seat].sort((a, b) => a.replica.seat - b.replica.seat),
    };
  }
  const kept = new Set(adopted.seats.map((seat) => seat.replica.incarnation));
  const strays = present.filter((one) => !kept.has(one.replica.incarnation));
  return withStrays(
    adopted,
    strays.map((one) => one.replica),
    atMs,
  );
}

// In the order in which they joined. Some may have no place: the ring may be smaller than it was when they started, and
// of two replicas with the same place (which no fleet of ours has) only one can have it.
function youngestOfSeats(present: readonly PresentReplica[], rules: FleetRules): PresentReplica[] {
  const taken = new Set<number>();
  const heads: PresentReplica[] = [];
  const finished = present.filter((one) => !one.isUnfinished);
  for (const one of finished.toSorted((a, b) => b.replica.incarnation - a.replica.incarnation)) {
    const places = placesOf(one.replica);
    if (places.some((place) => place > rules.maxPlace || taken.has(place))) continue;
    for (const place of places) taken.add(place);
    heads.unshift(one);
  }
  return heads;
}

/**
 * Stops replicas that run but are not wanted, and loses wanted ones that do not run. A replica that started after the
 * list was requested may be missing from it and still run, and no runtime lists a given replica.
 */
export function afterInventory(
  state: FleetState,
  present: readonly PresentReplica[],
  askedAtMs: number,
  atMs: number,
  rules: FleetRules,
): FleetState {
  const running = new Set(present.filter((one) => one.address !== undefined).map((one) => one.replica.incarnation));
  const gone = state.seats.filter(
    (seat) =>
      !seat.isGiven &&
      (seat.phase === 'started' || seat.phase === 'serving') &&
      seat.sinceMs < askedAtMs &&
      !running.has(seat.replica.incarnation),
  );
  const ended = predecessors(state).filter((one) => !one.isGiven && !running.has(one.replica.incarnation));
  const known = new Set(allReplicas(state).map((one) => one.incarnation));
  const strays = present.filter((one) => !known.has(one.replica.incarnation));
  const loss = { reason: 'it is no longer there', final: false };
  const rest = ended.reduce((fleet, { replica }) => losePredecessor(fleet, replica.incarnation, atMs), state);
  const lost = gone.reduce((fleet, seat) => loseReplica(fleet, seat.replica.incarnation, loss, atMs, rules), rest);
  return withStrays(
    lost,
    strays.map((one) => one.replica),
    atMs,
  );
}
