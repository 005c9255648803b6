// The parts of what-if that keep order and count: time, flights, and who comes when.

import t from 'tap';
import { Flights } from '../../lib/core/what-if/flights.ts';
import { Reordering } from '../../lib/core/what-if/reordering.ts';
import { MOST_INTERVALS, Timeline } from '../../lib/core/what-if/timeline.ts';
import { random, runSeed } from '../fixtures/random.ts';

const seed = runSeed();

t.test('a timeline keeps all counts in a fixed number of intervals, however long the log is', async (t) => {
  const timeline = new Timeline();
  t.equal(timeline.startMs, 0);
  t.equal(timeline.intervals, 0);
  const series = timeline.series(2);
  const startMs = 1_000_000_500;
  for (let second = 0; second < 1000; second++) {
    series.add(second % 2, timeline.intervalOf(startMs + second * 1000), 1);
  }
  t.equal(timeline.startMs, 1_000_000_000);
  t.equal(timeline.widthMs, 16_000, '1,000 s in at most 120 intervals');
  t.equal(timeline.intervals, 63);
  t.ok(timeline.intervals <= MOST_INTERVALS);
  for (const row of series.rows)
    t.equal(
      row.reduce((sum, one) => sum + one, 0),
      500,
    );
  t.same([...(series.rows[0] as Float64Array).subarray(0, 3)], [8, 8, 8]);
  t.equal(timeline.intervalOf(5), 0, 'what is before the first one is in the first one');
});

t.test('requests end in the order of their ends, each once, and give their numbers back', async (t) => {
  const { below } = random(seed);
  const flights = new Flights(64);
  const open = new Map<number, number>();
  let nowMs = 0;
  const end = (id: number) => {
    const endMs = open.get(id) as number;
    if (endMs > nowMs) t.fail(`${id} ended too early, seed ${seed}`);
    if ([...open.values()].some((other) => other < endMs)) t.fail(`${id} ended before another, seed ${seed}`);
    open.delete(id);
  };
  for (let step = 0; step < 5000; step++) {
    nowMs += below(3);
    flights.advance(nowMs, end);
    if ([...open.values()].some((endMs) => endMs <= nowMs)) t.fail(`one is left, seed ${seed}`);
    const endMs = nowMs + below(60);
    const id = flights.begin(endMs, end);
    if (open.has(id)) t.fail(`${id} is given twice, seed ${seed}`);
    open.set(id, endMs);
    if (flights.count !== open.size) t.fail(`${flights.count} are not ${open.size}, seed ${seed}`);
  }
  t.equal(flights.cutShort, 0);
});

t.test('with too many in flight, the one that ends next ends early', async (t) => {
  const flights = new Flights(2);
  const ended: number[] = [];
  const first = flights.begin(30, (id) => ended.push(id));
  const second = flights.begin(20, (id) => ended.push(id));
  t.same(ended, []);
  t.equal(
    flights.begin(10, (id) => ended.push(id)),
    second,
  );
  t.same(ended, [second]);
  t.equal(flights.cutShort, 1);
  flights.advance(30, (id) => ended.push(id));
  t.same(ended, [second, second, first]);
});

t.test('a log in the order of ends is played in the order of beginnings', async (t) => {
  const { below } = random(seed);
  const begun = Array.from({ length: 3000 }, (_, at) => {
    const startMs = at * 10 - (at % 5 === 0 ? 0 : 10);
    return { at, startMs, endMs: startMs + below(9000) };
  }).toSorted((a, b) => a.startMs - b.startMs || a.endMs - b.endMs);
  const played: (typeof begun)[number][] = [];
  const order = new Reordering((one: (typeof begun)[number]) => played.push(one));
  for (const one of begun.toSorted((a, b) => a.endMs - b.endMs)) order.take(one);
  t.ok(played.length > 0 && played.length < 3000, 'it does not wait for the end');
  order.end();
  t.equal(order.late, 0);
  t.same(
    played.map(({ startMs }) => startMs),
    begun.map(({ startMs }) => startMs),
    `seed ${seed}`,
  );
});

t.test('what begins at the same time stays in its order', async (t) => {
  const played: number[] = [];
  const order = new Reordering(({ id }: { id: number; startMs: number; endMs: number }) => played.push(id));
  for (let id = 0; id < 100; id++) order.take({ id, startMs: 7, endMs: 7 });
  order.end();
  t.same(
    played,
    Array.from({ length: 100 }, (_, id) => id),
  );
});

t.test('what comes too late is counted and played all the same, and no more are kept than may be', async (t) => {
  const played: number[] = [];
  const order = new Reordering(({ startMs }) => played.push(startMs), 100, 3);
  const take = (startMs: number, endMs = startMs) => order.take({ startMs, endMs });
  take(10);
  take(200);
  t.same(played, [10]);
  take(5, 205);
  t.same(played, [10, 5], 'the horizon is behind it');
  t.equal(order.late, 1);
  for (const startMs of [210, 220, 230]) take(startMs);
  t.same(played, [10, 5, 200], 'three are kept');
  take(0, 5000);
  t.same(played.slice(3), [0, 210, 220, 230], 'and none are, once all are behind the horizon');
});
