// The fleet as a pure function of what happened. `observe` folds an event into the state, `plan` says what should be under
// way now; time comes in with both, chance comes in as a seed. It decides when a seat's replica is lost and what follows;
// running the plan, and asking replicas how they are, is left to the supervisor.
//
// A seat holds at most one replica that may be routed to. A replica that lost its seat is `leaving` until it is reported
// stopped. Incarnations grow across the whole fleet, so news of a past life never matches a present one.

import type { FleetState, Leaving, Seat } from './fleet-state.ts';
import { afterProbe, afterSuspicion, HEALTHY, type Health, isConvicted } from './health.ts';
import type { Address, ReplicaRef } from './ports.ts';
import { randomName, sameHostname } from './replica-name.ts';
import type { SeatId } from './ring.ts';

export interface FleetRules {
  /** Failed probes in a row that cost a replica its seat. */
  readonly failuresToConvict: number;
  /** From the start of a replica to its first good probe, in ms. */
  readonly startTimeoutMs: number;
  /** Wait before the second start in a row, in ms; it doubles up to `backoffCapMs`. The first is not waited for. */
  readonly backoffBaseMs: number;
  readonly backoffCapMs: number;
  /** A life of at least this many ms makes the next loss a first one again. */
  readonly stableMs: number;
  /** Replicas that nobody can rename (`--upstream`) keep their hostname from life to life. */
  readonly keepNames: boolean;
}

export type FleetEvent = { readonly atMs: number } & (
  | { readonly type: 'add'; readonly hostnames: readonly (string | undefined)[] }
  | { readonly type: 'remove'; readonly seats: readonly SeatId[] }
  | { readonly type: 'starting'; readonly incarnation: number }
  | { readonly type: 'started'; readonly replica: ReplicaRef; readonly address: Address }
  | { readonly type: 'start-failed'; readonly incarnation: number; readonly reason: string }
  | { readonly type: 'probed'; readonly incarnation: number; readonly failure: string | undefined }
  | { readonly type: 'suspected'; readonly incarnation: number }
  | { readonly type: 'exited'; readonly incarnation: number; readonly reason: string }
  | { readonly type: 'stopped'; readonly incarnation: number }
  | { readonly type: 'stop-failed'; readonly incarnation: number }
  | { readonly type: 'inventory'; readonly replicas: readonly ReplicaRef[]; readonly askedAtMs: number }
);

export type FleetAction =
  | { readonly type: 'start'; readonly replica: ReplicaRef }
  | { readonly type: 'stop'; readonly replica: ReplicaRef; readonly drains: boolean };

/** The state after an event. News that changes nothing gives back the same object. */
export function observe(state: FleetState, event: FleetEvent, rules: FleetRules): FleetState {
  switch (event.type) {
    case 'add':
      return event.hostnames.reduce((grown, hostname) => withNewSeat(grown, hostname, event.atMs), state);
    case 'remove':
      return withoutSeats(state, event.seats, event.atMs);
    case 'starting':
      return replaceSeat(state, event.incarnation, (seat) =>
        seat.phase === 'vacant'
          ? {
              phase: 'starting',
              replica: seat.replica,
              giveUpAtMs: event.atMs + rules.startTimeoutMs,
              lapses: seat.lapses,
            }
          : seat,
      );
    case 'started':
      return afterStart(state, event.replica, event.address, event.atMs);
    case 'probed':
      return afterProbeOf(state, event.incarnation, event.failure, event.atMs, rules);
    case 'suspected':
      return replaceSeat(state, event.incarnation, (seat) =>
        seat.phase === 'serving' ? withHealth(seat, afterSuspicion(seat.health)) : seat,
      );
    case 'start-failed':
    case 'exited':
      return lose(state, event.incarnation, event.reason, event.atMs, rules);
    case 'stopped': {
      const leaving = state.leaving.filter((one) => one.replica.incarnation !== event.incarnation);
      return leaving.length === state.leaving.length ? state : { ...state, leaving };
    }
    case 'stop-failed':
      return {
        ...state,
        leaving: state.leaving.map((one) =>
          one.replica.incarnation === event.incarnation
            ? {
                ...one,
                failedStops: one.failedStops + 1,
                retryAtMs: event.atMs + backoffMs(one.failedStops + 2, rules),
              }
            : one,
        ),
      };
    case 'inventory':
      return afterInventory(state, event.replicas, event.askedAtMs, event.atMs, rules);
  }
}

/** What should be under way at `nowMs`. Asked twice it says the same: who runs it skips what already runs. */
export function plan(state: FleetState, nowMs: number): readonly FleetAction[] {
  const actions: FleetAction[] = [];
  for (const seat of state.seats) {
    if (seat.phase !== 'vacant' || seat.startAtMs > nowMs) continue;
    // A hostname is free again when the replica that had it is gone: Docker and DNS know one of a name at a time.
    const nameIsHeld = state.leaving.some((one) => sameHostname(one.replica.hostname, seat.replica.hostname));
    if (!nameIsHeld) actions.push({ type: 'start', replica: seat.replica });
  }
  for (const { replica, drains, retryAtMs } of state.leaving) {
    if (retryAtMs <= nowMs) actions.push({ type: 'stop', replica, drains });
  }
  return actions;
}

/** When `plan` will next say more than it does at `nowMs`, if no event comes before; Infinity if never. */
export function nextDueMs(state: FleetState, nowMs: number): number {
  const starts = state.seats.map((seat) => (seat.phase === 'vacant' ? seat.startAtMs : Number.POSITIVE_INFINITY));
  const stops = state.leaving.map((one) => one.retryAtMs);
  return Math.min(Number.POSITIVE_INFINITY, ...[...starts, ...stops].filter((dueMs) => dueMs > nowMs));
}

/** Wait before the start after the `lapse`-th loss in a row: none, base, 2 × base, … up to the cap, in ms. */
export function backoffMs(lapse: number, rules: FleetRules): number {
  return lapse <= 1 ? 0 : Math.min(rules.backoffCapMs, rules.backoffBaseMs * 2 ** (lapse - 2));
}

function withNewSeat(state: FleetState, hostname: string | undefined, atMs: number): FleetState {
  const taken = new Set(state.seats.map((seat) => seat.replica.seat));
  let seat = 1;
  while (taken.has(seat)) seat += 1;
  const replica = nextReplica(state, seat, hostname);
  const vacant: Seat = { phase: 'vacant', replica, startAtMs: atMs, lapses: { count: 0, reason: '' } };
  return {
    ...state,
    lastIncarnation: replica.incarnation,
    seats: [...state.seats, vacant].sort((a, b) => a.replica.seat - b.replica.seat),
  };
}

function withoutSeats(state: FleetState, removed: readonly SeatId[], atMs: number): FleetState {
  const leavers = state.seats.filter((seat) => removed.includes(seat.replica.seat));
  if (leavers.length === 0) return state;
  const leaving = leavers
    .filter((seat) => seat.phase !== 'vacant')
    .map((seat) => leave(seat.replica, seat.phase === 'serving', atMs));
  return {
    ...state,
    seats: state.seats.filter((seat) => !leavers.includes(seat)),
    leaving: [...state.leaving, ...leaving],
  };
}

function afterStart(state: FleetState, replica: ReplicaRef, address: Address, atMs: number): FleetState {
  const seat = state.seats.find((one) => one.replica.incarnation === replica.incarnation);
  if (seat?.phase === 'starting') {
    const started: Seat = { ...seat, phase: 'started', address, sinceMs: atMs };
    return replaceSeat(state, replica.incarnation, () => started);
  }
  // It came up after it was given up: nobody else would ever stop it.
  if (seat === undefined) return withStrays(state, [replica], atMs);
  return state;
}

function afterProbeOf(
  state: FleetState,
  incarnation: number,
  failure: string | undefined,
  atMs: number,
  rules: FleetRules,
): FleetState {
  const seat = state.seats.find((one) => one.replica.incarnation === incarnation);
  if (seat?.phase === 'started') {
    if (failure === undefined) {
      const { replica, lapses, address } = seat;
      return replaceSeat(state, incarnation, () => ({
        phase: 'serving',
        replica,
        lapses,
        address,
        sinceMs: atMs,
        health: HEALTHY,
      }));
    }
    return atMs < seat.giveUpAtMs ? state : lose(state, incarnation, failure, atMs, rules);
  }
  if (seat?.phase === 'serving') {
    const health = afterProbe(seat.health, failure === undefined);
    return failure !== undefined && isConvicted(health, rules.failuresToConvict)
      ? lose(state, incarnation, failure, atMs, rules)
      : replaceSeat(state, incarnation, () => withHealth(seat, health));
  }
  return state;
}

// The seat stays on the ring and waits for its next replica; the one it had is stopped, in case it still runs.
function lose(state: FleetState, incarnation: number, reason: string, atMs: number, rules: FleetRules): FleetState {
  const seat = state.seats.find((one) => one.replica.incarnation === incarnation);
  if (seat === undefined || seat.phase === 'vacant') return state;
  const served = seat.phase === 'serving';
  const count = served && atMs - seat.sinceMs >= rules.stableMs ? 1 : seat.lapses.count + 1;
  // A replica that never served was never known: the next one may have its name, so that `server1` is there at start.
  const hostname = served && !rules.keepNames ? undefined : seat.replica.hostname;
  const replica = nextReplica(state, seat.replica.seat, hostname);
  const vacant: Seat = {
    phase: 'vacant',
    replica,
    startAtMs: atMs + backoffMs(count, rules),
    lapses: { count, reason },
  };
  const vacated = replaceSeat(state, incarnation, () => vacant);
  return {
    ...vacated,
    lastIncarnation: replica.incarnation,
    leaving: [...state.leaving, leave(seat.replica, false, atMs)],
  };
}

// What is there and not wanted is stopped; what is wanted and not there is lost. A replica that started after the list
// was asked for may be missing from it without being gone.
function afterInventory(
  state: FleetState,
  present: readonly ReplicaRef[],
  askedAtMs: number,
  atMs: number,
  rules: FleetRules,
): FleetState {
  const presentIncarnations = new Set(present.map((replica) => replica.incarnation));
  const gone = state.seats.filter(
    (seat) =>
      (seat.phase === 'started' || seat.phase === 'serving') &&
      seat.sinceMs < askedAtMs &&
      !presentIncarnations.has(seat.replica.incarnation),
  );
  const known = new Set([...state.seats, ...state.leaving].map((one) => one.replica.incarnation));
  const strays = present.filter((replica) => !known.has(replica.incarnation));
  const lost = gone.reduce(
    (rest, seat) => lose(rest, seat.replica.incarnation, 'it is no longer there', atMs, rules),
    state,
  );
  return withStrays(lost, strays, atMs);
}

function withStrays(state: FleetState, strays: readonly ReplicaRef[], atMs: number): FleetState {
  const known = new Set(state.leaving.map((one) => one.replica.incarnation));
  const added = strays.filter((replica) => !known.has(replica.incarnation));
  if (added.length === 0) return state;
  return { ...state, leaving: [...state.leaving, ...added.map((replica) => leave(replica, false, atMs))] };
}

function leave(replica: ReplicaRef, drains: boolean, atMs: number): Leaving {
  return { replica, drains, failedStops: 0, retryAtMs: atMs };
}

function nextReplica(state: FleetState, seat: SeatId, hostname: string | undefined): ReplicaRef {
  const incarnation = state.lastIncarnation + 1;
  const taken = [...state.seats, ...state.leaving].map((one) => one.replica.hostname);
  return { seat, incarnation, hostname: hostname ?? randomName(state.nameSeed, incarnation, taken) };
}

function replaceSeat(state: FleetState, incarnation: number, change: (seat: Seat) => Seat): FleetState {
  const index = state.seats.findIndex((seat) => seat.replica.incarnation === incarnation);
  const seat = state.seats[index];
  if (seat === undefined) return state;
  const changed = change(seat);
  return changed === seat ? state : { ...state, seats: state.seats.with(index, changed) };
}

function withHealth(seat: Extract<Seat, { phase: 'serving' }>, health: Health): Seat {
  return health === seat.health ? seat : { ...seat, health };
}
