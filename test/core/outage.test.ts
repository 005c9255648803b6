import t from 'tap';
import { type FleetEvent, observe, startRounds } from '../../lib/core/fleet/fleet.ts';
import { fleetNews } from '../../lib/core/fleet/fleet-news.ts';
import { emptyFleet, type FleetState, type Seat, stateOf } from '../../lib/core/fleet/fleet-state.ts';
import type { ProbeFailure } from '../../lib/core/fleet/health.ts';
import {
  absentees,
  failsOpen,
  isSettled,
  mayBegin,
  mayReturn,
  whyNeverServed,
  whyNone,
} from '../../lib/core/fleet/outage.ts';
import { evenPair } from '../../lib/core/ring/hashes/even.ts';
import { quadratic } from '../../lib/core/ring/hashes/quadratic.ts';
import { RingKeeper } from '../../lib/core/ring/ring-keeper.ts';
import { FLEET_RULES } from '../fixtures/fleet-rules.ts';

const address = { type: 'unix', path: '/a.sock' } as const;
const refused: ProbeFailure = { reason: 'nobody listens', kind: 'refused' };
const unfit: ProbeFailure = { reason: 'answers 404 to /heartbeat', kind: 'unfit' };

function after(state: FleetState, ...events: FleetEvent[]): FleetState {
  return events.reduce((known, event) => observe(known, event, FLEET_RULES), state);
}

/** app1 … app`n`, wanted but not yet started. */
function wanted(n: number): FleetState {
  const wishes = Array.from({ length: n }, (_, index) => ({ hostname: `app${index + 1}`, weight: 1 }));
  return after(emptyFleet(1), { type: 'add', wishes, slowly: false, atMs: 0 });
}

/** app1, which somebody else runs. */
function given(): FleetState {
  const wishes = [{ hostname: 'app1', weight: 1, address }];
  return after(emptyFleet(1), { type: 'add', wishes, slowly: false, atMs: 0 });
}

const seatOf = (state: FleetState, index = 0) => state.seats[index] as Seat;
const incarnationOf = (state: FleetState, index = 0) => seatOf(state, index).replica.incarnation;
const started = (state: FleetState, index = 0) =>
  after(
    state,
    { type: 'starting', incarnation: incarnationOf(state, index), atMs: 0 },
    { type: 'started', replica: seatOf(state, index).replica, address, atMs: 0 },
  );
const probed = (state: FleetState, failure: ProbeFailure | undefined, atMs: number) =>
  after(state, {
    type: 'probed',
    incarnation: incarnationOf(state),
    failure: failure?.reason,
    ...(failure === undefined ? {} : { kind: failure.kind }),
    atMs,
  });

t.test('when no replica passes its heartbeats, requests go on to those that there are', async (t) => {
  const late: ProbeFailure = { reason: 'no answer', kind: 'other' };
  const alone = probed(started(wanted(1)), undefined, 10);
  t.notOk(failsOpen(alone, false));
  // Convicted by three, it is replaced beside itself, and gets requests until then.
  const twice = [1000, 2000].reduce((state, atMs) => probed(state, late, atMs), alone);
  t.notOk(failsOpen(twice, false));
  const replaced = probed(twice, late, 3000);
  t.not(seatOf(replaced).phase, 'serving');
  t.ok(failsOpen(replaced, false));
  const drained = after(alone, { type: 'drain', incarnation: incarnationOf(alone), isDrained: true, atMs: 20 });
  t.notOk(failsOpen(drained, false), 'no replica gets requests then');
  t.notOk(failsOpen(wanted(1), false));
});

t.test('starts go in rounds of so many at a time', async (t) => {
  const five = wanted(5);
  t.equal(startRounds(five, { ...FLEET_RULES, parallelStarts: 2 }), 3);
  const serving = probed(started(wanted(1)), undefined, 10);
  t.equal(startRounds(serving, FLEET_RULES), 1);
});

t.test(
  'a seat is waited for until it serves, failed often enough, or gives an answer that will not become right',
  async (t) => {
    t.equal(isSettled(seatOf(wanted(1)), 3), false);
    const up = given();
    t.equal(isSettled(seatOf(up), 3), false);
    t.equal(isSettled(seatOf(probed(up, undefined, 10)), 3), true);
    t.equal(isSettled(seatOf(probed(up, unfit, 10)), 3), true);
    let lost = wanted(1);
    for (let lapse = 1; lapse <= 3; lapse++) {
      const incarnation = incarnationOf(lost);
      lost = after(
        lost,
        { type: 'starting', incarnation, atMs: 0 },
        { type: 'exited', incarnation, reason: 'exit code 1', atMs: 0 },
      );
      t.equal(isSettled(seatOf(lost), 3), lapse === 3);
    }
  },
);

t.test(
  'a request may wait for who is starting, not for who failed often, for good, or gives a wrong answer',
  async (t) => {
    const one = wanted(1);
    t.ok(mayReturn(one));
    t.ok(mayBegin(one));
    t.ok(mayBegin(emptyFleet(1)), 'a first replica may be started');
    t.notOk(mayReturn(emptyFleet(1)));
    t.ok(mayReturn(after(one, { type: 'starting', incarnation: incarnationOf(one), atMs: 0 })));
    const up = given();
    t.ok(mayReturn(up));
    t.notOk(mayReturn(probed(up, refused, 10)));
    const failed = after(one, {
      type: 'start-failed',
      incarnation: incarnationOf(after(one, { type: 'starting', incarnation: incarnationOf(one), atMs: 0 })),
      reason: 'the name is taken',
      final: true,
      atMs: 0,
    });
    t.ok(mayReturn(failed), 'which was not starting');
    const starting = after(one, { type: 'starting', incarnation: incarnationOf(one), atMs: 0 });
    const refusedForGood = after(starting, {
      type: 'start-failed',
      incarnation: incarnationOf(starting),
      reason: 'the name is taken',
      final: true,
      atMs: 0,
    });
    t.notOk(mayReturn(refusedForGood));
    t.notOk(mayReturn(emptyFleet(1)));
    const serving = probed(up, undefined, 0);
    t.ok(mayReturn(serving));
    let down = serving;
    for (let beat = 1; beat <= 3; beat++) down = probed(down, refused, beat);
    t.ok(mayReturn(down), 'an outage that is young');
    for (let beat = 4; beat <= 30; beat++) down = probed(down, refused, beat);
    t.notOk(mayReturn(down));
    t.notOk(mayReturn(probed(down, unfit, 31)));
  },
);

t.test('why nobody takes requests is said for three, and how many more there are', async (t) => {
  t.equal(whyNone(emptyFleet(1), false), 'no replica: there is none in this fleet');
  const five = wanted(5);
  t.equal(whyNone(five, false), 'no replica: app1 starting, app2 starting, app3 starting, and 2 more');
  const bad = probed(given(), unfit, 10);
  t.equal(whyNone(bad, false), 'no replica: app1 down: answers 404 to /heartbeat');
  const long = { reason: 'a reason that is much too long to be said for each of them', kind: 'unfit' } as const;
  const wishes = ['a', 'b', 'c', 'd'].map((hostname) => ({ hostname, weight: 1, address }));
  const four = after(emptyFleet(1), { type: 'add', wishes, slowly: false, atMs: 0 });
  const all = four.seats.reduce(
    (state, { replica: { incarnation } }) =>
      after(state, { type: 'probed', incarnation, failure: long.reason, kind: long.kind, atMs: 1 }),
    four,
  );
  t.equal(whyNone(all, false), `no replica: a, b, c down: ${long.reason}, and 1 more`);
  const starting = after(five, { type: 'starting', incarnation: incarnationOf(five), atMs: 0 });
  const lost = after(starting, {
    type: 'exited',
    incarnation: incarnationOf(starting),
    reason: 'exit code 1',
    atMs: 0,
  });
  const one = probed(started(wanted(2)), undefined, 1);
  t.same(absentees(one), [{ hostname: 'app2', reason: 'starting' }]);
  t.match(whyNone(lost, false), /^no replica: app1 starting, after: exit code 1, /);
  t.equal(whyNone(probed(given(), undefined, 1), false), undefined);
});

t.test('why none has ever served: each reason once', async (t) => {
  const fresh = wanted(3);
  t.equal(whyNeverServed(fresh, 'it was late'), 'no replica came up: it was late');
  const fails = (state: FleetState, index: number) =>
    after(
      state,
      { type: 'starting', incarnation: incarnationOf(state, index), atMs: 0 },
      { type: 'start-failed', incarnation: incarnationOf(state, index), reason: 'exit code 1', atMs: 0 },
    );
  const failed = fails(fails(fresh, 0), 1);
  t.equal(whyNeverServed(failed, 'it was late'), 'no replica came up: exit code 1');
  t.equal(whyNeverServed(probed(given(), unfit, 1), 'it was late'), `no replica came up: ${unfit.reason}`);
});

t.test('a probe of who does not run yet says nothing', async (t) => {
  const one = wanted(1);
  t.equal(probed(one, refused, 0), one);
  const starting = after(one, { type: 'starting', incarnation: incarnationOf(one), atMs: 0 });
  t.equal(probed(starting, refused, 0), starting);
});

t.test('what is down is told once for each kind of reason, and counted up to a hundred', async (t) => {
  let state = probed(given(), undefined, 0);
  for (let beat = 1; beat <= 3; beat++) state = probed(state, refused, beat);
  t.equal(seatOf(state).phase, 'down');
  const again = probed(state, refused, 10);
  t.same(fleetNews(state, again), [], 'the same reason');
  const other = probed(again, unfit, 20);
  t.match(fleetNews(again, other), [{ type: 'replica-down', reason: unfit.reason }]);
  t.match(fleetNews(emptyFleet(1), other), [{ type: 'replica-down', reason: unfit.reason }]);
  let long = other;
  for (let beat = 0; beat < 100; beat++) long = probed(long, unfit, 100 + beat);
  t.equal(probed(long, unfit, 1000), long, 'nothing changes any more');
  const better = probed(long, undefined, 1001);
  t.not(probed(better, unfit, 1002), better, 'but that it was well in between');
});

t.test('a service of others keeps its name, whatever becomes of it', async (t) => {
  const serving = probed(given(), undefined, 0);
  const lost = after(serving, {
    type: 'exited',
    incarnation: incarnationOf(serving),
    reason: 'it is gone',
    atMs: 1,
  });
  t.equal(seatOf(lost).replica.hostname, 'app1');
});

t.test('a ring that takes long is prepared for without being laid out', async (t) => {
  const settings = { slots: 512, virtualNodes: 9, slowStartMs: 0 };
  for (const pair of [evenPair(512, 9), quadratic]) {
    const prepared = new RingKeeper({ ...settings, pair });
    prepared.prepare(9);
    const places = new Map([[1, 1]]);
    t.equal(prepared.build(places).digest(), new RingKeeper({ ...settings, pair }).build(places).digest());
  }
});

t.test('how a seat is, in a word', async (t) => {
  const wordFor = (state: FleetState) => stateOf(seatOf(state));
  const fleet = wanted(1);
  t.equal(wordFor(fleet), 'waiting');
  t.equal(wordFor(after(fleet, { type: 'starting', incarnation: incarnationOf(fleet), atMs: 0 })), 'starting');
  const up = started(fleet);
  t.equal(wordFor(up), 'starting');
  t.equal(wordFor(probed(given(), unfit, 100)), 'down');
  const serves = probed(up, undefined, 100);
  t.equal(wordFor(serves), 'serving');
  t.equal(wordFor(after(serves, { type: 'suspected', incarnation: incarnationOf(serves), atMs: 200 })), 'suspected');
  const failing = probed(probed(given(), undefined, 100), refused, 200);
  t.equal(wordFor(probed(probed(failing, refused, 300), refused, 400)), 'down');
});
