// Single steps on the state of the fleet: adding, removing and losing a seat's replica. fleet.ts decides when each is
// taken.

import type { ReplicaRef, Wish } from '../ports.ts';
import type { SeatId } from '../ring/ring.ts';
import {
  allReplicas,
  type FleetState,
  type Leaving,
  NO_LAPSES,
  placement,
  placesOf,
  predecessorOf,
  predecessors,
  type Seat,
} from './fleet-state.ts';
import { randomName } from './replica-name.ts';

export interface FleetRules {
  /** The highest place that the ring has room for. */
  readonly maxPlace: number;
  /** Failed probes in a row that cost a replica its seat. */
  readonly failuresToConvict: number;
  /** Longest time from the start of a replica to its first good probe, in ms. */
  readonly startTimeoutMs: number;
  /**
   * Time to the first good probe for a replica of an earlier process, in ms: as long as heartbeats give one that
   * serves.
   */
  readonly adoptTimeoutMs: number;
  /** How many replicas may be coming up at once. Each has its own timeout, from its own start. */
  readonly parallelStarts: number;
  /** Wait before the second start in a row, in ms; it doubles up to `backoffCapMs`. The first start does not wait. */
  readonly backoffBaseMs: number;
  readonly backoffCapMs: number;
  /** A replica that lived at least this many ms resets the backoff of its seat. */
  readonly stableMs: number;
  /** Good probes in a row after which a given replica that was down gets requests again. */
  readonly riseToReturn: number;
}

/**
 * Adds a seat on the lowest free places, or on the one that it is to have. The seat waits for its replica, or has the
 * given one. With `slowly`, it takes over its slots by a slow start.
 */
export function withNewSeat(state: FleetState, wish: Wish, slowly: boolean, atMs: number): FleetState {
  const taken = new Set(placement(state).keys());
  const { address, source, seat: own } = wish;
  const places: number[] = own === undefined || taken.has(own) ? [] : [own];
  for (const place of places) taken.add(place);
  for (let place = 1; places.length < wish.weight; place++) if (!taken.has(place)) places.push(place);
  const [seat = 0, ...extraPlaces] = places;
  const replica = nextReplica(state, extraPlaces.length === 0 ? { seat } : { seat, extraPlaces }, wish.hostname);
  const common = {
    replica,
    joined: replica.incarnation,
    firstServedMs: slowly ? undefined : Number.NEGATIVE_INFINITY,
    lapses: NO_LAPSES,
    insists: wish.hostname !== undefined && !wish.ifFree,
    isGiven: address !== undefined,
    ...(source === undefined ? {} : { source }),
  };
  const added: Seat =
    address === undefined
      ? { ...common, phase: 'vacant', startAtMs: atMs }
      : { ...common, phase: 'started', address, sinceMs: atMs, giveUpAtMs: Number.POSITIVE_INFINITY };
  return {
    ...state,
    lastIncarnation: replica.incarnation,
    seats: [...state.seats, added].sort((a, b) => a.replica.seat - b.replica.seat),
  };
}

/** Removes those seats. Replicas that served leave when they have finished their requests. */
export function withoutSeats(state: FleetState, removed: readonly SeatId[], atMs: number): FleetState {
  const leavers = state.seats.filter((seat) => removed.includes(seat.replica.seat));
  if (leavers.length === 0) return state;
  const leaving = leavers
    .filter((seat) => seat.phase !== 'vacant')
    .map((seat) => {
      const drains = seat.phase === 'serving' || seat.phase === 'down';
      return { ...leave(seat.replica, drains, atMs), isGiven: seat.isGiven };
    });
  const predecessors = leavers.flatMap((seat) => predecessorOf(seat) ?? []);
  return {
    ...state,
    seats: state.seats.filter((seat) => !leavers.includes(seat)),
    leaving: [
      ...state.leaving,
      ...leaving,
      ...predecessors.map(({ replica, isGiven }) => ({ ...leave(replica, true, atMs), isGiven })),
    ],
  };
}

/**
 * Gives that seat so many places: its own number, then those that it has, then the lowest free ones. For given
 * replicas, since nothing else keeps their places.
 */
export function withWeight(state: FleetState, number: SeatId, weight: number): FleetState {
  const seat = state.seats.find((one) => one.replica.seat === number);
  if (seat === undefined || !seat.isGiven || placesOf(seat.replica).length === weight) return state;
  const taken = placement(state);
  const places = placesOf(seat.replica).slice(0, weight);
  for (let place = 1; places.length < weight; place++) if (!taken.has(place)) places.push(place);
  const { extraPlaces: _, ...alone } = seat.replica;
  const replica = places.length === 1 ? alone : { ...alone, extraPlaces: places.slice(1) };
  return replaceSeat(state, replica.incarnation, (one) => ({ ...one, replica }));
}

// The wait is short, because what this machine lacks, such as a file descriptor, may be there again at any moment.
const IMPOSSIBLE_WAIT_MS = 1000;

/** Why a seat loses its replica. */
export interface Loss {
  readonly reason: string;
  /** Trying again cannot help. */
  readonly final?: boolean;
  /** The loss says nothing about the replica, so it does not count among its lapses. */
  readonly innocent?: boolean;
  /** It is final because of what the replica answers to heartbeats. */
  readonly isUnfit?: boolean;
  /** Another hostname would help. */
  readonly nameIsTaken?: boolean;
}

/**
 * The seat stays on the ring and waits for its next replica; the one it had is stopped, in case it still runs. A seat
 * with a given replica keeps it, since only heartbeats say how that replica is.
 */
export function loseReplica(
  state: FleetState,
  incarnation: number,
  loss: Loss,
  atMs: number,
  rules: FleetRules,
): FleetState {
  const seat = state.seats.find((one) => one.replica.incarnation === incarnation);
  if (seat === undefined || seat.phase === 'vacant' || seat.isGiven) return state;
  const served = seat.phase === 'serving';
  const { reason, isUnfit = false, final = isUnfit, innocent = false } = loss;
  const count = innocent
    ? seat.lapses.count
    : served && atMs - seat.sinceMs >= rules.stableMs
      ? 1
      : seat.lapses.count + 1;
  // Nobody has seen a replica that never served, so the next one keeps its name: `server1` is there after the start.
  const wasKnown = served || (seat.phase === 'started' && seat.isOld);
  const isRenamed = loss.nameIsTaken === true && !seat.insists;
  const hostname = wasKnown || isRenamed ? undefined : seat.replica.hostname;
  const replica = nextReplica(state, seat.replica, hostname);
  const vacant: Seat = {
    phase: 'vacant',
    replica,
    joined: hostname === undefined ? replica.incarnation : seat.joined,
    firstServedMs: seat.firstServedMs,
    startAtMs: atMs + (innocent ? IMPOSSIBLE_WAIT_MS : backoffMs(count, rules)),
    lapses: { count, reason, final: final && !isRenamed, isUnfit },
    insists: seat.insists && !wasKnown,
    isGiven: false,
    predecessor: predecessorOf(seat),
  };
  const vacated = replaceSeat(state, incarnation, () => vacant);
  return {
    ...vacated,
    lastIncarnation: replica.incarnation,
    leaving: [...state.leaving, leave(seat.replica, false, atMs)],
  };
}

/** Wait before the start after the `lapse`-th loss in a row: none, base, 2 × base, … up to the cap, in ms. */
export function backoffMs(lapse: number, rules: FleetRules): number {
  return lapse <= 1 ? 0 : Math.min(rules.backoffCapMs, rules.backoffBaseMs * 2 ** (lapse - 2));
}

/** Stops replicas that belong to no seat. */
export function withStrays(state: FleetState, strays: readonly ReplicaRef[], atMs: number): FleetState {
  const known = new Set([...predecessors(state), ...state.leaving].map((one) => one.replica.incarnation));
  const added = strays.filter((replica) => !known.has(replica.incarnation));
  if (added.length === 0) return state;
  return { ...state, leaving: [...state.leaving, ...added.map((replica) => leave(replica, false, atMs))] };
}

export function leave(replica: ReplicaRef, drains: boolean, atMs: number): Leaving {
  return { replica, drains, isGiven: false, failedStops: 0, retryAtMs: atMs };
}

/** The next replica for a seat, on the same places. */
export function nextReplica(
  state: FleetState,
  { seat, extraPlaces }: Pick<ReplicaRef, 'seat' | 'extraPlaces'>,
  hostname: string | undefined,
): ReplicaRef {
  const incarnation = state.lastIncarnation + 1;
  const taken = allReplicas(state).map((one) => one.hostname);
  const name = hostname ?? randomName(state.nameSeed, incarnation, taken);
  return { seat, ...(extraPlaces === undefined ? {} : { extraPlaces }), incarnation, hostname: name };
}

/** The state with the seat of that incarnation changed; the same object if there is none, or nothing changes. */
export function replaceSeat(state: FleetState, incarnation: number, change: (seat: Seat) => Seat): FleetState {
  const index = state.seats.findIndex((seat) => seat.replica.incarnation === incarnation);
  const seat = state.seats[index];
  if (seat === undefined) return state;
  const changed = change(seat);
  return changed === seat ? state : { ...state, seats: state.seats.with(index, changed) };
}

/** A seat that does not serve has no requests to be drained of, unless its replica is given and may come back. */
export function withDrain(seat: Seat, isDrained: boolean): Seat {
  if (isDrained === (seat.isDrained === true) || (seat.phase !== 'serving' && seat.phase !== 'down')) return seat;
  const { isDrained: _, ...rest } = seat;
  return isDrained ? { ...rest, isDrained } : rest;
}

/** What a seat keeps from phase to phase. */
export function lasting(seat: Seat) {
  const { replica, joined, firstServedMs, lapses, insists, isGiven, isDrained, source, absentSinceMs } = seat;
  const drain = isDrained === undefined ? {} : { isDrained };
  const found = source === undefined ? {} : { source };
  const absent = absentSinceMs === undefined ? {} : { absentSinceMs };
  return { replica, joined, firstServedMs, lapses, insists, isGiven, ...drain, ...found, ...absent };
}
