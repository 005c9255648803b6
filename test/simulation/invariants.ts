// What has to hold in every published state, whatever happens. lib/README.md lists the invariants.

import assert from 'node:assert/strict';
import { type FleetEvent, observe, plan } from '../../lib/core/fleet/fleet.ts';
import { allReplicas, type FleetState, placement, routes } from '../../lib/core/fleet/fleet-state.ts';
import type { FleetRules } from '../../lib/core/fleet/seats.ts';
import type { ReplicaRef } from '../../lib/core/ports.ts';
import type { SeatId } from '../../lib/core/ring/ring.ts';
import type { Change } from './changes.ts';

/** Checks a state and the one published before. Throws AssertionError. */
export function checkStep(before: FleetState, after: FleetState, changes: Iterable<Change>, rules: FleetRules): void {
  checkRing(before, after, [...changes]);
  const comingUp = (state: FleetState) => state.seats.filter(({ phase }) => phase === 'starting').length;
  assert(comingUp(after) <= Math.max(rules.parallelStarts, comingUp(before)), 'too many start at a time');
  const incarnations = allReplicas(after).map((one) => one.incarnation);
  assert.equal(new Set(incarnations).size, incarnations.length, 'an incarnation is in two places');
  assert(Math.max(0, ...after.seats.map((seat) => seat.replica.incarnation)) <= after.lastIncarnation);
  const routed = routes(after).map((route) => route.replica.seat);
  assert.equal(new Set(routed).size, routed.length, 'two replicas of one seat are routed to');
  if (wasConvicted(before, after)) {
    const needed = Math.min(routes(before).length, Math.ceil(before.seats.length / 2));
    assert(routed.length >= needed, 'a heartbeat took out one that was needed');
  }
}

/**
 * Checks that late events about a replica that is gone change nothing, except that one which came up too late is
 * stopped. Throws AssertionError.
 */
export function checkLateEvents(state: FleetState, replica: ReplicaRef, atMs: number, rules: FleetRules): void {
  const { incarnation } = replica;
  const late: FleetEvent[] = [
    { type: 'starting', incarnation, atMs },
    { type: 'start-failed', incarnation, reason: 'no reply', atMs },
    { type: 'start-impossible', incarnation, reason: 'no memory', atMs },
    { type: 'probed', incarnation, failure: undefined, atMs },
    { type: 'probed', incarnation, failure: 'no answer', atMs },
    { type: 'suspected', incarnation, atMs },
    { type: 'replace', incarnation, atMs },
    { type: 'keep', incarnation, atMs },
    { type: 'drain', incarnation, isDrained: true, atMs },
    { type: 'exited', incarnation, reason: 'killed', atMs },
    { type: 'stopped', incarnation, atMs },
    { type: 'stop-failed', incarnation, atMs },
  ];
  for (const event of late) assert.deepEqual(observe(state, event, rules), state, `late: ${event.type}`);
  const cameUp = observe(state, { type: 'started', replica, address: { type: 'unix', path: '/late' }, atMs }, rules);
  const stopped = { replica, isGiven: false, drains: false, failedStops: 0, retryAtMs: atMs };
  assert.deepEqual(cameUp, { ...state, leaving: [...state.leaving, stopped] }, 'late: started');
}

/** Checks that what is due has been begun once everything has settled. Throws AssertionError. */
export function checkStarts(state: FleetState, nowMs: number, rules: FleetRules): void {
  const due = plan(state, nowMs, rules).filter(({ type }) => type === 'start');
  assert.deepEqual(due, [], 'a start is due, and was not begun');
}

/**
 * Checks that replicas that get requests are probed at a regular interval. Throws AssertionError.
 * @param askedMs has the times of the probes, by incarnation.
 */
export function checkProbes(
  state: FleetState,
  askedMs: ReadonlyMap<number, number>,
  nowMs: number,
  limitMs: number,
): void {
  for (const { replica } of routes(state)) {
    const agoMs = nowMs - (askedMs.get(replica.incarnation) ?? Number.NEGATIVE_INFINITY);
    assert(agoMs <= limitMs, `${replica.incarnation} is routed to, and was not probed for ${agoMs} ms`);
  }
}

// Only changes that were asked for may change the ring, and by no more than was asked for.
function checkRing(before: FleetState, after: FleetState, changes: readonly Change[]): void {
  const [earlier, later] = [placement(before), placement(after)];
  const come = after.seats.filter(({ replica }) => !before.seats.some((one) => one.replica.seat === replica.seat));
  const isNew = (seat: SeatId) => come.some(({ replica }) => replica.seat === seat);
  for (const [place, seat] of later) assert(earlier.get(place) === seat || isNew(seat), `place ${place} is another's`);
  let left = come.length;
  for (const change of changes) {
    const brought = Math.min(left, change.toCome);
    change.toCome -= brought;
    left -= brought;
  }
  assert.equal(left, 0, 'seats came that nobody asked for');
  for (const [place, seat] of earlier) {
    const isGone = later.get(place) !== seat;
    assert(!isGone || changes.some((change) => change.removes(seat)), `seat ${seat} is gone that nobody took away`);
  }
}

function wasConvicted(before: FleetState, after: FleetState): boolean {
  return before.seats.some((was) => {
    if (was.phase !== 'serving') return false;
    const seat = after.seats.find((one) => one.replica.seat === was.replica.seat);
    const isLost = seat !== undefined && seat.replica.incarnation !== was.replica.incarnation;
    return isLost && seat.lapses.reason.includes('heartbeat');
  });
}
