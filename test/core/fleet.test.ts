import t from 'tap';
import { type FleetEvent, nextDueMs, observe, plan, startRounds } from '../../lib/core/fleet/fleet.ts';
import { fleetNews } from '../../lib/core/fleet/fleet-news.ts';
import {
  draining,
  emptyFleet,
  type FleetState,
  givenAddress,
  hostnameIn,
  isAtRest,
  members,
  placement,
  resting,
  routes,
  type Seat,
  upSeats,
  weightsOf,
} from '../../lib/core/fleet/fleet-state.ts';
import type { FailureKind } from '../../lib/core/fleet/health.ts';
import { failsOpen, mayReturn, whyNone } from '../../lib/core/fleet/outage.ts';
import { backoffMs, type FleetRules } from '../../lib/core/fleet/seats.ts';
import type { Address, ReplicaRef } from '../../lib/core/ports.ts';
import { FLEET_RULES } from '../fixtures/fleet-rules.ts';

const rules: FleetRules = { ...FLEET_RULES, parallelStarts: 4 };
const address: Address = { type: 'unix', path: '/a.sock' };
const wantedSeats = (state: FleetState) => state.seats.map((seat) => seat.replica.seat);
const wishes = (...hostnames: (string | undefined)[]) => hostnames.map((hostname) => ({ hostname, weight: 1 }));
const running = (...replicas: ReplicaRef[]) => replicas.map((replica) => ({ replica, address }));

function after(state: FleetState, ...events: FleetEvent[]): FleetState {
  return events.reduce((known, event) => observe(known, event, rules), state);
}

function replicaOf(state: FleetState, seat: number) {
  const found = state.seats.find((one) => one.replica.seat === seat);
  if (found === undefined) throw new Error(`no seat ${seat}`);
  return found.replica;
}

function started(state: FleetState, seat: number, atMs: number): FleetState {
  const replica = replicaOf(state, seat);
  return after(
    state,
    { type: 'starting', incarnation: replica.incarnation, atMs },
    { type: 'started', replica, address, atMs },
  );
}

function serving(state: FleetState, seat: number, atMs: number): FleetState {
  const up = started(state, seat, atMs);
  return after(up, { type: 'probed', incarnation: replicaOf(up, seat).incarnation, failure: undefined, atMs });
}

/** server1 … server`n`, all serving since 0. */
function fleetOf(n: number): FleetState {
  const hostnames = Array.from({ length: n }, (_, index) => `server${index + 1}`);
  const wanted = after(emptyFleet(1), { type: 'add', wishes: wishes(...hostnames), slowly: false, atMs: 0 });
  return wantedSeats(wanted).reduce((state, seat) => serving(state, seat, 0), wanted);
}

const exited = (state: FleetState, seat: number, atMs: number) =>
  after(state, { type: 'exited', incarnation: replicaOf(state, seat).incarnation, reason: 'killed', atMs });

t.test('added seats are the lowest free ones, and are to be started at once', async (t) => {
  const state = after(
    fleetOf(3),
    { type: 'remove', seats: [2], atMs: 5 },
    { type: 'add', wishes: wishes('S5', undefined), slowly: true, atMs: 9 },
  );
  t.same(wantedSeats(state), [1, 2, 3, 4]);
  t.equal(replicaOf(state, 2).hostname, 'S5');
  t.match(replicaOf(state, 4).hostname, /^server_[a-z0-9]{6}$/);
  t.same(
    plan(state, 9, rules).map((action) => [action.type, action.replica.seat]),
    [
      ['start', 2],
      ['start', 4],
      ['stop', 2],
    ],
  );
});

t.test('a weight of 3 is three places on the ring, the lowest free ones, which the replacement keeps', async (t) => {
  const wanted = after(
    fleetOf(2),
    { type: 'remove', seats: [1], atMs: 5 },
    { type: 'add', wishes: [{ hostname: 'heavy', weight: 3 }], slowly: true, atMs: 5 },
    { type: 'add', wishes: wishes('light'), slowly: true, atMs: 5 },
  );
  const places = [
    [1, 1],
    [2, 2],
    [3, 1],
    [4, 1],
    [5, 5],
  ];
  t.same([...placement(wanted)], places);
  const up = serving(wanted, 1, 10);
  t.match(routes(up), [
    { replica: { hostname: 'heavy' }, weight: 3 },
    { replica: { hostname: 'server2' }, weight: 1 },
  ]);
  t.same(
    [...weightsOf(up)],
    [
      [1, 3],
      [2, 1],
      [5, 1],
    ],
  );
  const replaced = exited(up, 1, 20_000);
  t.same([...placement(replaced)], places, 'no key moves when it dies');
  const freed = after(replaced, { type: 'remove', seats: [1], atMs: 20_001 });
  t.same([...placement(freed).keys()], [2, 5]);
  t.equal(hostnameIn(freed, 5), 'light');
  t.equal(hostnameIn(freed, 1), undefined);
});

t.test('a seat starts slowly once: from its first replica that serves, not from the next ones', async (t) => {
  const since = (state: FleetState, seat: number) =>
    state.seats.find((one) => one.replica.seat === seat)?.firstServedMs;
  const wanted = after(fleetOf(1), { type: 'add', wishes: wishes('late'), slowly: true, atMs: 5 });
  t.equal(since(wanted, 1), Number.NEGATIVE_INFINITY, 'one of the first ones has always served');
  t.equal(since(wanted, 2), undefined);
  const up = serving(wanted, 2, 10);
  t.equal(since(up, 2), 10);
  const lost = exited(up, 2, 20_000);
  t.equal(since(lost, 2), 10);
  t.equal(since(serving(lost, 2, 20_100), 2), 10);
});

t.test('what is adopted keeps its places, does not start slowly, and fits the ring', async (t) => {
  const present = [
    { replica: { seat: 1, extraPlaces: [3], incarnation: 7, hostname: 'a' }, address },
    { replica: { seat: 2, extraPlaces: [4, 5], incarnation: 8, hostname: 'b' }, address: undefined },
    { replica: { seat: 6, extraPlaces: [513], incarnation: 9, hostname: 'c' }, address },
  ];
  const adopted = after(emptyFleet(1), { type: 'adopt', present, atMs: 5 });
  t.same(
    [...placement(adopted)],
    [
      [1, 1],
      [2, 2],
      [3, 1],
      [4, 2],
      [5, 2],
    ],
  );
  t.ok(adopted.seats.every((seat) => seat.firstServedMs === Number.NEGATIVE_INFINITY));
  const actions = plan(adopted, 5, rules).map((action) => [action.type, action.replica.seat]);
  t.same(actions, [
    ['start', 2],
    ['stop', 2],
    ['stop', 6],
  ]);
});

t.test('members are told in the order in which they joined, a replacement last', async (t) => {
  const state = exited(fleetOf(3), 1, 100);
  const names = members(state).map((replica) => replica.hostname);
  t.same(names.slice(0, 2), ['server2', 'server3']);
  t.match(names[2], /^server_/);
});

t.test('a replica serves from its first good probe, and not before', async (t) => {
  const wanted = after(emptyFleet(1), { type: 'add', wishes: wishes('server1'), slowly: true, atMs: 0 });
  const up = started(wanted, 1, 10);
  t.same(routes(up), []);
  const asked = after(up, { type: 'probed', incarnation: 1, failure: 'refused', atMs: 20 });
  t.equal(asked, up, 'a failed probe while it comes up changes nothing');
  t.same(routes(after(asked, { type: 'probed', incarnation: 1, failure: undefined, atMs: 30 })), [
    { replica: { seat: 1, incarnation: 1, hostname: 'server1' }, address, suspected: false, weight: 1 },
  ]);
});

t.test(
  'a replica that dies is out at once, its seat stays, and the next one may start at once under a new name',
  async (t) => {
    const before = fleetOf(3);
    const state = exited(before, 2, 20_000);
    t.same(
      routes(state).map((route) => route.replica.seat),
      [1, 3],
    );
    t.same(wantedSeats(state), [1, 2, 3]);
    const [start, stop] = plan(state, 20_000, rules);
    t.match(start, { type: 'start', replica: { seat: 2, incarnation: 4, hostname: /^server_/ } });
    t.match(stop, { type: 'stop', replica: { incarnation: 2, hostname: 'server2' }, drains: false });
  },
);

t.test('a hung replica is suspected by its first failed probe and loses its seat at the third', async (t) => {
  const failed = (atMs: number): FleetEvent => ({ type: 'probed', incarnation: 1, failure: 'timeout', atMs });
  let state = after(fleetOf(2), failed(100));
  t.equal(routes(state)[0]?.suspected, true);
  state = after(state, failed(200));
  t.equal(routes(state).length, 2);
  state = after(state, failed(300));
  t.equal(routes(state).length, 1);
  t.match(plan(state, 300, rules), [{ type: 'start' }, { type: 'stop', replica: { incarnation: 1 } }]);
});

t.test('a suspected replica is cleared by the next good probe', async (t) => {
  const before = fleetOf(1);
  const suspected = after(before, { type: 'suspected', incarnation: 1, atMs: 5 });
  t.equal(routes(suspected)[0]?.suspected, true);
  t.equal(after(suspected, { type: 'suspected', incarnation: 1, atMs: 6 }), suspected);
  const cleared = after(suspected, { type: 'probed', incarnation: 1, failure: undefined, atMs: 7 });
  t.equal(routes(cleared)[0]?.suspected, false);
});

t.test('losses without a stable life between them wait longer and longer; a stable life forgets them', async (t) => {
  let state = exited(fleetOf(1), 1, 100);
  const waits: number[] = [];
  for (let atMs = 200; waits.length < 5; atMs += 10_000) {
    const vacant = state.seats[0];
    if (vacant?.phase !== 'vacant') throw new Error('not vacant');
    state = exited(serving(state, 1, atMs), 1, atMs + 1);
    const next = state.seats[0];
    waits.push(next?.phase === 'vacant' ? next.startAtMs - (atMs + 1) : Number.NaN);
  }
  t.same(waits, [250, 500, 1000, 2000, 2000]);
  const stable = exited(serving(state, 1, 100_000), 1, 100_000 + rules.stableMs);
  t.match(plan(stable, 100_000 + rules.stableMs, rules)[0], { type: 'start' }, 'at once again');
  t.equal(backoffMs(1, rules), 0);
});

t.test('a start that fails keeps the name that was asked for', async (t) => {
  const wanted = after(emptyFleet(1), { type: 'add', wishes: wishes(...['S5']), slowly: true, atMs: 0 });
  const state = after(
    wanted,
    { type: 'starting', incarnation: 1, atMs: 0 },
    { type: 'start-failed', incarnation: 1, reason: 'no room', final: false, atMs: 50 },
  );
  t.match(state.seats[0], {
    phase: 'vacant',
    replica: { hostname: 'S5', incarnation: 2 },
    lapses: { count: 1, reason: 'no room' },
  });
});

t.test('a replica of a taken hostname waits until the one before it is gone', async (t) => {
  const wanted = after(emptyFleet(1), { type: 'add', wishes: wishes(...['S5']), slowly: true, atMs: 0 });
  const failed = after(
    wanted,
    { type: 'starting', incarnation: 1, atMs: 0 },
    { type: 'start-failed', incarnation: 1, reason: 'no room', final: false, atMs: 50 },
  );
  t.match(plan(failed, 1000, rules), [{ type: 'stop', replica: { incarnation: 1 } }]);
  t.match(plan(after(failed, { type: 'stopped', incarnation: 1, atMs: 60 }), 1000, rules), [{ type: 'start' }]);
});

t.test('a replica that is up but never healthy is given up after the start timeout', async (t) => {
  const up = started(after(emptyFleet(1), { type: 'add', wishes: wishes('server1'), slowly: true, atMs: 0 }), 1, 0);
  const late = after(up, { type: 'probed', incarnation: 1, failure: 'status 500', atMs: rules.startTimeoutMs });
  t.match(late.seats[0], { phase: 'vacant', lapses: { reason: 'status 500' } });
});

t.test('a long time spent coming up in vain is no stable life', async (t) => {
  let state = after(emptyFleet(1), { type: 'add', wishes: wishes('server1'), slowly: true, atMs: 0 });
  for (const startMs of [0, 20_000]) {
    state = started(state, 1, startMs);
    const { incarnation } = replicaOf(state, 1);
    state = after(state, { type: 'probed', incarnation, failure: 'x', atMs: startMs + rules.startTimeoutMs });
  }
  t.match(state.seats[0], { phase: 'vacant', lapses: { count: 2 } });
});

t.test('removed replicas leave the ring at once, drain if they served, and are stopped', async (t) => {
  const state = after(
    fleetOf(2),
    { type: 'add', wishes: wishes(...['S3', 'S4']), slowly: true, atMs: 5 },
    { type: 'starting', incarnation: 3, atMs: 6 },
    { type: 'remove', seats: [1, 3, 4], atMs: 7 },
  );
  t.same(wantedSeats(state), [2]);
  t.same(
    draining(state).map((replica) => replica.incarnation),
    [1],
  );
  t.match(plan(state, 7, rules), [
    { type: 'stop', replica: { incarnation: 1 }, drains: true },
    { type: 'stop', replica: { incarnation: 3 }, drains: false },
  ]);
  t.equal(after(state, { type: 'remove', seats: [9], atMs: 8 }), state);
});

t.test('a late event about a past incarnation changes nothing', async (t) => {
  const state = serving(exited(fleetOf(1), 1, 100), 1, 200);
  const gone = after(state, { type: 'stopped', incarnation: 1, atMs: 300 });
  for (const event of [
    { type: 'exited', incarnation: 1, reason: 'again' },
    { type: 'probed', incarnation: 1, failure: 'timeout' },
    { type: 'probed', incarnation: 1, failure: undefined },
    { type: 'suspected', incarnation: 1 },
    { type: 'starting', incarnation: 1 },
    { type: 'start-failed', incarnation: 1, reason: 'late', final: false },
    { type: 'stopped', incarnation: 1 },
    { type: 'stop-failed', incarnation: 1 },
  ] as const) {
    t.same(after(gone, { ...event, atMs: 400 }), gone, event.type);
  }
  t.equal(after(gone, { type: 'starting', incarnation: 2, atMs: 400 }), gone, 'a second start of the present one');
});

t.test('a replica that comes up after it was given up is stopped', async (t) => {
  const state = fleetOf(1);
  const late = { seat: 1, incarnation: 77, hostname: 'server_late' };
  const known = after(state, { type: 'started', replica: late, address, atMs: 5 });
  t.match(plan(known, 5, rules), [{ type: 'stop', replica: late, drains: false }]);
  t.equal(after(known, { type: 'started', replica: late, address, atMs: 6 }), known, 'once');
  t.equal(after(state, { type: 'started', replica: replicaOf(state, 1), address, atMs: 6 }), state, 'not if it serves');
});

t.test('a stop that fails is tried again after a wait', async (t) => {
  const state = after(
    fleetOf(1),
    { type: 'remove', seats: [1], atMs: 0 },
    { type: 'stop-failed', incarnation: 1, atMs: 10 },
  );
  t.same(plan(state, 10, rules), []);
  t.equal(nextDueMs(state, 10), 260);
  t.match(plan(state, 260, rules), [{ type: 'stop', replica: { incarnation: 1 } }]);
});

t.test('what the inventory shows and nobody wants is stopped; what it lacks is replaced', async (t) => {
  const state = fleetOf(2);
  const stray = { seat: 7, incarnation: 99, hostname: 'stray' };
  const seen = after(state, {
    type: 'inventory',
    present: running(replicaOf(state, 1), stray),
    askedAtMs: 50,
    atMs: 60,
  });
  t.same(
    routes(seen).map((route) => route.replica.seat),
    [1],
  );
  t.match(plan(seen, 60, rules), [
    { type: 'start', replica: { seat: 2 } },
    { type: 'stop', replica: { incarnation: 2 } },
    { type: 'stop', replica: stray },
  ]);
});

t.test('an inventory that was asked for before a replica started says nothing of it', async (t) => {
  const state = serving(
    after(emptyFleet(1), { type: 'add', wishes: wishes('server1'), slowly: true, atMs: 0 }),
    1,
    100,
  );
  t.equal(after(state, { type: 'inventory', present: [], askedAtMs: 100, atMs: 120 }), state);
  const vacant = after(emptyFleet(1), { type: 'add', wishes: wishes('server1'), slowly: true, atMs: 0 });
  t.equal(
    after(vacant, { type: 'inventory', present: [], askedAtMs: 100, atMs: 120 }),
    vacant,
    'nor of one that is not up',
  );
});

t.test(
  'what an earlier process left is adopted: the youngest of a seat if it runs, the seat in any case',
  async (t) => {
    const left = (seat: number, incarnation: number) => ({ seat, incarnation, hostname: `r${incarnation}` });
    const state = after(emptyFleet(1, 3), {
      type: 'adopt',
      present: [...running(left(2, 8), left(1, 4), left(2, 6)), { replica: left(4, 7), address: undefined }],
      atMs: 10,
    });
    t.same(wantedSeats(state), [1, 2, 4]);
    t.match(state.seats, [
      { phase: 'started', replica: { incarnation: 4 } },
      { phase: 'started', replica: { incarnation: 8 } },
      { phase: 'vacant', replica: { incarnation: 9, hostname: /^server_/ } },
    ]);
    t.same(
      state.leaving.map((one) => one.replica.incarnation),
      [6, 7],
    );
    t.same(draining(state), []);
    const empty = emptyFleet(1);
    t.equal(after(empty, { type: 'adopt', present: [], atMs: 1 }), empty);
  },
);

t.test('a replica that has ended but is still there is lost and stopped', async (t) => {
  const state = fleetOf(1);
  const ended = [{ replica: replicaOf(state, 1), address: undefined }];
  const seen = after(state, { type: 'inventory', present: ended, askedAtMs: 50, atMs: 60 });
  t.match(plan(seen, 60, rules), [{ type: 'start' }, { type: 'stop', replica: { incarnation: 1 } }]);
});

t.test('when the runtime answers again nothing waits any longer', async (t) => {
  const state = fleetOf(2);
  t.same(after(state, { type: 'restored', atMs: 5 }), state);
  const twice = after(
    exited(serving(exited(state, 1, 100), 1, 200), 1, 300),
    { type: 'stop-failed', incarnation: 1, atMs: 300 },
    { type: 'restored', atMs: 310 },
  );
  t.match(plan(twice, 310, rules), [
    { type: 'start' },
    { type: 'stop', replica: { incarnation: 1 } },
    { type: 'stop' },
  ]);
});

t.test('the next due time is the earliest start or stop that is not due yet', async (t) => {
  t.equal(nextDueMs(fleetOf(1), 0), Number.POSITIVE_INFINITY);
  const twice = exited(serving(exited(fleetOf(1), 1, 100), 1, 200), 1, 300);
  t.equal(nextDueMs(twice, 300), 550);
  t.equal(nextDueMs(twice, 550), Number.POSITIVE_INFINITY);
});

t.test('a given replica is waited for at its address, never started, and keeps its name and seat', async (t) => {
  const wishes = [{ hostname: 'app1', weight: 2, address }];
  const state = after(emptyFleet(1), { type: 'add', wishes, slowly: true, atMs: 5 });
  t.match(state.seats, [{ phase: 'started', address, isGiven: true, firstServedMs: undefined }]);
  t.equal(givenAddress(state.seats[0] as Seat), address);
  t.equal(givenAddress(fleetOf(1).seats[0] as Seat), undefined);
  t.same([...placement(state).keys()], [1, 2]);
  t.same(plan(state, 5, rules), []);
  t.equal(nextDueMs(state, 5), Number.POSITIVE_INFINITY);
  const events: FleetEvent[] = [
    { type: 'exited', incarnation: 1, reason: 'gone', atMs: 9 },
    { type: 'inventory', present: [], askedAtMs: 100, atMs: 101 },
  ];
  for (const event of events) t.equal(observe(state, event, rules), state, `${event.type} says nothing of it`);
  const served = after(state, { type: 'probed', incarnation: 1, failure: undefined, atMs: 10 });
  t.match(served.seats, [{ phase: 'serving', firstServedMs: 10, replica: { hostname: 'app1', seat: 1 } }]);
  t.match(fleetNews(state, served), [{ type: 'replica-serving' }]);
});

t.test('events that come twice, or too early, change nothing', async (t) => {
  const starting = after(
    emptyFleet(1),
    { type: 'add', wishes: wishes('a'), slowly: false, atMs: 0 },
    { type: 'starting', incarnation: 1, atMs: 0 },
  );
  t.equal(after(starting, { type: 'starting', incarnation: 1, atMs: 1 }), starting);
  const up = after(starting, { type: 'started', replica: replicaOf(starting, 1), address, atMs: 2 });
  t.equal(after(up, { type: 'starting', incarnation: 1, atMs: 2 }), up);
  t.equal(after(up, { type: 'suspected', incarnation: 1, atMs: 2 }), up, 'no request went there');
  const complaint = { type: 'probed', incarnation: 1, failure: 'answers 404 to /', kind: 'unfit' } as const;
  const unfit = after(up, { ...complaint, atMs: 3 });
  t.equal(after(unfit, { ...complaint, atMs: 4 }), unfit);
});

t.test('a given replica that is removed finishes its requests and is let go, not stopped', async (t) => {
  const state = givenFleet(2);
  const removed = after(state, { type: 'remove', seats: [1], atMs: 20 });
  t.same(draining(removed), [replicaOf(state, 1)]);
  t.same(plan(removed, 20, rules), [{ type: 'release', replica: replicaOf(state, 1), drains: true }]);
  const added = after(state, { type: 'add', wishes: [{ hostname: 'c', weight: 1, address }], slowly: true, atMs: 30 });
  const never = after(added, { type: 'remove', seats: [3], atMs: 40 });
  t.match(plan(never, 40, rules), [{ type: 'release', drains: false }], 'one that never served has none');
});

t.test('given ones hold up no start, and starts hold up none of them', async (t) => {
  const awaited = Array.from({ length: 10 }, (_, index) => ({ hostname: `app${index}`, weight: 1, address }));
  const state = after(
    emptyFleet(1),
    { type: 'add', wishes: awaited, slowly: false, atMs: 0 },
    { type: 'add', wishes: wishes('a', 'b', 'c', 'd', 'e'), slowly: false, atMs: 0 },
  );
  t.equal(plan(state, 0, rules).length, rules.parallelStarts);
  t.equal(startRounds(state, rules), 2, 'of the five that are started');
});

t.test('the news are what changed between two states', async (t) => {
  const told = (before: FleetState, after: FleetState) =>
    fleetNews(before, after).map(({ type, replica, reason }) => [type, replica.incarnation, reason]);
  const state = fleetOf(2);
  t.same(told(state, state), []);
  const wanted = after(state, { type: 'add', wishes: wishes(...['S3']), slowly: true, atMs: 1 });
  t.same(told(state, wanted), []);
  const starting = after(wanted, { type: 'starting', incarnation: 3, atMs: 2 });
  t.same(told(wanted, starting), [['replica-starting', 3, undefined]]);
  const up = started(wanted, 3, 3);
  t.same(told(starting, up), []);
  t.same(told(up, serving(wanted, 3, 3)), [['replica-serving', 3, undefined]]);
  const suspected = after(state, { type: 'suspected', incarnation: 1, atMs: 4 });
  t.same(told(state, suspected), [['replica-suspected', 1, undefined]]);
  t.same(told(suspected, state), [['replica-cleared', 1, undefined]]);
  const worse = after(suspected, { type: 'probed', incarnation: 1, failure: 'timeout', atMs: 4 });
  t.same(told(suspected, worse), [], 'a failure more is no news');
  const lost = exited(state, 2, 5);
  t.same(told(state, lost), [['replica-lost', 2, 'killed']]);
  t.match(fleetNews(state, lost), [{ againAtMs: lost.seats[1]?.phase === 'vacant' && lost.seats[1].startAtMs }]);
  const again = after(lost, { type: 'starting', incarnation: 3, atMs: 6 });
  t.same(fleetNews(state, again)[0]?.againAtMs, undefined, 'it is being started already');
  const leaving = after(state, { type: 'remove', seats: [2], atMs: 6 });
  t.same(told(state, leaving), [['replica-leaving', 2, undefined]]);
  t.same(told(leaving, after(leaving, { type: 'stopped', incarnation: 2, atMs: 7 })), [
    ['replica-stopped', 2, undefined],
  ]);
});

t.test(
  'a start that this machine could not even try is tried again a second later, and is no lapse of the replica',
  async (t) => {
    const wanted = after(emptyFleet(1), { type: 'add', wishes: wishes('a'), slowly: false, atMs: 0 });
    const tried = after(wanted, { type: 'starting', incarnation: 1, atMs: 0 });
    const state = after(tried, { type: 'start-impossible', incarnation: 1, reason: 'EMFILE', atMs: 10 });
    t.match(state.seats[0], {
      phase: 'vacant',
      startAtMs: 1010,
      replica: { hostname: 'a', incarnation: 2 },
      lapses: { count: 0, reason: 'EMFILE', final: false },
    });
  },
);

/** server1 … server`n`, all serving and run by somebody else. */
function givenFleet(n: number): FleetState {
  const wishes = Array.from({ length: n }, (_, index) => ({ hostname: `server${index + 1}`, weight: 1, address }));
  const added = after(emptyFleet(1), { type: 'add', wishes, slowly: false, atMs: 0 });
  return added.seats.reduce(
    (state, { replica: { incarnation } }) =>
      after(state, { type: 'probed', incarnation, failure: undefined, atMs: 10 }),
    added,
  );
}

/** The fleet after these heartbeats of one seat. */
function beaten(state: FleetState, seat: number, results: readonly ('good' | FailureKind)[]) {
  return results.reduce((known, result, index) => {
    const { incarnation } = replicaOf(known, seat);
    const event = { type: 'probed', incarnation, atMs: 100_000 + index } as const;
    return after(
      known,
      result === 'good' ? { ...event, failure: undefined } : { ...event, failure: result, kind: result },
    );
  }, state);
}

t.test(
  'a service of others that is convicted is down: not routed, not stopped, and itself when it is well again',
  async (t) => {
    const state = givenFleet(2);
    const down = beaten(state, 1, ['other', 'other', 'other']);
    t.match(down.seats[0], { phase: 'down', replica: replicaOf(state, 1), complaint: { reason: 'other' } });
    t.same(
      routes(down, true).map((route) => route.replica.seat),
      [2],
    );
    t.same(resting(down), [replicaOf(state, 1)]);
    t.same(plan(down, 200_000, rules), []);
    t.match(fleetNews(state, down), [{ type: 'replica-lost', reason: 'other' }]);
    t.equal(beaten(down, 1, ['good', 'other', 'good']).seats[0]?.phase, 'down', 'it must rise twice in a row');
    const up = beaten(down, 1, ['good', 'good']);
    t.match(up.seats[0], { phase: 'serving', replica: replicaOf(state, 1), health: { suspected: false } });
    t.match(fleetNews(down, up), [{ type: 'replica-serving' }]);
    const removed = after(down, { type: 'remove', seats: [1], atMs: 100_010 });
    t.match(removed.leaving, [{ drains: true }]);
  },
);

t.test('when all are down, those are routed to that somebody still listens at, as last choice', async (t) => {
  const bad = ['other', 'other', 'other'] as const;
  const refused = ['refused', 'refused', 'refused'] as const;
  const down = beaten(beaten(beaten(givenFleet(3), 1, bad), 2, refused), 3, bad);
  t.match(routes(down, true), [
    { replica: { seat: 1 }, suspected: true },
    { replica: { seat: 3 }, suspected: true },
  ]);
  t.same(routes(down, false), []);
  t.ok(failsOpen(down, true));
  t.equal(whyNone(down, true), undefined);
  t.equal(whyNone(down, false), 'no replica: server1 down: other, server2 down: refused, server3 down: other');
  t.ok(mayReturn(down));
  t.notOk(mayReturn([1, 2, 3].reduce((state, seat) => beaten(state, seat, Array(20).fill('refused')), down)));
  t.same(routes(beaten(beaten(givenFleet(2), 1, refused), 2, refused), true), []);
});

t.test('why a replica does not begin to serve is told once it is worth telling', async (t) => {
  const wanted = after(emptyFleet(1), { type: 'add', wishes: wishes('a', 'b'), slowly: false, atMs: 0 });
  const probed = (state: FleetState, kind: FailureKind, atMs: number) =>
    after(state, { type: 'probed', incarnation: 1, failure: kind, kind, atMs }).seats[0];
  const given = after(emptyFleet(1), {
    type: 'add',
    wishes: [{ hostname: 'a', weight: 1, address }],
    slowly: false,
    atMs: 0,
  });
  const up = started(wanted, 1, 0);
  t.notMatch(probed(up, 'refused', 100), { complaint: {} }, 'it may be about to listen');
  t.match(probed(up, 'refused', 1000), { complaint: { reason: 'refused' } });
  t.match(probed(given, 'refused', 100), { complaint: { reason: 'refused' } }, 'what others run is there or not');
  t.match(probed(given, 'unfit', 100), { complaint: { reason: 'unfit' } }, 'that will not change');
  t.match(probed(given, 'refused', rules.startTimeoutMs), { phase: 'started' }, 'nor is it given up');
  const late = after(up, { type: 'probed', incarnation: 1, failure: 'answers 503 to /', kind: 'other', atMs: 1000 });
  t.match(fleetNews(up, late), [{ type: 'replica-down', reason: 'answers 503 to /' }]);
  t.equal(whyNone(late, true), 'no replica: a down: answers 503 to /, b starting');
  t.equal(whyNone(emptyFleet(1), true), 'no replica: there is none in this fleet');
  t.match(fleetNews(late, serving(wanted, 1, 9)), [{ type: 'replica-serving' }]);
});

t.test(
  'one of ours that answers 404 again and again is given up within a second, and nobody waits for more',
  async (t) => {
    const wanted = after(emptyFleet(1), { type: 'add', wishes: wishes('a', 'b'), slowly: false, atMs: 0 });
    const probed = (state: FleetState, kind: FailureKind | undefined, ...atMs: number[]) =>
      atMs.reduce(
        (now, at) =>
          after(now, {
            type: 'probed',
            incarnation: 1,
            failure: kind,
            ...(kind === undefined ? {} : { kind }),
            atMs: at,
          }),
        state,
      );
    const up = started(wanted, 1, 0);
    const asking = probed(up, 'unfit', 100, 300, 790);
    t.match(asking.seats[0], { phase: 'started' });
    t.same(fleetNews(up, asking), [], 'it may be about to have the path');
    t.ok(mayReturn(asking));
    const lost = probed(asking, 'unfit', 800);
    t.match(lost.seats[0], { phase: 'vacant', replica: { hostname: 'a' }, lapses: { reason: 'unfit', final: true } });
    t.match(fleetNews(asking, lost), [{ type: 'replica-lost', reason: 'unfit' }]);
    t.match(whyNone(lost, true), /^no replica: a starting, after: unfit, /);

    t.match(probed(asking, 'other', 800, 900).seats[0], { phase: 'started' }, 'a 503 is waited for');
    const since503 = probed(asking, 'other', 800);
    t.match(probed(since503, 'unfit', 900, 1500).seats[0], { phase: 'started' }, 'and counts as no wrong answer');
    t.match(probed(since503, 'unfit', 900, 1600).seats[0], { phase: 'vacant' });

    const besides = serving(started(wanted, 1, 0), 2, 50);
    const patient = probed(besides, 'unfit', 100, 800, 5000);
    t.match(patient.seats[0], { phase: 'started', complaint: { reason: 'unfit' } }, 'another of them passes the check');
    t.match(fleetNews(besides, patient), [{ type: 'replica-down', reason: 'unfit' }]);
  },
);

t.test('a first name that is taken is given up; one that somebody asked for is not', async (t) => {
  for (const ifFree of [false, true]) {
    const mine = { hostname: 'mine', weight: 1, ifFree };
    const wanted = after(emptyFleet(1), { type: 'add', wishes: [mine], slowly: false, atMs: 0 });
    const { incarnation } = replicaOf(wanted, 1);
    const failed = after(
      wanted,
      { type: 'starting', incarnation, atMs: 0 },
      { type: 'start-failed', incarnation, reason: 'taken', final: true, nameIsTaken: true, atMs: 1 },
    );
    t.equal(replicaOf(failed, 1).hostname === 'mine', !ifFree);
    t.equal(failed.seats[0]?.lapses.final, !ifFree);
  }
});

t.test('a fleet is at rest while nothing is started or stopped', async (t) => {
  const two = fleetOf(2);
  t.ok(isAtRest(two));
  t.same(
    upSeats(two).map(({ replica }) => replica.hostname),
    ['server1', 'server2'],
  );
  const lost = exited(two, 1, 5);
  t.notOk(isAtRest(lost), 'what is left of it is being stopped');
  t.same(
    upSeats(lost).map(({ replica }) => replica.hostname),
    ['server2'],
  );
  const [left] = lost.leaving;
  const vacant = after(lost, { type: 'stopped', incarnation: left?.replica.incarnation ?? 0, atMs: 6 });
  t.ok(isAtRest(vacant), 'a seat that waits for its replica is no start yet');
  const starting = after(vacant, { type: 'starting', incarnation: replicaOf(vacant, 1).incarnation, atMs: 7 });
  t.notOk(isAtRest(starting));
  t.ok(isAtRest(after(two, { type: 'suspected', incarnation: replicaOf(two, 1).incarnation, atMs: 5 })));
});
