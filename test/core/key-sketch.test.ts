// The sketch of the last hour's keys: bounded, right where nothing is left out, and an honest sample where much is.

import t from 'tap';
import { mix32 } from '../../lib/core/ring/hashes/mixed.ts';
import { HOUR_MS, KeySketch } from '../../lib/core/sketch/key-sketch.ts';
import { KeyTraffic } from '../../lib/core/sketch/key-traffic.ts';
import { measuredMoves } from '../../lib/core/sketch/measured-moves.ts';
import { mergeSketches, NO_SKETCH, type SketchReading } from '../../lib/core/sketch/reading.ts';
import { MOST_RECENT, RecentRequests } from '../../lib/core/sketch/recent-requests.ts';
import { MOST_VISITS, SamplePeriod } from '../../lib/core/sketch/sample-period.ts';
import { samplePoint } from '../../lib/core/what-if/sampling.ts';

function sketchOf(source = 'cookie:s'): KeySketch {
  const sketch = new KeySketch();
  sketch.use(source);
  return sketch;
}

function rowsOf({ visits }: SketchReading) {
  return Array.from(visits.keys, (key, row) => ({
    key,
    agoMs: visits.agoMs[row],
    seat: visits.seats[row],
    count: visits.counts[row],
    size: visits.sizes[row],
  }));
}

t.test('requests for a key at a seat within a second are one visit, with the size of the largest reply', async (t) => {
  const sketch = sketchOf();
  for (const [key, seat, atMs] of [
    [7, 1, 0],
    [7, 1, 900],
    [9, 2, 950],
    [7, 3, 960],
    [7, 3, 1000],
  ] as const)
    sketch.place(key, seat, atMs);
  sketch.place(undefined, 1, 1000);
  sketch.end(7, true, 0, 20, 500);
  sketch.end(7, true, 900, 20, 100);
  sketch.end(123456, false, 1000, 30, 100);
  const reading = sketch.reading(3000);
  t.match(reading, { total: 5, others: 1, spanMs: 3000, rate: 1 });
  t.same(rowsOf(reading), [
    { key: 7, agoMs: 3000, seat: 1, count: 2, size: 500 },
    { key: 9, agoMs: 3000, seat: 2, count: 1, size: 0 },
    { key: 7, agoMs: 3000, seat: 3, count: 1, size: 500 },
    { key: 7, agoMs: 2000, seat: 3, count: 1, size: 500 },
  ]);
  t.same([...reading.recent.keys], [7, 7, 123456]);
  t.same([...reading.recent.keyed], [1, 1, 0]);
  t.same([...reading.recent.agoMs], [3000, 2100, 2000]);
  t.equal(reading.recent.wholeMs, HOUR_MS);
});

t.test('a million keys in an hour leave a sample of bounded size that stands for all of them', async (t) => {
  const sketch = sketchOf();
  const count = 1_000_000;
  for (let at = 0; at < count; at++) sketch.place(mix32(at), 1 + (at % 3), (at * HOUR_MS) / count);
  const reading = sketch.reading(HOUR_MS - 1);
  t.equal(reading.total, count);
  t.equal(reading.spanMs, HOUR_MS - 1);
  const { length } = reading.visits.keys;
  t.ok(length <= 12 * MOST_VISITS, `${length} visits`);
  t.ok(length > 3 * MOST_VISITS, 'and it does not throw away more than it must');
  t.ok(Math.abs(length / reading.rate / count - 1) < 0.02, `${length} at ${reading.rate}`);
  t.ok(reading.visits.keys.every((key) => samplePoint(key) < reading.rate * 2 ** 32));
  t.ok(structuredClone(reading).visits.keys.byteLength * 7 < 4 * 2 ** 20, 'some MiB at most');
});

t.test('one key with all the traffic does not fill the sample', async (t) => {
  const sketch = sketchOf();
  for (let at = 0; at < 300_000; at++) sketch.place(at % 2 === 0 ? 7 : mix32(at % 1000), 1, at);
  const reading = sketch.reading(300_000);
  t.equal(reading.total, 300_000);
  t.ok(reading.visits.counts.filter((_, row) => reading.visits.keys[row] === 7).length <= 300);
});

t.test('keys that come again and again have longer visits before any is forgotten', async (t) => {
  const sketch = sketchOf();
  // 500 keys, each once a second.
  for (let at = 0; at < 150_000; at++) sketch.place(mix32(at % 500), 1 + ((at % 500) % 3), at * 2);
  const { visits, rate, total } = sketch.reading(300_000);
  t.equal(rate, 0.5, 'five minutes of a second each would have been 150,000 visits');
  const keys = new Set(visits.keys);
  t.equal(
    keys.size,
    Array.from({ length: 500 }, (_, at) => mix32(at)).filter((key) => samplePoint(key) < 2 ** 31).length,
  );
  t.ok(visits.keys.length < MOST_VISITS);
  t.ok(visits.lastsMs.every((ms, row) => ms === Math.min(32_000, visits.agoMs[row] as number)));
  t.ok(visits.agoMs.every((ms, row) => row === 0 || ms <= (visits.agoMs[row - 1] as number)));
  const counted = visits.counts.reduce((sum, count) => sum + count, 0);
  t.equal(counted, (total * keys.size) / 500, 'and each request is counted once');
});

t.test('a key that two seats get in turns has a visit at each of them', async (t) => {
  const sketch = sketchOf();
  for (let at = 0; at < 1000; at++) sketch.place(7, 1 + (at % 2), at * 3);
  const rows = rowsOf(sketch.reading(3000));
  t.same(
    rows.map(({ seat }) => seat),
    [1, 2, 1, 2, 2, 1],
  );
  t.same(
    rows.map(({ count }) => count),
    [167, 167, 167, 166, 167, 166],
  );
});

t.test(
  'after a change, keys that stay are seen again as late as those that move, however long visits are',
  async (t) => {
    const sketch = sketchOf();
    const keys = Array.from({ length: 100 }, (_, at) => mix32(at));
    const changedMs = 200_000;
    for (let ms = 0; ms < 299_000; ms += 1000) {
      for (const [at, key] of keys.entries()) sketch.place(key, ms >= changedMs && at % 4 === 0 ? 9 : 1, ms + at);
      const { visits } = sketch.reading(ms + 1000);
      if (ms === changedMs) t.ok((visits.lastsMs[0] as number) > 2000, `${visits.lastsMs[0]} ms`);
      if (ms < changedMs) continue;
      const { seen, moved } = measuredMoves(sketch.reading(ms + 1000), ms + 1000 - changedMs);
      if ((seen !== 0 && seen !== 100) || moved !== seen / 4) t.fail(`${moved} of ${seen} after ${ms - changedMs} ms`);
      if (ms > changedMs + 32_000) t.equal(seen, 100);
    }
  },
);

t.test('what is longer ago than an hour is forgotten, and after a rush more is looked at again', async (t) => {
  const sketch = sketchOf();
  for (let at = 0; at < 50_000; at++) sketch.place(mix32(at), 1, 0);
  const rush = sketch.reading(1000);
  t.ok(rush.rate < 0.25);
  for (let minute = 5; minute <= 65; minute += 5) sketch.place(minute, 2, minute * 60_000);
  const later = sketch.reading(66 * 60_000);
  t.equal(later.total, 12);
  t.equal(later.rate, 1, 'a period has as many keys as there is room for by what came in the one before');
  t.equal(sketch.reading(200 * 60_000).total, 0);
  t.same(sketch.reading(200 * 60_000).visits.keys.length, 0);
});

t.test('keys that were chosen by the points of a sample are not more than others in one of another seed', async (t) => {
  const sampled = (seed: number) => (key: number) => samplePoint(key, seed) < 2 ** 26;
  const chosen = Array.from({ length: 400_000 }, (_, at) => mix32(at)).filter(sampled(0));
  t.ok(chosen.length > MOST_VISITS);
  const fill = (seed: number) => {
    const sketch = new KeySketch(seed);
    sketch.use('cookie:s');
    for (const key of chosen) sketch.place(key, 1, 0);
    return sketch.reading(1000);
  };
  t.ok(fill(0).rate < 2 ** -6, `${fill(0).rate}`);
  const unknown = fill(123_456_789);
  t.ok(unknown.rate >= 0.25, `${unknown.rate}`);
  const kept = new Set(unknown.visits.keys);
  t.ok([...kept].every((key) => samplePoint(key, 123_456_789) < unknown.rate * 2 ** 32));
  t.equal(mergeSketches([unknown, unknown]).seed, 123_456_789);
});

t.test('keys of another source begin anew, and without one nothing is noted', async (t) => {
  const sketch = sketchOf();
  sketch.place(1, 1, 0);
  sketch.use('cookie:s');
  t.equal(sketch.reading(1).total, 1);
  sketch.use('cookie:other');
  t.equal(sketch.reading(1).total, 0);
  t.equal(sketch.isOn, true);
  sketch.use(undefined);
  t.equal(sketch.isOn, false);
  sketch.end(1, true, 0, 1, 1);
  sketch.addHot({ total: 1, keys: [{ key: 1, count: 1, error: 0 }] });
  t.same(sketch.reading(1), NO_SKETCH);
});

t.test('a period that is over notes nothing more, and keeps what it has', async (t) => {
  const period = new SamplePeriod(0, 1);
  period.place(1, 1, 0);
  period.end();
  period.place(2, 1, 0);
  period.reply(1, 50);
  t.equal(period.total, 2);
  t.same([...period.visits(10).keys], [1]);
  t.same([...period.visits(10).sizes], [0]);
});

t.test('sizes stay with their keys when half of the keys are forgotten', async (t) => {
  const period = new SamplePeriod(0, 1);
  for (let at = 0; at < MOST_VISITS - 1; at++) {
    period.place(mix32(at), 1, 0);
    period.reply(mix32(at), 1 + mix32(at));
  }
  period.place(mix32(MOST_VISITS), 1, 0);
  period.reply(mix32(MOST_VISITS), 1 + mix32(MOST_VISITS));
  t.ok(period.rate < 1);
  const { keys, sizes } = period.visits(0);
  t.ok(keys.length > MOST_VISITS / 3);
  t.ok(keys.every((key, row) => sizes[row] === key + 1));
});

t.test('of the last requests there are so many, and it is told since when there are all', async (t) => {
  const recent = new RecentRequests();
  const count = MOST_RECENT + 10;
  for (let at = 0; at < count; at++) recent.end(at, at % 2 === 0, at, 5);
  const { keys, keyed, agoMs, tookMs, wholeMs } = recent.reading(count, HOUR_MS);
  t.equal(keys.length, MOST_RECENT);
  t.same([keys[0], keys.at(-1), keyed[0], keyed[1], agoMs[0], tookMs[0]], [10, count - 1, 1, 0, count - 10, 5]);
  t.equal(wholeMs, count - (9 + 5), 'what began when the last one that is not there ended');
  const late = recent.reading(count, 20);
  t.same(
    [...late.keys],
    Array.from({ length: 20 }, (_, at) => count - 20 + at),
    'and none is older than is asked',
  );
  t.equal(late.wholeMs, 20);
});

t.test('readings of several threads are one, in the order of time and at the lower rate', async (t) => {
  const visits = (keys: number[], agoMs: number[]) => ({
    keys: Uint32Array.from(keys),
    agoMs: Float64Array.from(agoMs),
    lastsMs: Uint16Array.from(keys, () => 10),
    seats: Uint16Array.from(keys, () => 1),
    counts: Uint32Array.from(keys, () => 1),
    sizes: Float64Array.from(keys, () => 9),
  });
  const recent = (key: number, wholeMs: number) => ({
    keys: Uint32Array.of(key),
    keyed: Uint8Array.of(1),
    agoMs: Float64Array.of(1),
    tookMs: Float32Array.of(1),
    wholeMs,
  });
  const hot = { total: 2, keys: [{ key: 1, count: 2, error: 0 }] };
  const one = {
    ...NO_SKETCH,
    total: 3,
    spanMs: 90,
    hot,
    visits: visits([1, 2, 3], [90, 50, 10]),
    recent: recent(1, 7),
  };
  const other = { ...NO_SKETCH, total: 2, spanMs: 60, hot, visits: visits([4, 5], [60, 20]), recent: recent(2, 5) };
  const both = mergeSketches([one, other]);
  t.match(both, { total: 5, others: 0, spanMs: 90, rate: 1, hot: { total: 4, keys: [{ key: 1, count: 4 }] } });
  t.same([...both.visits.keys], [1, 4, 2, 5, 3]);
  t.same([...both.recent.keys], [1, 2]);
  t.equal(both.recent.wholeMs, 5);
  const few = mergeSketches([one, { ...other, rate: 0.5 }]);
  t.same(
    [...few.visits.keys],
    [1, 4, 2, 5, 3].filter((key) => samplePoint(key) < 2 ** 31),
  );
  const bounded = mergeSketches([one, other], 2);
  t.ok(bounded.visits.keys.length <= 2);
  t.ok(bounded.rate < 1);
  t.same(mergeSketches([]), NO_SKETCH);
});

t.test('a thread counts each request once, however often it is sent, and what its replica had', async (t) => {
  const traffic = new KeyTraffic();
  const request = (keyClass: string | undefined, attempts: number) => ({
    ...{ key: 5, found: { keyClass }, attempts, status: 200, sentBytes: 70 },
    times: { placedMs: 11, endedMs: 31 },
  });
  traffic.place(request('cookie', 0), 2, undefined);
  traffic.end(request('cookie', 0));
  t.equal(traffic.sketch(100).total, 0, 'nothing is noted without a source');
  traffic.use('cookie:s');
  traffic.place(request('cookie', 0), 2, undefined);
  traffic.place(request('cookie', 1), 3, undefined);
  traffic.place(request(undefined, 0), 3, undefined);
  traffic.end(request('cookie', 2));
  traffic.end({ ...request('cookie', 2), status: 101 });
  traffic.end({ ...request('cookie', 0), times: { placedMs: 0, endedMs: 31 } });
  const reading = traffic.sketch(100);
  t.match(reading, { total: 1, others: 1, hot: { keys: [{ key: 5, count: 2 }] } });
  t.same(rowsOf(reading), [{ key: 5, agoMs: 89, seat: 2, count: 1, size: 70 }]);
  t.same([...reading.recent.tookMs], [20, 0]);
  t.equal(traffic.hot.total, 2, 'those of another source are forgotten');
  // A minute later these are told by the sketch, and another one later only by it.
  for (const nowMs of [60_000, 120_000, 180_000]) traffic.onTick(nowMs);
  t.equal(traffic.hot.total, 0);
  t.match(traffic.sketch(180_000).hot, { total: 2, keys: [{ key: 5, count: 2 }] });
  traffic.use('cookie:s');
  t.equal(traffic.sketch(180_000).total, 1);
  traffic.place(request('cookie', 0), 2, undefined);
  traffic.use('cookie:other');
  t.same([traffic.hot.total, traffic.sketch(180_000).hot.total], [0, 0]);
});

t.test('what a change has moved in fact is seen in who took the keys', async (t) => {
  const sketch = sketchOf();
  // Keys 1 and 2 stay, 3 moves, 4 moves and comes back; 5 came only before, 6 only after.
  for (const key of [1, 2, 3, 4, 5]) sketch.place(key, key, 0);
  for (const key of [1, 2, 6]) sketch.place(key, key, 60_000);
  for (let times = 0; times < 3; times++) sketch.place(3, 9, 61_000);
  sketch.place(4, 9, 61_000);
  sketch.place(4, 4, 63_000);
  const measured = measuredMoves(sketch.reading(70_000), 11_000);
  t.same(measured, {
    ...{ seen: 4, moved: 1, keys: { value: 0.25, error: 0 } },
    requests: { value: 4 / 7, error: 0 },
  });
  t.same(measuredMoves(sketch.reading(70_000), 500), { seen: 0, moved: 0, keys: null, requests: null });
});
