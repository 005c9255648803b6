// Which replicas have ended, or hung, though nobody wanted that: the requests that they had may have been why.

import t from 'tap';
import { type FleetEvent, observe } from '../../lib/core/fleet/fleet.ts';
import { endedUnasked } from '../../lib/core/fleet/fleet-news.ts';
import { emptyFleet, type FleetState } from '../../lib/core/fleet/fleet-state.ts';
import type { Address } from '../../lib/core/ports.ts';
import { FLEET_RULES } from '../fixtures/fleet-rules.ts';

const address: Address = { type: 'tcp', host: 'a', port: 1 };
const after = (state: FleetState, ...events: FleetEvent[]) =>
  events.reduce((known, event) => observe(known, event, FLEET_RULES), state);
const good = (incarnation: number): FleetEvent => ({ type: 'probed', incarnation, failure: undefined, atMs: 1 });
const exited = (incarnation: number): FleetEvent => ({ type: 'exited', incarnation, reason: 'exit code 1', atMs: 2 });
const hung = (incarnation: number) =>
  [1, 2, 3].map((): FleetEvent => ({ type: 'probed', incarnation, failure: 'timeout', atMs: 2 }));

/** Three replicas that serve: 1, 2 and 3. */
function fleet(isGiven = false): FleetState {
  const given = isGiven ? { address } : {};
  const wishes = ['a', 'b', 'c'].map((hostname) => ({ hostname, weight: 1, ...given }));
  const wanted = after(emptyFleet(1), { type: 'add', wishes, slowly: false, atMs: 0 });
  return wanted.seats.reduce(
    (state, { replica }) =>
      after(
        state,
        { type: 'starting', incarnation: replica.incarnation, atMs: 0 },
        { type: 'started', replica, address, atMs: 0 },
        good(replica.incarnation),
      ),
    wanted,
  );
}

const whole = fleet();

t.test('one that exits, or is missing, has', async (t) => {
  t.same(endedUnasked(whole, whole), []);
  t.same(endedUnasked(whole, after(whole, exited(2))), [2]);
  const present = whole.seats
    .filter(({ replica }) => replica.incarnation !== 3)
    .map(({ replica }) => ({ replica, address }));
  t.same(endedUnasked(whole, after(whole, { type: 'inventory', present, askedAtMs: 5, atMs: 6 })), [3]);
  const dead = after(whole, exited(2));
  t.same(endedUnasked(dead, after(dead, { type: 'stopped', incarnation: 2, atMs: 3 })), [], 'and once');
});

t.test('one that hangs has, also where it is kept as the last choice', async (t) => {
  const first = after(whole, ...hung(1));
  t.same(endedUnasked(whole, first), [1]);
  const second = after(first, ...hung(2));
  t.equal(second.seats[1]?.phase, 'vacant');
  t.same(endedUnasked(first, second), [2]);
  t.same(endedUnasked(second, after(second, exited(3))), [3], 'and is told once');
});

t.test('a given one that goes down has, and one that is suspected has not', async (t) => {
  const given = fleet(true);
  t.same(endedUnasked(given, after(given, ...hung(1))), [1]);
  t.same(endedUnasked(given, after(given, { type: 'suspected', incarnation: 1, atMs: 2 })), []);
});

t.test('one that is removed, drained or replaced has not, unless it exits before the next one serves', async (t) => {
  t.same(endedUnasked(whole, after(whole, { type: 'remove', seats: [1, 2], atMs: 2 })), []);
  t.same(endedUnasked(whole, after(whole, { type: 'drain', incarnation: 1, isDrained: true, atMs: 2 })), []);
  const replacing = after(whole, { type: 'replace', incarnation: 1, atMs: 2 });
  t.same(endedUnasked(whole, replacing), []);
  t.same(endedUnasked(replacing, after(replacing, exited(1))), [1]);
});
