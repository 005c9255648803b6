// What a sketch says of other fleets: the same as the requests themselves where all keys are in the sample, and within
// its error where they are not.

import t from 'tap';
import { buildRing } from '../../lib/core/ring/hashes/hash-pair.ts';
import { mix32 } from '../../lib/core/ring/hashes/mixed.ts';
import { hashPair } from '../../lib/core/ring/hashes/table.ts';
import { ringPolicy } from '../../lib/core/ring/policy.ts';
import { sharesOf } from '../../lib/core/ring/ring-view.ts';
import { type Forecast, forecast, type SituationForecast } from '../../lib/core/sketch/forecast.ts';
import { KeyTraffic } from '../../lib/core/sketch/key-traffic.ts';
import { mergeSketches, NO_SKETCH, type SketchReading } from '../../lib/core/sketch/reading.ts';
import type { Fleet, SeatForecast } from '../../lib/core/sketch/sketch-scenario.ts';
import { needsOf } from '../../lib/core/what-if/needs.ts';
import { samplePoint } from '../../lib/core/what-if/sampling.ts';
import { LruCache } from '../fixtures/lru-cache.ts';
import { random, runSeed } from '../fixtures/random.ts';

const seed = runSeed();
const EVEN = { name: 'even', pair: hashPair('even', 512, 9, () => new Uint8Array(16)) };
const MIXED = { name: 'mixed', pair: hashPair('mixed', 512, 9, () => new Uint8Array(16)) };
const OFF = Number.POSITIVE_INFINITY;
const SETTINGS = { slots: 512, virtualNodes: 9, cacheBytes: [40_000], objectBytes: undefined };

function placesOf(count: number): Map<number, number> {
  return new Map(Array.from({ length: count }, (_, index) => [index + 1, index + 1]));
}

function fleet(name: Fleet['name'], count: number, more: Partial<Fleet> = {}): Fleet {
  return { name, hash: EVEN, factor: OFF, floor: 1, places: placesOf(count), ...more };
}

function ownersOf({ places, hash }: Fleet): (key: number) => number {
  const policy = ringPolicy(buildRing(places, hash.pair, 512, 9), hash.pair);
  return (key) => policy.pick(key, () => true) as number;
}

/** Plays it to its end. */
function played(
  sketch: SketchReading,
  fleets: readonly [Fleet, Fleet, ...Fleet[]],
  settings: Parameters<typeof forecast>[2] = SETTINGS,
): Forecast & { readonly steps: number } {
  const play = forecast(sketch, fleets, settings);
  for (let steps = 0; ; steps++) {
    const { done, value } = play.next();
    if (done) return { ...value, steps };
  }
}

const sizeOf = (key: number) => 1 + (mix32(key) % 1000);

/** The sketch of keys that come one a millisecond apart, each in flight for so long. */
function sketchOf(keys: readonly (number | undefined)[], tookMs = 10, apartMs = 1): SketchReading {
  const traffic = new KeyTraffic();
  traffic.use('cookie:s');
  for (const [at, key] of keys.entries()) {
    const nowMs = 1 + at * apartMs;
    const found = { keyClass: key === undefined ? undefined : 'cookie' };
    const times = { placedMs: nowMs, endedMs: nowMs + tookMs };
    const request = { key: key ?? 123_456, found, attempts: 0, status: 200, sentBytes: sizeOf(key ?? 0), times };
    traffic.place(request, 1, undefined);
    traffic.end(request);
    if (at % 100 === 0) traffic.onTick(nowMs);
  }
  return traffic.sketch(1 + keys.length * apartMs);
}

function zipf(count: number, keys: number): number[] {
  const { next } = random(seed);
  return Array.from({ length: count }, () => mix32(Math.floor(Math.exp(next() * Math.log(keys)))));
}

/** Hits of real caches, one for each seat. */
function hitsOf(keys: readonly number[], ownerOf: (key: number) => number, cacheBytes: number): number {
  const caches = new Map<number, LruCache>();
  let hits = 0;
  for (const key of keys) {
    const seat = ownerOf(key);
    const cache = caches.get(seat) ?? new LruCache(cacheBytes);
    caches.set(seat, cache);
    if (cache.use(key, sizeOf(key))) hits += 1;
  }
  return hits / keys.length;
}

t.test('with all keys in the sample, owners, shares and moves are exact', async (t) => {
  const keys = zipf(6000, 2000);
  const fleets = [fleet('now', 6), fleet('then', 8)] as const;
  const told = played(sketchOf(keys), [...fleets]);
  t.match(told, { keyed: 6000, others: 0, spanMs: 6000, sampleRate: 1, recent: { requests: 6000 } });
  t.same(told.keys, { value: new Set(keys).size, error: 0 });
  for (const [at, one] of fleets.entries()) {
    const ownerOf = ownersOf(one);
    const { seats, hits, spill, replicas, peakPerSecond } = told.situations[at] as SituationForecast;
    const maxOverMean = told.situations[at]?.maxOverMean as number;
    for (const { seat, share, perSecond, load, weight } of seats) {
      const count = keys.filter((key) => ownerOf(key) === seat).length;
      t.same(share, { value: count / 6000, error: 0 });
      t.equal(perSecond.toFixed(9), (count / 6).toFixed(9));
      t.equal(weight, 1);
      t.match(load, { spilled: 0, shift: 0 });
      t.ok((load?.peakInFlight ?? 0) > 0);
    }
    t.match({ spill, replicas }, { spill: 0, replicas: one.places.size });
    t.equal(maxOverMean, Math.max(...seats.map(({ share }) => share.value)) * replicas);
    t.ok(peakPerSecond >= maxOverMean * (1000 / replicas) && peakPerSecond <= 1000, `${peakPerSecond}`);
    // Requests within a second are taken for hits, wherever in it they come.
    t.ok(Math.abs((hits[0]?.ratio ?? 0) - hitsOf(keys, ownerOf, 40_000)) < 0.02);
  }
  const [before, after] = fleets.map(ownersOf) as [(key: number) => number, (key: number) => number];
  const moves = (some: readonly number[]) => some.filter((key) => before(key) !== after(key)).length / some.length;
  t.same(told.moved.requests, { value: moves(keys), error: 0 });
  t.same(told.moved.keys, { value: moves([...new Set(keys)]), error: 0 });
  t.ok(Math.abs((told.moved.ring ?? 0) - 0.25) < 0.01);
});

t.test('a sample of the keys tells shares, moves and hits within the error that it tells', async (t) => {
  // A fifth of the requests are for one key, which is in no small sample, and a tenth for one that is in each.
  const inSample = Array.from({ length: 5000 }, (_, key) => mix32(key)).find(
    (key) => samplePoint(key) < 2 ** 22,
  ) as number;
  const { next } = random(seed + 1);
  const cold = 30_000;
  const keys = Array.from({ length: 100_000 }, () => {
    const chance = next();
    if (chance < 0.3) return chance < 0.2 ? 77 : inSample;
    return mix32(100_000 + Math.floor(cold * next() ** 2));
  });
  const sketch = mergeSketches([sketchOf(keys, 10, 10)], 9000);
  t.ok(sketch.rate < 0.2, `${sketch.rate}`);
  const fleets = [fleet('now', 4), fleet('then', 5)] as const;
  const told = played(sketch, [...fleets], { ...SETTINGS, cacheBytes: [3_000_000] });
  t.equal(told.keyed, 100_000);
  for (const [at, one] of fleets.entries()) {
    const ownerOf = ownersOf(one);
    const { seats, hits } = told.situations[at] as SituationForecast;
    const owners = keys.map(ownerOf);
    for (const { seat, share } of seats) {
      const real = owners.filter((owner) => owner === seat).length / keys.length;
      // Errors are the 95 % interval: of so many, some are beyond it.
      t.ok(
        Math.abs(share.value - real) <= 2 * share.error + 0.005,
        `${seat}: ${share.value} ± ${share.error}, ${real}`,
      );
      t.ok(share.error > 0 && share.error < 0.1);
    }
    const [hit] = hits;
    const real = hitsOf(keys, ownerOf, 3_000_000);
    t.ok(Math.abs((hit?.ratio ?? 0) - real) <= 2 * (hit?.error ?? 0) + 0.01, `${hit?.ratio} ± ${hit?.error}, ${real}`);
  }
  const [before, after] = fleets.map(ownersOf) as [(key: number) => number, (key: number) => number];
  const real = keys.filter((key) => before(key) !== after(key)).length / keys.length;
  const { requests } = told.moved;
  t.ok(Math.abs((requests?.value ?? 0) - real) <= 2 * (requests?.error ?? 0) + 0.005, `${requests?.value}, ${real}`);
  const different = new Set(keys).size;
  t.ok(Math.abs(told.keys.value - different) <= 2 * told.keys.error, `${told.keys.value} of ${different}`);
  const [hot] = told.hotKeys;
  t.match(hot, { key: 77, owner: before(77), next: after(77), exceedsPart: (hot?.least ?? 0) > 0.2 });
  t.ok((hot?.most ?? 0) >= 0.19);
});

t.test('keys that come each second are enough to tell from, and of few it is said that they are few', async (t) => {
  // 500 keys, each once a second for five minutes.
  const keys = Array.from({ length: 150_000 }, (_, at) => mix32(at % 500));
  const sketch = sketchOf(keys, 10, 2);
  const fleets = [fleet('now', 4), fleet('then', 6)] as const;
  const told = played(sketch, [...fleets]);
  t.ok(told.sampleRate < 1);
  t.ok(told.sampledKeys > 200 && told.sampledKeys < 500, `${told.sampledKeys} keys`);
  for (const [at, one] of fleets.entries()) {
    const ownerOf = ownersOf(one);
    const { seats, maxOverMean, peakPerSecond } = told.situations[at] as SituationForecast;
    const real = seats.map(({ seat }) => keys.filter((key) => ownerOf(key) === seat).length / keys.length);
    for (const [row, { share }] of seats.entries()) {
      t.ok(Math.abs(share.value - (real[row] as number)) <= 2 * share.error, `${share.value} ± ${share.error}`);
      t.ok(share.error > 0 && share.error < 0.1);
    }
    const ratio = Math.max(...real) * seats.length;
    t.ok(Math.abs((maxOverMean as number) - ratio) < 0.35, `${maxOverMean}, ${ratio}`);
    const busiest = Math.max(...seats.map(({ perSecond }) => perSecond));
    t.ok(Math.abs(peakPerSecond / busiest - 1) < 0.1, `${peakPerSecond} of ${busiest}, as they come evenly`);
  }
  const few = played(mergeSketches([sketch], 200), [...fleets]);
  t.ok(few.sampledKeys > 0 && few.sampledKeys < 100, `${few.sampledKeys} keys`);
  t.same(
    few.situations.map(({ maxOverMean }) => maxOverMean),
    [null, null],
  );
  const many = played(mergeSketches([sketch], 1500), [...fleets, fleet('sized', 1), fleet('sized', 6)]);
  const needs = (target: Parameters<typeof needsOf>[1]) => needsOf(many.situations, target)[0];
  t.match(needs({ perSecond: 1e6, hitRatio: undefined }), { replicas: 1, tried: 1 }, 'how full six are is not known');
  t.match(needs({ perSecond: undefined, hitRatio: 0 }), { replicas: 1, tried: 2 });
  // A sample of one key is at one seat.
  const one = played(mergeSketches([sketch], 12), [...fleets]);
  for (const { share } of one.situations[0]?.seats ?? []) t.ok(share.error > 0.05, `${share.value} ± ${share.error}`);
  t.ok((one.moved.keys?.error ?? 0) > 0.1);
  t.ok((one.moved.requests?.error ?? 0) > 0.1);
});

t.test('repeats within a long visit are hits only where there is room for what came in between', async (t) => {
  const { next } = random(seed + 2);
  const keys = Array.from({ length: 150_000 }, () => mix32(Math.floor(500 * next())));
  const sketch = sketchOf(keys, 10, 2);
  t.ok(sketch.visits.lastsMs.some((ms) => ms === 32_000));
  const all = Array.from({ length: 500 }, (_, at) => sizeOf(mix32(at))).reduce((sum, one) => sum + one, 0);
  const now = fleet('now', 2);
  for (const part of [0.25, 0.5, 0.75]) {
    const cacheBytes = Math.round((part * all) / 2);
    const told = played(sketch, [now, fleet('then', 3)], { ...SETTINGS, cacheBytes: [cacheBytes] });
    const real = hitsOf(keys, ownersOf(now), cacheBytes);
    const [hit] = told.situations[0]?.hits ?? [];
    t.ok(Math.abs((hit?.ratio ?? 0) - real) < 0.15, `${hit?.ratio} ± ${hit?.error}, ${real}`);
  }
});

t.test('the bound on load is played on the last requests, and shares are as it leaves them', async (t) => {
  // All for one key, 40 at a time.
  const sketch = sketchOf(
    Array.from({ length: 4000 }, () => 7),
    40,
  );
  const told = played(sketch, [
    fleet('now', 4),
    fleet('then', 4, { factor: 1.25 }),
    fleet('compared', 4, { floor: 9 }),
  ]);
  const [free, bounded] = told.situations as [SituationForecast, SituationForecast];
  t.match(free, { factor: null, spill: 0, maxOverMean: 4 });
  t.equal(bounded.factor, 1.25);
  t.ok(Math.abs((bounded.spill ?? 0) - 0.67) < 0.05, `${bounded.spill}`);
  t.ok((bounded.maxOverMean as number) < 1.4, `${bounded.maxOverMean}`);
  t.ok(bounded.seats.every(({ load }) => (load?.peakInFlight ?? 0) <= Math.ceil(1.25 * 10.25)));
  t.match(told.hotKeys, [{ key: 7, most: 1, least: 1, exceedsPart: true }]);
  t.same(told.moved.requests, { value: 0, error: 0 });
});

t.test('requests without a key go by ids, and seats with a weight get as much more', async (t) => {
  const places = new Map([...placesOf(3), [4, 1]]);
  const weighted = fleet('now', 3, { places: new Map([...places].sort(([a], [b]) => a - b)) });
  const told = played(sketchOf(Array.from({ length: 2000 }, () => undefined)), [weighted, fleet('then', 2)]);
  t.match(told, { keyed: 0, others: 2000, hotKeys: [], moved: { requests: null, keys: null } });
  const [now] = told.situations as [SituationForecast];
  const shares = now.seats.map(({ share, weight }) => [weight, share.value] as const);
  for (const [weight, share] of shares) t.ok(Math.abs(share - weight / 4) < 0.02, `${weight}: ${share}`);
  t.ok((now.maxOverMean as number) < 1.1);
  t.same(now.hits[0]?.ratio, 1, 'nothing is cached');
});

t.test('before any request, shares are those of the ring', async (t) => {
  const now = fleet('now', 3);
  const told = played(NO_SKETCH, [now, fleet('then', 4)]);
  const { bySeat } = sharesOf(buildRing(now.places, EVEN.pair, 512, 9), now.places);
  const [first] = told.situations as [SituationForecast];
  t.same(
    first.seats.map(({ share }: SeatForecast) => share),
    [...bySeat.values()].map((value) => ({ value, error: 0 })),
  );
  t.match(told, { moved: { requests: null, keys: null }, recent: { requests: 0, spanMs: 0 } });
  t.equal(told.moved.ring, 0.25);
});

t.test('another hash moves keys, and replicas for a target are found by trying', async (t) => {
  const sketch = sketchOf(zipf(3000, 1000), 10, 2);
  const sizes = [1, 2, 3, 4, 5, 6].map((count) => fleet('sized', count));
  const asked = { ...SETTINGS, cacheBytes: [1000, 4000], objectBytes: 10 };
  const told = played(sketch, [fleet('now', 3), fleet('then', 3, { hash: MIXED }), ...sizes], asked);
  t.equal(told.moved.ring, null, 'slots of another hash say nothing');
  t.ok((told.moved.keys?.value ?? 0) > 0.3);
  t.same(
    told.situations.filter(({ name }) => name === 'sized').map(({ spill }) => spill),
    sizes.map(() => null),
  );
  const [need] = needsOf(told.situations, { perSecond: 250, hitRatio: undefined });
  t.match(need, { hash: 'even', factor: null, tried: 6 });
  t.ok((need?.replicas ?? 0) >= 2, `${need?.replicas}`);
  t.same(needsOf(told.situations, { perSecond: undefined, hitRatio: 1 })[0]?.replicas, null);
  t.equal(needsOf([], { perSecond: 1, hitRatio: 1 }).length, 0);
});

t.test('however large the sketch is, the work is bounded, and made in small steps', async (t) => {
  const sketch = sketchOf(
    Array.from({ length: 20_000 }, (_, at) => mix32(at)),
    10,
    180,
  );
  const few = played(sketch, [fleet('now', 3), fleet('then', 4)]);
  const many = played(sketch, [
    fleet('now', 3),
    fleet('then', 4),
    ...Array.from({ length: 62 }, () => fleet('sized', 3)),
  ]);
  t.ok(many.sampleRate < few.sampleRate);
  t.ok(many.keys.value * many.sampleRate * 64 <= 2 ** 19);
  t.ok(few.steps > 100 && many.steps > 100, `${few.steps}, ${many.steps}`);
  // A step lays out one ring at most, and none is laid out twice where there is no bound.
  for (const [factor, times] of [
    [OFF, 2],
    [1.25, 3],
  ] as const) {
    let [most, all] = [0, 0];
    const pair = {
      ...EVEN.pair,
      virtualNodeSlot: (place: number, index: number, slots: number, virtualNodes: number) => {
        if (place === 1 && index === 0) all += 1;
        return EVEN.pair.virtualNodeSlot(place, index, slots, virtualNodes);
      },
    };
    const hash = { name: 'even', pair };
    let rings = 0;
    for (const _ of forecast(
      NO_SKETCH,
      [fleet('now', 3, { hash, factor }), fleet('then', 4, { hash, factor })],
      SETTINGS,
    )) {
      most = Math.max(most, all - rings);
      rings = all;
    }
    t.same([most, all], [1, 2 * times], `${factor}`);
  }
});

t.test('where little is known, that is said: sizes of replies, seats for which the ring has no room', async (t) => {
  const traffic = new KeyTraffic();
  traffic.use('cookie:s');
  const times = { placedMs: 1, endedMs: 2 };
  for (const key of [1, 2, 1]) traffic.place({ key, found: { keyClass: 'cookie' }, attempts: 0, times }, 1, undefined);
  const unknown = played(traffic.sketch(5000), [fleet('now', 1), fleet('then', 1)], { ...SETTINGS, cacheBytes: [1] });
  t.equal(unknown.situations[0]?.hits[0]?.ratio.toFixed(9), (1 / 3).toFixed(9), 'they are taken for one byte');
  traffic.end({ key: 1, found: { keyClass: 'cookie' }, attempts: 0, times, status: 200, sentBytes: 100 });
  const half = played(traffic.sketch(5000), [fleet('now', 1), fleet('then', 1)], {
    ...SETTINGS,
    cacheBytes: [99, 100],
  });
  t.same(
    half.situations[0]?.hits.map(({ ratio }) => ratio.toFixed(9)),
    [0, 1 / 3].map((ratio) => ratio.toFixed(9)),
    'or for as large as the others',
  );
  const tiny = { name: 'mixed', pair: hashPair('mixed', 2, 1, () => new Uint8Array(16)) };
  const crowded = [fleet('now', 3, { hash: tiny }), fleet('then', 3, { hash: tiny })] as const;
  const told = played(NO_SKETCH, [...crowded], { ...SETTINGS, slots: 2, virtualNodes: 1 });
  t.same(told.situations[0]?.seats.map(({ share }) => share.value).sort(), [0, 0.5, 0.5]);
});
