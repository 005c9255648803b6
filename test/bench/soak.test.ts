// The chart of a soak: what it says of samples whose course is known.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeHeapSnapshot } from 'node:v8';
import t from 'tap';
import { renderSvg } from '../../bench/charts/render.ts';
import { soakChart, soakSlopes } from '../../bench/charts/soak.ts';
import { heapPartsOf } from '../../bench/heap.ts';
import type { SoakLook, SoakSamples } from '../../bench/samples.ts';
import { slopeOf } from '../../bench/statistics.ts';
import { random } from '../fixtures/random.ts';
import { environment } from './samples.ts';

const MIB = 2 ** 20;

/** An hour with a look every 10 s. `mibPerHour` is what resident memory grows by, besides its noise. */
function soaked(mibPerHour: number): SoakSamples {
  const drawn = random(1);
  const looks = Array.from({ length: 360 }, (_, index): SoakLook => {
    const noise = () => drawn.next() - 0.5;
    return {
      atMs: (index + 1) * 10_000,
      residentBytes: (150 + (mibPerHour * index) / 360 + 10 * noise()) * MIB,
      ...{ heapBytes: (20 + noise()) * MIB, externalBytes: 0, descriptors: Math.round(100 + 20 * noise()) },
      ...{ requests: 5000, failed: 3, p50Ms: 2, p99Ms: 20 + 5 * noise() },
    };
  });
  const faults = [{ kind: 'kill', atMs: 12_000 }];
  return {
    environment,
    seed: 1,
    workers: 1,
    replicas: 4,
    perSecond: 500,
    mostPerSecond: 1000,
    faults,
    looks,
    heap: [
      { objectBytes: 5 * MIB, codeBytes: 6 * MIB },
      { objectBytes: 5.25 * MIB, codeBytes: 6.75 * MIB },
    ],
    wrong: 0,
  };
}

t.test('what only goes up and down does not grow; what grows is told, and by how much', async (t) => {
  t.same(
    soakSlopes(soaked(0)).map(({ isGrowth }) => isGrowth),
    [false, false, false, false],
  );
  const [resident] = soakSlopes(soaked(30));
  t.match(resident, {
    title: 'resident memory',
    isGrowth: true,
    words: /^\+(29|30|31)\.\d ± \d.* MiB an hour, it grows$/,
  });
});

t.test(
  'a slope without noise is exact, and one with noise that lasts has a wider margin than one without',
  async (t) => {
    const times = Array.from({ length: 100 }, (_, index) => index);
    const exact = slopeOf(
      times,
      times.map((time) => 3 * time + 5),
    );
    t.ok(Math.abs(exact.perUnit - 3) < 1e-9 && exact.margin < 1e-9);
    const lasting = times.map((time) => (Math.floor(time / 10) % 2 === 0 ? 1 : -1));
    const brief = times.map((time) => (time % 2 === 0 ? 1 : -1));
    t.ok(slopeOf(times, lasting).margin > 2 * slopeOf(times, brief).margin);
  },
);

t.test('the chart says how long, how much and how steep', async (t) => {
  const svg = await renderSvg(soakChart(soaked(30)), { title: 'Soak', finding: '', notes: [] });
  for (const words of [
    'Soak: 60 minutes at 500 requests a second',
    '1,800,000 requests',
    'it grows',
    'got +0.75 MiB of code that V8 made, and +0.25 MiB of all else',
    'not to be told',
  ]) {
    t.ok(svg.includes(words), words);
  }
});

t.test('what a heap holds is told apart: objects that are kept, and code', async (t) => {
  const path = join(t.testdir(), 'one.heapsnapshot');
  const parts = () => heapPartsOf(readFileSync(writeHeapSnapshot(path), 'utf8'));
  const before = parts();
  const kept = Array.from({ length: 20_000 }, (_, index) => ({ index, name: [index] }));
  const after = parts();
  const grown = after.objectBytes - before.objectBytes;
  t.ok(grown > 20_000 * 40 && grown < 20_000 * 400, `${grown} bytes for ${kept.length} objects`);
  t.ok(before.codeBytes > MIB && Math.abs(after.codeBytes - before.codeBytes) < 0.5 * MIB);
});
