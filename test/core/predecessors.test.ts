import t from 'tap';
import { type FleetEvent, observe, plan } from '../../lib/core/fleet/fleet.ts';
import { fleetNews } from '../../lib/core/fleet/fleet-news.ts';
import {
  emptyFleet,
  type FleetState,
  members,
  predecessors,
  routes,
  upSeats,
} from '../../lib/core/fleet/fleet-state.ts';
import type { Address, ReplicaRef } from '../../lib/core/ports.ts';
import { FLEET_RULES } from '../fixtures/fleet-rules.ts';

const rules = FLEET_RULES;
const address: Address = { type: 'unix', path: '/a.sock' };

function after(state: FleetState, ...events: FleetEvent[]): FleetState {
  return events.reduce((known, event) => observe(known, event, rules), state);
}

const failed = (incarnation: number, atMs: number): FleetEvent => ({
  type: 'probed',
  incarnation,
  failure: 'timeout',
  atMs,
});
const answered = (incarnation: number, atMs: number): FleetEvent => ({
  type: 'probed',
  incarnation,
  failure: undefined,
  atMs,
});
const comesUp = (replica: ReplicaRef, atMs: number): FleetEvent[] => [
  { type: 'starting', incarnation: replica.incarnation, atMs },
  { type: 'started', replica, address, atMs },
  answered(replica.incarnation, atMs),
];

/** server1 … server`n`, all serving since 0. */
function fleetOf(n: number): FleetState {
  const wishes = Array.from({ length: n }, (_, index) => ({ hostname: `server${index + 1}`, weight: 1 }));
  const wanted = after(emptyFleet(1), { type: 'add', wishes, slowly: false, atMs: 0 });
  return after(wanted, ...members(wanted).flatMap((replica) => comesUp(replica, 0)));
}

/** All of them miss three heartbeats, in turn. */
function allSlow(n: number): FleetState {
  const rounds = [1, 2, 3].flatMap((round) => Array.from({ length: n }, (_, index) => failed(index + 1, round * 500)));
  return after(fleetOf(n), ...rounds);
}

const routed = (state: FleetState) => routes(state).map(({ replica, suspected }) => [replica.incarnation, suspected]);
const starts = (state: FleetState, atMs: number) =>
  plan(state, atMs, rules).flatMap((action) => (action.type === 'start' ? [action.replica] : []));
const stops = (state: FleetState, atMs: number) =>
  plan(state, atMs, rules).flatMap((action) =>
    action.type === 'stop' ? [[action.replica.incarnation, action.drains]] : [],
  );

for (const n of [1, 2, 3, 6]) {
  t.test(`${n} that are slow at once stay as a last choice, and each is replaced beside itself`, async (t) => {
    let state = allSlow(n);
    t.same(
      routed(state),
      Array.from({ length: n }, (_, index) => [index + 1, true]),
    );
    t.same(stops(state, 1500), []);
    t.ok(members(state).every(({ hostname }) => /^server_/.test(hostname)));
    for (let nowMs = 2000; predecessors(state).length > 0; nowMs += 100) {
      const [next] = starts(state, nowMs);
      if (next === undefined) throw new Error('nothing is started');
      const before = predecessors(state).find((one) => one.replica.seat === next.seat);
      state = after(state, ...comesUp(next, nowMs));
      t.equal(routes(state).length, n);
      t.same(stops(state, nowMs).at(-1), [before?.replica.incarnation, true], 'it may finish what it has');
    }
    t.ok(routed(state).every(([, suspected]) => !suspected));
  });
}

t.test('who is up: replicas that are up, and convicted ones until their successors serve', async (t) => {
  const state = allSlow(2);
  const incarnations = (fleet: FleetState) => upSeats(fleet).map(({ replica }) => replica.incarnation);
  t.same(incarnations(state), [1, 2], 'their seats are vacant');
  const [next] = starts(state, 2000);
  if (next === undefined) throw new Error('nothing is started');
  t.same(incarnations(after(state, ...comesUp(next, 2000))), [next.incarnation, 3 - next.seat]);
});

t.test('at most half of the seats are without a replica because of heartbeats', async (t) => {
  for (const [n, out] of [
    [1, 0],
    [2, 1],
    [3, 1],
    [4, 2],
    [5, 2],
  ] as const) {
    let state = fleetOf(n);
    // One replica after the other hangs while the others are well.
    for (let seat = 1; seat <= n; seat++) {
      state = after(state, failed(seat, seat * 9000), failed(seat, seat * 9000 + 1), failed(seat, seat * 9000 + 2));
    }
    t.equal(routes(state).length, n - out, `${n}`);
  }
});

t.test('one that answers before the next was begun has its seat back, under its name', async (t) => {
  const state = after(allSlow(2), answered(2, 1600));
  t.same(routed(state), [
    [1, true],
    [2, false],
  ]);
  t.match(members(state).at(0), { hostname: 'server2' });
  t.match(fleetNews(allSlow(2), state), [{ type: 'replica-cleared', replica: { incarnation: 2 } }]);
});

t.test(
  'one that answers while the next comes up is no last choice any more, and leaves when that one serves',
  async (t) => {
    const slow = allSlow(1);
    const [next] = starts(slow, 1600);
    if (next === undefined) throw new Error('nothing is started');
    const [begins = failed(0, 0), ...rest] = comesUp(next, 1700);
    const well = after(slow, begins, answered(1, 1800));
    t.same(routed(well), [[1, false]]);
    t.equal(after(well, answered(1, 1900)), well, 'no news');
    t.same(routed(after(well, ...rest)), [[next.incarnation, false]]);
  },
);

t.test('one that ends is out at once; the start in its seat goes on', async (t) => {
  const slow = allSlow(1);
  const ended = after(slow, { type: 'exited', incarnation: 1, reason: 'exit code 1', atMs: 1600 });
  t.same(routed(ended), []);
  t.same(stops(ended, 1600), [[1, false]]);
  t.equal(starts(ended, 1600).length, 1);
  const unseen = after(slow, { type: 'inventory', present: [], askedAtMs: 1600, atMs: 1650 });
  t.same(routed(unseen), [], 'nor is one that is no longer there');
});

t.test('one whose seat is removed leaves with it', async (t) => {
  const removed = after(allSlow(1), { type: 'remove', seats: [1], atMs: 1600 });
  t.same(routed(removed), []);
  t.same(stops(removed, 1600), [[1, true]]);
});

t.test('it stays for as long as starts fail in its seat', async (t) => {
  let state = allSlow(1);
  for (let nowMs = 2000; nowMs < 20_000; nowMs += 3000) {
    const [next] = starts(state, nowMs);
    if (next === undefined) throw new Error('nothing is started');
    state = after(
      state,
      { type: 'starting', incarnation: next.incarnation, atMs: nowMs },
      { type: 'start-failed', incarnation: next.incarnation, reason: 'no room', final: false, atMs: nowMs },
      { type: 'stopped', incarnation: next.incarnation, atMs: nowMs },
    );
    t.same(routed(state), [[1, true]]);
  }
});
