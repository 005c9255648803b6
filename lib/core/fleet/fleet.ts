// The fleet as a pure function of its events. `observe` folds an event into the state, and `plan` says what should be
// under way. Both are given the time, and randomness comes from a seed. This file decides when a seat loses its replica
// and what follows; the supervisor carries out the plan and probes the replicas.
//
// A seat holds at most one replica that may get requests. A replica that lost its seat is `leaving` until it is
// reported stopped. Incarnations grow across the whole fleet, so an event about an earlier replica never matches a
// later one.

import { withFinding } from '../members/found.ts';
import { withMembers } from '../members/with-members.ts';
import type { Address, Finding, Member, PresentReplica, ReplicaRef, Wish } from '../ports.ts';
import type { SeatId } from '../ring/ring.ts';
import type { FleetState, Seat } from './fleet-state.ts';
import { afterSuspicion, type FailureKind } from './health.ts';
import { adopt, afterInventory } from './inventory.ts';
import { afterProbeOf, withHealth } from './judgement.ts';
import { beginReplacement, endReplacement, losePredecessor } from './predecessors.ts';
import { sameHostname } from './replica-name.ts';
import {
  backoffMs,
  type FleetRules,
  type Loss,
  lasting,
  loseReplica,
  replaceSeat,
  withDrain,
  withNewSeat,
  withoutSeats,
  withStrays,
  withWeight,
} from './seats.ts';

/** What happened to the fleet, and when. */
export type FleetEvent = { readonly atMs: number } & (
  | {
      readonly type: 'add';
      readonly wishes: readonly Wish[];
      /** The new seats take over their slots by a slow start. */
      readonly slowly: boolean;
    }
  | { readonly type: 'remove'; readonly seats: readonly SeatId[] }
  /** The fleet is to be these, whatever it was. `slowly` as for `add`. */
  | { readonly type: 'members'; readonly members: readonly Member[]; readonly slowly: boolean }
  | { readonly type: 'found'; readonly finding: Finding }
  /** Given replicas have other weights from now on. */
  | { readonly type: 'weigh'; readonly weights: ReadonlyMap<SeatId, number> }
  /** A replica that is well is to be replaced by the next in its seat, or keeps the seat after all. */
  | { readonly type: 'replace' | 'keep'; readonly incarnation: number }
  | { readonly type: 'starting'; readonly incarnation: number }
  | { readonly type: 'started'; readonly replica: ReplicaRef; readonly address: Address }
  | ({ readonly type: 'start-failed'; readonly incarnation: number } & Loss)
  /** This machine could not even try to start it, which says nothing about the replica. */
  | { readonly type: 'start-impossible'; readonly incarnation: number; readonly reason: string }
  | {
      readonly type: 'probed';
      readonly incarnation: number;
      readonly failure: string | undefined;
      /** Defaults to `other`. */
      readonly kind?: FailureKind;
    }
  | { readonly type: 'suspected'; readonly incarnation: number }
  /** A replica is to take no new requests, or to take them again. */
  | { readonly type: 'drain'; readonly incarnation: number; readonly isDrained: boolean }
  | { readonly type: 'exited'; readonly incarnation: number; readonly reason: string }
  | { readonly type: 'stopped'; readonly incarnation: number }
  | { readonly type: 'stop-failed'; readonly incarnation: number }
  | { readonly type: 'inventory'; readonly present: readonly PresentReplica[]; readonly askedAtMs: number }
  /** What an earlier process left, as found at the start. */
  | { readonly type: 'adopt'; readonly present: readonly PresentReplica[] }
  /** The runtime answers again, so starts and stops that wait for a retry need not wait any longer. */
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
  /** A given replica may finish its requests, and then runs on without us. */
  | { readonly type: 'release'; readonly replica: ReplicaRef; readonly drains: boolean };

/** The state after an event; the same object if the event changes nothing. */
export function observe(state: FleetState, event: FleetEvent, rules: FleetRules): FleetState {
  switch (event.type) {
    case 'add':
      return event.wishes.reduce((grown, wish) => withNewSeat(grown, wish, event.slowly, event.atMs), state);
    case 'remove':
      return withoutSeats(state, event.seats, event.atMs);
    case 'members':
      return withMembers(state, event.members, event.slowly, event.atMs);
    case 'found':
      return withFinding(state, event.finding, event.atMs, rules);
    case 'weigh':
      return event.weights.entries().reduce((weighed, [seat, weight]) => withWeight(weighed, seat, weight), state);
    case 'replace':
      return beginReplacement(state, event.incarnation, event.atMs);
    case 'keep':
      return endReplacement(state, event.incarnation, event.atMs);
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
    case 'drain':
      return replaceSeat(state, event.incarnation, (seat) => withDrain(seat, event.isDrained));
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

/** What should be under way at `nowMs`, including what already is: the caller skips that. */
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

/** When `plan` will ask for more than at `nowMs` if no event comes before; Infinity if it never will. */
export function nextDueMs(state: FleetState, nowMs: number): number {
  let nextMs = Number.POSITIVE_INFINITY;
  const consider = (dueMs: number) => {
    if (dueMs > nowMs && dueMs < nextMs) nextMs = dueMs;
  };
  for (const seat of state.seats) if (seat.phase === 'vacant') consider(seat.startAtMs);
  for (const { retryAtMs } of state.leaving) consider(retryAtMs);
  return nextMs;
}

// The longest wait goes first, so a seat whose starts keep failing cannot hold up the others.
function dueStarts(state: FleetState, nowMs: number): Seat[] {
  const due = state.seats.filter((seat): seat is VacantSeat => {
    if (seat.phase !== 'vacant' || seat.startAtMs > nowMs) return false;
    // A hostname is free only once the replica that had it is gone, since Docker and DNS allow one of a name at a time.
    return !state.leaving.some((one) => sameHostname(one.replica.hostname, seat.replica.hostname));
  });
  return due.sort((a, b) => a.startAtMs - b.startAtMs || a.replica.incarnation - b.replica.incarnation);
}

// A start counts until its replica serves, because until then it takes as much of the machine as it can get.
function startsUnderWay(state: FleetState): number {
  return state.seats.filter((seat) => seat.phase === 'starting' || isComingUp(seat)).length;
}

function isComingUp(seat: Seat): boolean {
  return seat.phase === 'started' && !seat.isOld && !seat.isGiven;
}

/** How many rounds of starts it takes until all seats that are started here serve; at least 1. */
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
  // The replica came up after its start was given up: nothing else would ever stop it.
  if (seat === undefined) return withStrays(state, [replica], atMs);
  return state;
}

function withoutWaiting(state: FleetState, atMs: number): FleetState {
  return {
    ...state,
    seats: state.seats.map((seat) =>
      seat.phase === 'vacant' && !seat.isGiven ? { ...seat, startAtMs: Math.min(seat.startAtMs, atMs) } : seat,
    ),
    leaving: state.leaving.map((one) => ({ ...one, retryAtMs: Math.min(one.retryAtMs, atMs) })),
  };
}

function failureOf({ failure, kind = 'other' }: { failure: string | undefined; kind?: FailureKind }) {
  return failure === undefined ? undefined : { reason: failure, kind };
}
