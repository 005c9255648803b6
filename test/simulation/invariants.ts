// What holds at every step of a history, whatever happens. Which they are is in lib/README.md.

import assert from 'node:assert/strict';
import type { FleetEvent } from '../../lib/core/fleet/fleet.ts';
import { allReplicas, type FleetState, placement, routes } from '../../lib/core/fleet/fleet-state.ts';
import type { FleetRules } from '../../lib/core/fleet/seats.ts';

/** Throws AssertionError. */
export function checkStep(before: FleetState, event: FleetEvent, after: FleetState, rules: FleetRules): void {
  if (event.type !== 'add' && event.type !== 'remove' && event.type !== 'adopt') {
    assert.deepEqual(placement(after), placement(before), `${event.type} changed the ring`);
  }
  const comingUp = (state: FleetState) => state.seats.filter(({ phase }) => phase === 'starting').length;
  assert(comingUp(after) <= Math.max(rules.parallelStarts, comingUp(before)), 'too many start at a time');
  const incarnations = allReplicas(after).map((one) => one.incarnation);
  assert.equal(new Set(incarnations).size, incarnations.length, 'an incarnation is in two places');
  assert(Math.max(0, ...after.seats.map((seat) => seat.replica.incarnation)) <= after.lastIncarnation);
  const routed = routes(after).map((route) => route.replica.seat);
  assert.equal(new Set(routed).size, routed.length, 'two replicas of one seat are routed to');
  if (event.type === 'probed') {
    const needed = Math.min(routes(before).length, Math.ceil(before.seats.length / 2));
    assert(routed.length >= needed, 'a heartbeat took out one that was needed');
  }
}
