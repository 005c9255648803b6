// The fleet as a pure function of what happened. `observe` folds an event into the state, `plan` says what should be under
// way now; time comes in with both, chance comes in as a seed. It decides when a seat's replica is lost and what follows;
// running the plan, and asking replicas how they are, is left to the supervisor.
//
// A seat holds at most one replica that may be routed to. A replica that lost its seat is `leaving` until it is reported
// stopped. Incarnations grow across the whole fleet, so news of a past life never matches a present one.

import type { Address, PresentReplica, ReplicaRef, Wish } from '../ports.ts';
import type { SeatId } from '../ring/ring.ts';
import type { FleetState, Seat } from './fleet-state.ts';
import { afterSuspicion, type FailureKind } from './health.ts';
import { adopt, afterInventory } from './inventory.ts';
import { afterProbeOf, withHealth } from './judgement.ts';
import { losePredecessor } from './predecessors.ts';
import { sameHostname } from './replica-name.ts';
import {
  backoffMs,
  type FleetRules,
  type Loss,
  lasting,
  loseReplica,
  replaceSeat,
  withNewSeat,
  withoutSeats,
  withStrays,
} from './seats.ts';

/** What happened to the fleet, and when. */
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
  | ({ readonly type: 'start-failed'; readonly incarnation: number } & Loss)
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

/** A FleetEvent before it gets its time. (`Omit` alone would merge the union into one shape.) */
export type UntimedEvent = FleetEvent extends infer Event
  ? Event extends FleetEvent
    ? Omit<Event, 'atMs'>
    : never
  : never;

type VacantSeat = Extract<Seat, { phase: 'vacant' }>;

export type FleetAction =
  | { readonly type: 'start'; readonly replica: ReplicaRef }
  | { readonly type: 'stop'; readonly replica: ReplicaRef; readonly drains: boolean }
  /** It was given: it finishes its requests, and goes on without us. */
  | { readonly type: 'release'; readonly replica: ReplicaRef; readonly drains: boolean };

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
          ? {
              ...lasting(seat),
              predecessor: seat.predecessor,
              phase: 'starting',
              giveUpAtMs: event.atMs + rules.startTimeoutMs,
            }
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
    case 'exited': {
      const rest = losePredecessor(state, event.incarnation, event.atMs);
      return loseReplica(rest, event.incarnation, { reason: event.reason, final: false }, event.atMs, rules);
    }
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
export function plan(state: FleetState, nowMs: number, { parallelStarts }: FleetRules): readonly FleetAction[] {
  const free = Math.max(0, parallelStarts - startsUnderWay(state));
  const actions: FleetAction[] = dueStarts(state, nowMs)
    .slice(0, free)
    .map(({ replica }) => ({ type: 'start', replica }));
  for (const { replica, drains, isGiven, retryAtMs } of state.leaving) {
    if (retryAtMs <= nowMs) actions.push({ type: isGiven ? 'release' : 'stop', replica, drains });
  }
  return actions;
}

/** When `plan` will next say more than it does at `nowMs`, if no event comes before; Infinity if never. */
export function nextDueMs(state: FleetState, nowMs: number): number {
  const starts = state.seats.map((seat) => (seat.phase === 'vacant' ? seat.startAtMs : Number.POSITIVE_INFINITY));
  const stops = state.leaving.map((one) => one.retryAtMs);
  return Math.min(Number.POSITIVE_INFINITY, ...[...starts, ...stops].filter((dueMs) => dueMs > nowMs));
}

// Those that wait longest first: one that fails again and again does not keep the others from their turn.
function dueStarts(state: FleetState, nowMs: number): Seat[] {
  const due = state.seats.filter((seat): seat is VacantSeat => {
    if (seat.phase !== 'vacant' || seat.startAtMs > nowMs) return false;
    // A hostname is free again when the replica that had it is gone: Docker and DNS know one of a name at a time.
    return !state.leaving.some((one) => sameHostname(one.replica.hostname, seat.replica.hostname));
  });
  return due.sort((a, b) => a.startAtMs - b.startAtMs || a.replica.incarnation - b.replica.incarnation);
}

// A start counts until the replica serves, since it takes all of the machine that it can get until then.
function startsUnderWay(state: FleetState): number {
  return state.seats.filter((seat) => seat.phase === 'starting' || isComingUp(seat)).length;
}

function isComingUp(seat: Seat): boolean {
  return seat.phase === 'started' && !seat.isOld && !seat.isGiven;
}

/** In how many rounds of starts all seats can serve that do not yet and are started here, 1 or more. */
export function startRounds(state: FleetState, { parallelStarts }: Pick<FleetRules, 'parallelStarts'>): number {
  const missing = state.seats.filter(({ phase, isGiven }) => phase !== 'serving' && !isGiven).length;
  return Math.max(1, Math.ceil(missing / parallelStarts));
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

function withoutWaiting(state: FleetState, atMs: number): FleetState {
  return {
    ...state,
    seats: state.seats.map((seat) =>
      seat.phase === 'vacant' ? { ...seat, startAtMs: Math.min(seat.startAtMs, atMs) } : seat,
    ),
    leaving: state.leaving.map((one) => ({ ...one, retryAtMs: Math.min(one.retryAtMs, atMs) })),
  };
}

function failureOf({ failure, kind = 'other' }: { failure: string | undefined; kind?: FailureKind }) {
  return failure === undefined ? undefined : { reason: failure, kind };
}
