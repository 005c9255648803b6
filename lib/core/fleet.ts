// The fleet as a pure function of what happened. `observe` folds an event into the state, `plan` says what should be under
// way now; time comes in with both, chance comes in as a seed. It decides when a seat's replica is lost and what follows;
// running the plan, and asking replicas how they are, is left to the supervisor.
//
// A seat holds at most one replica that may be routed to. A replica that lost its seat is `leaving` until it is reported
// stopped. Incarnations grow across the whole fleet, so news of a past life never matches a present one.

import type { FleetState, Seat, Wish } from './fleet-state.ts';
import {
  afterProbe,
  afterSuspicion,
  type FailureKind,
  HEALTHY,
  type Health,
  isConvicted,
  type ProbeFailure,
} from './health.ts';
import { adopt, afterInventory } from './inventory.ts';
import type { Address, PresentReplica, ReplicaRef } from './ports.ts';
import { sameHostname } from './replica-name.ts';
import type { SeatId } from './ring.ts';
import {
  backoffMs,
  type FleetRules,
  loseReplica,
  replaceSeat,
  withNewSeat,
  withoutSeats,
  withStrays,
} from './seats.ts';

export type FleetEvent = { readonly atMs: number } & (
  | {
      readonly type: 'add';
      readonly wishes: readonly Wish[];
      /** They take their slots by a slow start. */
      readonly slowly: boolean;
    }
  | { readonly type: 'remove'; readonly seats: readonly SeatId[] }
  | { readonly type: 'starting'; readonly incarnation: number }
  | { readonly type: 'started'; readonly replica: ReplicaRef; readonly address: Address }
  | { readonly type: 'start-failed'; readonly incarnation: number; readonly reason: string; readonly final: boolean }
  /** This machine could not even try: the replica has no part in it. */
  | { readonly type: 'start-impossible'; readonly incarnation: number; readonly reason: string }
  | {
      readonly type: 'probed';
      readonly incarnation: number;
      readonly failure: string | undefined;
      /** `other` if it is not said. */
      readonly kind?: FailureKind;
    }
  | { readonly type: 'suspected'; readonly incarnation: number }
  | { readonly type: 'exited'; readonly incarnation: number; readonly reason: string }
  | { readonly type: 'stopped'; readonly incarnation: number }
  | { readonly type: 'stop-failed'; readonly incarnation: number }
  | { readonly type: 'inventory'; readonly present: readonly PresentReplica[]; readonly askedAtMs: number }
  /** At the start: what an earlier process left. */
  | { readonly type: 'adopt'; readonly present: readonly PresentReplica[] }
  /** The runtime answers again: what waits to be tried once more need not. */
  | { readonly type: 'restored' }
);

export type FleetAction =
  | { readonly type: 'start'; readonly replica: ReplicaRef }
  | { readonly type: 'stop'; readonly replica: ReplicaRef; readonly drains: boolean };

// A program that does not listen so long after its start, in ms, is worth a word.
const COMPLAIN_AFTER_MS = 800;
// Failures of what is down are counted so far: how long it lasts after that changes nothing.
const MOST_COUNTED = 100;

/** The state after an event. News that changes nothing gives back the same object. */
export function observe(state: FleetState, event: FleetEvent, rules: FleetRules): FleetState {
  switch (event.type) {
    case 'add':
      return event.wishes.reduce((grown, wish) => withNewSeat(grown, wish, event.slowly, event.atMs), state);
    case 'remove':
      return withoutSeats(state, event.seats, event.atMs);
    case 'starting':
      return replaceSeat(state, event.incarnation, (seat) =>
        seat.phase === 'vacant'
          ? { ...lasting(seat), phase: 'starting', giveUpAtMs: event.atMs + rules.startTimeoutMs }
          : seat,
      );
    case 'started':
      return afterStart(state, event.replica, event.address, event.atMs);
    case 'probed':
      return afterProbeOf(state, event.incarnation, failureOf(event), event.atMs, rules);
    case 'suspected':
      return replaceSeat(state, event.incarnation, (seat) =>
        seat.phase === 'serving' ? withHealth(seat, afterSuspicion(seat.health)) : seat,
      );
    case 'start-failed':
      return loseReplica(state, event.incarnation, event, event.atMs, rules);
    case 'start-impossible':
      return loseReplica(state, event.incarnation, { reason: event.reason, innocent: true }, event.atMs, rules);
    case 'exited':
      return loseReplica(state, event.incarnation, { reason: event.reason, final: false }, event.atMs, rules);
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
      return afterInventory(state, event.present, event.askedAtMs, event.atMs, rules);
    case 'adopt':
      return adopt(state, event.present, event.atMs, rules);
    case 'restored':
      return withoutWaiting(state, event.atMs);
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

function failureOf({ failure, kind = 'other' }: { failure: string | undefined; kind?: FailureKind }) {
  return failure === undefined ? undefined : { reason: failure, kind };
}

function afterProbeOf(
  state: FleetState,
  incarnation: number,
  failure: ProbeFailure | undefined,
  atMs: number,
  rules: FleetRules,
): FleetState {
  const seat = state.seats.find((one) => one.replica.incarnation === incarnation);
  switch (seat?.phase) {
    case 'started':
      if (failure === undefined) return replaceSeat(state, incarnation, () => serving(seat, atMs));
      // A service that nobody here started is not given up either.
      if (atMs >= seat.giveUpAtMs && !rules.keepNames) {
        return loseReplica(state, incarnation, failure, atMs, rules);
      }
      return replaceSeat(state, incarnation, () => complaining(seat, failure, atMs, rules));
    case 'serving': {
      const health = afterProbe(seat.health, failure === undefined);
      if (failure === undefined || !isConvicted(health, rules.failuresToConvict)) {
        return replaceSeat(state, incarnation, () => withHealth(seat, health));
      }
      if (rules.keepNames) return replaceSeat(state, incarnation, () => down(seat, failure, atMs));
      const isLast = !state.seats.some((one) => one.phase === 'serving' && one !== seat);
      if (rules.failOpen && isLast) return replaceSeat(state, incarnation, () => withHealth(seat, health));
      return loseReplica(state, incarnation, failure, atMs, rules);
    }
    case 'down':
      return replaceSeat(state, incarnation, () => afterProbeOfDown(seat, failure, atMs, rules));
    case 'vacant':
    case 'starting':
    case undefined:
      return state;
  }
}

function serving(seat: Extract<Seat, { address: Address }>, atMs: number): Seat {
  const { address, firstServedMs } = seat;
  return {
    ...lasting(seat),
    firstServedMs: firstServedMs ?? atMs,
    phase: 'serving',
    address,
    sinceMs: atMs,
    health: HEALTHY,
  };
}

// What does not listen yet may be about to; an answer that is wrong will not become right, and what others run is there or is not.
function complaining(
  seat: Extract<Seat, { phase: 'started' }>,
  failure: ProbeFailure,
  atMs: number,
  rules: FleetRules,
): Seat {
  const isWorthTelling = rules.keepNames || failure.kind === 'unfit' || atMs - seat.sinceMs >= COMPLAIN_AFTER_MS;
  return !isWorthTelling || seat.complaint?.reason === failure.reason ? seat : { ...seat, complaint: failure };
}

function down(seat: Extract<Seat, { phase: 'serving' }>, complaint: ProbeFailure, atMs: number): Seat {
  return { ...lasting(seat), phase: 'down', address: seat.address, sinceMs: atMs, complaint, bad: 0, good: 0 };
}

function afterProbeOfDown(
  seat: Extract<Seat, { phase: 'down' }>,
  failure: ProbeFailure | undefined,
  atMs: number,
  rules: FleetRules,
): Seat {
  if (failure !== undefined) {
    const bad = Math.min(MOST_COUNTED, seat.bad + 1);
    const isNews = bad !== seat.bad || seat.good > 0 || failure.kind !== seat.complaint.kind;
    return isNews ? { ...seat, complaint: failure, bad, good: 0 } : seat;
  }
  const good = seat.good + 1;
  return good >= rules.riseToReturn ? serving(seat, atMs) : { ...seat, good };
}

// What a seat keeps from phase to phase.
function lasting({ replica, joined, firstServedMs, lapses }: Seat) {
  return { replica, joined, firstServedMs, lapses };
}

function withoutWaiting(state: FleetState, atMs: number): FleetState {
  return {
    ...state,
    seats: state.seats.map((seat) =>
      seat.phase === 'vacant' ? { ...seat, startAtMs: Math.min(seat.startAtMs, atMs) } : seat,
    ),
    leaving: state.leaving.map((one) => ({ ...one, retryAtMs: Math.min(one.retryAtMs, atMs) })),
  };
}

function withHealth(seat: Extract<Seat, { phase: 'serving' }>, health: Health): Seat {
  return health === seat.health ? seat : { ...seat, health };
}
