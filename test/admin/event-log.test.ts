// The dashboard's log of what happened to the fleet, and the limits on what it keeps.

import t from 'tap';
import { EventLog } from '../../lib/admin/feed/event-log.ts';
import { TrafficHistory } from '../../lib/admin/feed/traffic-history.ts';
import { type FleetEvent, observe } from '../../lib/core/fleet/fleet.ts';
import { emptyFleet } from '../../lib/core/fleet/fleet-state.ts';
import type { FleetRules } from '../../lib/core/fleet/seats.ts';
import { type Counters, noCounters } from '../../lib/core/traffic/counters.ts';
import { BUCKETS, Histogram } from '../../lib/core/traffic/histogram.ts';
import type { Counts } from '../../lib/core/traffic/traffic.ts';

const RULES: FleetRules = {
  maxPlace: 512,
  failuresToConvict: 3,
  startTimeoutMs: 1000,
  adoptTimeoutMs: 2700,
  parallelStarts: 4,
  backoffBaseMs: 100,
  backoffCapMs: 1000,
  stableMs: 1000,
  riseToReturn: 2,
};

t.test('the life of a seat: joined, suspected, died, replaced, draining, drained', async (t) => {
  const log = new EventLog();
  let state = emptyFleet(1);
  const happen = (event: FleetEvent) => {
    const before = state;
    state = observe(before, event, RULES);
    log.add(before, state, event.atMs);
  };
  const comeUp = (atMs: number) => {
    const replica = state.seats[0]?.replica as NonNullable<(typeof state.seats)[0]>['replica'];
    happen({ type: 'starting', incarnation: replica.incarnation, atMs });
    happen({ type: 'started', replica, address: { type: 'unix', path: '/x' }, atMs });
    happen({ type: 'probed', incarnation: replica.incarnation, failure: undefined, atMs });
    return replica;
  };
  happen({ type: 'add', wishes: [{ hostname: 'a', weight: 1 }], slowly: false, atMs: 1 });
  const { incarnation } = comeUp(2);
  happen({ type: 'suspected', incarnation, atMs: 3 });
  happen({ type: 'probed', incarnation, failure: undefined, atMs: 4 });
  happen({ type: 'exited', incarnation, reason: 'exit code 1', atMs: 5 });
  happen({ type: 'stopped', incarnation, atMs: 6 });
  const next = comeUp(7);
  happen({ type: 'remove', seats: [1], atMs: 8 });
  happen({ type: 'stopped', incarnation: next.incarnation, atMs: 9 });
  t.match(log.since(0), [
    { what: 'starting', replica: 'a', atMs: 2, number: 1 },
    { what: 'joined', replica: 'a', atMs: 2 },
    { what: 'suspected', replica: 'a', atMs: 3 },
    { what: 'cleared', replica: 'a', atMs: 4 },
    { what: 'died', replica: 'a', atMs: 5, reason: 'exit code 1' },
    { what: 'starting', replica: next.hostname, atMs: 7 },
    { what: 'replaced', replica: next.hostname, instead: 'a', atMs: 7 },
    { what: 'draining', replica: next.hostname, atMs: 8 },
    { what: 'drained', replica: next.hostname, atMs: 9, number: 9 },
  ]);
  t.equal(log.since(7).length, 2);
});

t.test('no more than 200 entries are kept, the last ones, and not all of a long reason', async (t) => {
  const log = new EventLog();
  let state = observe(
    emptyFleet(1),
    { type: 'add', wishes: [{ hostname: 'a', weight: 1 }], slowly: false, atMs: 0 },
    RULES,
  );
  for (let atMs = 1; atMs <= 250; atMs++) {
    const before = state;
    const incarnation = state.seats[0]?.replica.incarnation ?? 0;
    state = observe(state, { type: 'starting', incarnation, atMs }, RULES);
    state = observe(state, { type: 'exited', incarnation, reason: 'x'.repeat(60_000), atMs }, RULES);
    log.add(before, state, atMs);
  }
  const entries = log.since(0);
  t.equal(entries.length, 200);
  t.equal(entries.at(-1)?.number, 250);
  t.ok(
    entries.every((entry) => entry.reason?.length === 501),
    'of a reason the start is told',
  );
});

const counts = (requests: number, erred = 0): Counts => ({ requests, erred, refused: 0, failed: 0, abandoned: 0 });
const timesOf = (...ms: number[]): Float64Array => {
  const times = new Float64Array(BUCKETS);
  for (const one of ms) new Histogram(times).record(one * 1000, 1);
  return times;
};
// The durations of ten requests. Their percentiles are 1.5, 2.5 and 9 ms, reported as the middle of a bucket.
const SECOND = [...Array(8).fill(1.5), 2.5, 9];
const [P50, P90, P99] = [1.48, 2.489, 9.129];
const reading = (seconds: number, ...perSeat: number[]): Counters => ({
  total: {
    counts: counts(perSeat.reduce((a, b) => a + b)),
    inFlight: 2,
    times: timesOf(...Array(seconds).fill(SECOND).flat()),
  },
  diverted: 0,
  replicas: perSeat.map((requests, index) => ({
    ...noCounters().total,
    seat: index + 1,
    incarnation: index + 1,
    counts: counts(requests),
    inFlight: 1,
  })),
});

t.test('a row says what happened since the one before, per second, in ms', async (t) => {
  const history = new TrafficHistory();
  history.add(reading(1, 100, 100), 1000, 1000);
  history.add(reading(2, 150, 250), 3000, 2000);
  t.same(history.rows, [
    [1000, 200, 0, 0, 2, P50, P90, P99],
    [3000, 100, 0, 0, 2, P50, P90, P99],
  ]);
  t.match(history.replicas, [
    { seat: 1, rate: 25, requests: 150, p50: null },
    { seat: 2, rate: 75, requests: 250, p50: null },
  ]);
});

t.test('replies from 500 up are errors, those before the last look too for a replica', async (t) => {
  const history = new TrafficHistory();
  const withErrors = (requests: number, erred: number, failed: number): Counters => {
    const { total, diverted, replicas } = reading(1, requests);
    const errors = { ...counts(requests, erred), failed };
    return {
      total: { ...total, counts: errors },
      diverted,
      replicas: replicas.map((one) => ({ ...one, counts: errors })),
    };
  };
  history.add(withErrors(10, 2, 1), 1000, 1000);
  history.add(withErrors(20, 7, 2), 2000, 1000);
  t.same(
    history.rows.map(([, , , failed]) => failed),
    [3, 6],
  );
  t.match(history.replicas, [{ seat: 1, failed: 9 }]);
});

t.test('five minutes of rows and one minute of spread are kept; a new ring begins the spread anew', async (t) => {
  const history = new TrafficHistory();
  for (let second = 1; second <= 400; second++) history.add(reading(1, second, 2 * second), second * 1000, 1000);
  t.equal(history.rows.length, 300);
  t.same(history.spread(), {
    seconds: 60,
    seats: [
      [1, 60],
      [2, 120],
    ],
  });
  history.restartSpread();
  history.add(reading(1, 401, 802), 401_000, 1000);
  t.same(history.spread(), { seconds: 0, seats: [] }, 'a second that has both rings is left out');
  history.add(reading(1, 402, 804), 402_000, 1000);
  t.same(history.spread(), {
    seconds: 1,
    seats: [
      [1, 1],
      [2, 2],
    ],
  });
});

t.test('times of a second are its own in a row, and fade at a replica', async (t) => {
  const history = new TrafficHistory();
  const look = (...ms: number[]) => {
    const [one] = reading(1, 1).replicas;
    const times = timesOf(...ms);
    const total = { ...reading(1, 1).total, times };
    history.add({ total, diverted: 0, replicas: [{ ...(one as NonNullable<typeof one>), times }] }, 0, 1000);
    const [, , , , , p50] = history.rows.at(-1) as readonly (number | null)[];
    return [p50, history.replicas[0]?.p50];
  };
  const [fast, slow] = [Array(10).fill(1.5), Array(6).fill(9)];
  t.same(look(...fast), [P50, P50]);
  t.same(look(...fast, ...slow), [P99, P50], 'eight of ten are left, and six have come');
  t.same(look(...fast, ...slow, 9, 9), [P99, P99], '6.4 are left, and 6.8 with what has come');
  for (let second = 0; second < 12; second++) t.equal(look(...fast, ...slow, 9, 9)[0], null, 'none in that second');
  t.equal(history.replicas[0]?.p50, P99);
  for (let second = 0; second < 3; second++) look(...fast, ...slow, 9, 9);
  t.equal(history.replicas[0]?.p50, null, 'less than half a request is left');
});
