// Hits as what-if predicts them: by stack distances, whole and sampled, beside caches that are played one by one.

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { mix32 } from '../../lib/core/ring/hashes/mixed.ts';
import { cacheSizes, HitCurve } from '../../lib/core/what-if/hit-curve.ts';
import { KeySample } from '../../lib/core/what-if/key-sample.ts';
import { LruStack } from '../../lib/core/what-if/lru-stack.ts';
import { errorOfSum, GROUPS, groupOf, SampleRate, samplePoint } from '../../lib/core/what-if/sampling.ts';
import { LruCache } from '../fixtures/lru-cache.ts';
import { random, runSeed } from '../fixtures/random.ts';

const seed = runSeed();

interface Access {
  readonly object: number;
  readonly size: number;
}

function zipf(count: number, objects: number, seed: number): Access[] {
  const { next } = random(seed);
  return Array.from({ length: count }, () => {
    const rank = Math.floor(Math.exp(next() * Math.log(objects)));
    return { object: mix32(rank ^ seed), size: 1 + (mix32(rank) % 2000) };
  });
}

// A trace of Debian's golang-github-dgraph-io-ristretto-dev: the blocks that the GLIMPSE search engine read.
function glimpse(): Access[] {
  const text = gunzipSync(readFileSync(new URL('../fixtures/traces/gli.lirs.gz', import.meta.url))).toString();
  return text
    .split('\n')
    .filter((line) => /^\d+$/.test(line.trim()))
    .map((line) => ({ object: mix32(Number(line)), size: 1 }));
}

function played(accesses: readonly Access[], bytes: number): number {
  const cache = new LruCache(bytes);
  return accesses.filter(({ object, size }) => cache.use(object, size)).length / accesses.length;
}

function curveOf(accesses: readonly Access[], asked: readonly number[], halvings: number) {
  const sizes = cacheSizes(asked);
  const curve = new HitCurve(sizes);
  const sample = new SampleRate();
  for (let count = 0; count < halvings; count++) sample.halve();
  for (const { object, size } of accesses) {
    const point = samplePoint(object);
    curve.count();
    if (sample.has(point)) curve.touch(object, point, size, sample.rate);
  }
  const all = curve.readings(sample.rate);
  return asked.map((bytes) => all[sizes.indexOf(bytes)] as (typeof all)[number]);
}

t.test('stack distances are the bytes of what was used since, as far as can be checked by eye', async (t) => {
  const stack = new LruStack();
  t.equal(stack.meanWeightedSize, 0);
  t.equal(stack.touch(1, 10), undefined);
  t.equal(stack.touch(2, 20), undefined);
  t.equal(stack.touch(1, 10), 30);
  t.equal(stack.touch(1, 5), 10, 'at once, and as large as it was');
  t.equal(stack.touch(2, 40), 50, 'it has grown');
  t.equal(stack.entries, 2);
  t.equal(stack.meanWeightedSize, (10 * 10 + 40 * 40) / 50);
});

t.test('stack distances are those of a list, for any uses, also when some objects are forgotten', async (t) => {
  const { below, chance } = random(seed);
  const stack = new LruStack();
  let list: Access[] = [];
  for (let step = 0; step < 20_000; step++) {
    const object = below(300) * 14_000_000;
    const size = 1 + (object % 7);
    const at = list.findIndex((one) => one.object === object);
    const expected = at === -1 ? undefined : list.slice(0, at + 1).reduce((sum, one) => sum + one.size, 0);
    if (stack.touch(object, size) !== expected) t.fail(`step ${step} of seed ${seed}`);
    list = [{ object, size }, ...list.filter((one) => one.object !== object)];
    if (!chance(0.001)) continue;
    stack.keep((one) => one % 3 !== 0);
    list = list.filter((one) => one.object % 3 !== 0);
    t.equal(stack.entries, list.length);
  }
});

t.test('without sampling, hits are exactly those of real caches: Zipf, and the trace of a search engine', async (t) => {
  const traffic = zipf(30_000, 5000, seed);
  const asked = [20_000, 200_000, 1_000_000];
  for (const { cacheBytes, ratio, error } of curveOf(traffic, asked, 0)) {
    t.equal(ratio.toFixed(9), played(traffic, cacheBytes).toFixed(9), `${cacheBytes}, seed ${seed}`);
    t.equal(error, 0);
  }
  const blocks = glimpse();
  t.equal(blocks.length, 6015);
  for (const { cacheBytes, ratio } of curveOf(blocks, [250, 500, 1000, 2000], 0)) {
    t.equal(ratio.toFixed(9), played(blocks, cacheBytes).toFixed(9), `${cacheBytes} blocks`);
  }
});

t.test('of one object in four, hits are within a point on average, and in the interval nearly always', async (t) => {
  const asked = [3_000_000, 6_000_000, 12_000_000];
  let within = 0;
  let off = 0;
  const rounds = 12;
  for (let round = 0; round < rounds; round++) {
    const traffic = zipf(60_000, 40_000, mix32(seed) ^ mix32(round + 1));
    for (const { cacheBytes, ratio, error } of curveOf(traffic, asked, 2)) {
      const difference = Math.abs(ratio - played(traffic, cacheBytes));
      off += difference / (rounds * asked.length);
      if (difference <= error) within += 1;
      if (error > 0.05) t.fail(`an interval of ${error} says nothing`);
    }
  }
  t.ok(off < 0.01, `${off} on average, seed ${seed}`);
  t.ok(within >= 0.75 * rounds * asked.length, `${within} of ${rounds * asked.length} in the interval, seed ${seed}`);
});

t.test('caches without requests have no hits', async (t) => {
  const curve = new HitCurve(cacheSizes([5]));
  t.ok(
    curve.readings(1).every(({ ratio, error }) => ratio === 1 && error === 0),
    'nor misses',
  );
  t.same(HitCurve.together([], 1), []);
  t.equal(curve.entries, 0);
});

t.test('what is too far back for the largest size is a miss', async (t) => {
  const curve = new HitCurve(Float64Array.of(10, 20));
  for (const object of [1, 2, 3, 1]) {
    curve.count();
    curve.touch(object, 0, 15, 1);
  }
  t.same(
    curve.readings(1).map(({ ratio }) => ratio),
    [0, 0],
  );
  curve.count();
  t.equal(curve.touch(1, 0, 15, 1), 15);
  t.same(
    curve.readings(1).map(({ ratio }) => ratio.toFixed(6)),
    ['0.000000', '0.200000'],
  );
});

t.test('where objects lie in the sample has nothing to do with where they are on rings', async (t) => {
  const slots = 64;
  const counts = new Float64Array(2 * slots);
  const keys = 200_000;
  for (let key = 0; key < keys; key++) {
    const object = mix32(key);
    const cell = Math.floor((mix32(object) * slots) / 2 ** 32) * 2 + (samplePoint(object) < 2 ** 31 ? 0 : 1);
    counts[cell] = (counts[cell] as number) + 1;
  }
  // Chi squared with 127 degrees of freedom: above 181 once in a thousand times, and the keys are always the same.
  const expected = keys / (2 * slots);
  t.ok(counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0) < 181);
  t.equal(new Set(Array.from({ length: 1000 }, (_, object) => groupOf(samplePoint(object)))).size, GROUPS);
});

t.test('the error of a sum is that of its groups, and nothing where all was looked at', async (t) => {
  t.equal(errorOfSum(new Float64Array(GROUPS).fill(7), 0.5), 0);
  const groups = Float64Array.from({ length: GROUPS }, (_, at) => at % 2);
  t.equal(errorOfSum(groups, 1), 0);
  // Of 16 groups half have 1: the standard deviation is √(4 / 15), that of the sum 4 times as much.
  t.equal(errorOfSum(groups, 0.5).toFixed(6), (2.131 * 4 * Math.sqrt(4 / 15) * Math.sqrt(0.5)).toFixed(6));
});

t.test('a sample of keys stays small, and tells how many there are and which part has a property', async (t) => {
  const sample = new KeySample(1000);
  t.same(
    sample.part(() => true),
    { value: 0, error: 0 },
  );
  for (let key = 0; key < 500; key++) sample.count(mix32(key));
  t.same(sample.keys, { value: 500, error: 0 });
  t.same(
    sample.part((key) => key === mix32(7)),
    { value: 1 / 500, error: 0 },
  );
  for (let key = 0; key < 50_000; key++) sample.count(mix32(key % 25_000));
  const { value, error } = sample.keys;
  t.ok(Math.abs(value - 25_000) <= error, `${value} ± ${error}`);
  const quarter = sample.part((key) => key % 4 === 0);
  t.ok(Math.abs(quarter.value - 0.25) <= quarter.error && quarter.error < 0.05, `${quarter.value} ± ${quarter.error}`);
});
