// The text of the metrics: that nothing from outside can break it, that each format has its rules, and what a page of a
// thousand seats costs.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { exposition, type Family, labels } from '../../lib/admin/metrics/exposition.ts';
import type { MetricsFacts } from '../../lib/admin/metrics/facts.ts';
import { FAMILIES } from '../../lib/admin/metrics/families.ts';
import { FleetCounts } from '../../lib/admin/metrics/fleet-counts.ts';
import { createMetricsPage } from '../../lib/admin/metrics/metrics-page.ts';
import { formatFor } from '../../lib/admin/metrics/negotiation.ts';
import { emptyFleet, type FleetState, NO_LAPSES, type Seat } from '../../lib/core/fleet/fleet-state.ts';
import { HEALTHY } from '../../lib/core/fleet/health.ts';
import { FRONT_LAYOUT, SEAT_LAYOUT } from '../../lib/core/traffic/measures.ts';
import { NO_LOAD } from '../../lib/core/traffic/plane-reading.ts';
import { realClock } from '../../lib/fleet/clock.ts';

const text = <Facts>(families: readonly Family<Facts>[], facts: Facts, format: 'text' | 'openmetrics') =>
  [...exposition(families, facts, format)].join('');

t.test('a counter, a histogram and an info in both formats', async (t) => {
  const families: Family<undefined>[] = [
    { name: 'a', help: 'A \\ b\nc.', type: 'counter', by: ['x'], samples: () => [[labels({ x: 1 }), 2]] },
    {
      name: 'b_seconds',
      help: 'B.',
      type: 'histogram',
      by: [],
      bounds: [0.5, 1],
      samples: () => [['', { buckets: [1, 2, 3], sum: 4.5 }]],
    },
    { name: 'c', help: 'C.', type: 'info', by: ['y'], samples: () => [[labels({ y: 'z' }), 1]] },
    { name: 'd', help: 'Nothing of it.', type: 'gauge', by: [], samples: () => [] },
  ];
  const middle = [
    '# HELP b_seconds B.',
    '# TYPE b_seconds histogram',
    'b_seconds_bucket{le="0.5"} 1',
    'b_seconds_bucket{le="1.0"} 3',
    'b_seconds_bucket{le="+Inf"} 6',
    'b_seconds_sum 4.5',
    'b_seconds_count 6',
  ];
  t.same(text(families, undefined, 'text').split('\n'), [
    '# HELP a_total A \\\\ b\\nc.',
    '# TYPE a_total counter',
    'a_total{x="1"} 2',
    ...middle,
    '# HELP c_info C.',
    '# TYPE c_info gauge',
    'c_info{y="z"} 1',
    '',
  ]);
  t.same(text(families, undefined, 'openmetrics').split('\n'), [
    '# HELP a A \\\\ b\\nc.',
    '# TYPE a counter',
    'a_total{x="1"} 2',
    ...middle,
    '# HELP c C.',
    '# TYPE c info',
    'c_info{y="z"} 1',
    '# EOF',
    '',
  ]);
});

t.test('a label cannot end its line, whatever is in it', async (t) => {
  t.equal(labels({ hostname: 'a"} 1\nforged 2\\' }), 'hostname="a\\"} 1\\nforged 2\\\\"');
});

t.test('the format is the one that the client prefers, and text if it does not say', async (t) => {
  const prometheus =
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
  for (const accept of [prometheus, 'application/openmetrics-text', 'Application/OpenMetrics-Text; version=1.0.0']) {
    t.equal(formatFor(accept), 'openmetrics', accept);
  }
  const others = [
    ...['*/*', 'text/plain', 'application/openmetrics-text;version=2.0.0', 'application/openmetrics-text;q=0'],
    ...['application/openmetrics-text;q=0.2,text/plain', 'application/openmetrics-text;q=x', ',;'],
  ];
  for (const accept of [undefined, '', ...others]) t.equal(formatFor(accept), 'text', String(accept));
});

const seat = (number: number, phase: string, rest: object = {}): Seat =>
  ({
    phase,
    replica: { seat: number, incarnation: 100 + number, hostname: `server${number}` },
    joined: number,
    lapses: NO_LAPSES,
    isGiven: false,
    health: HEALTHY,
    ...rest,
  }) as unknown as Seat;
const fleetOf = (...seats: Seat[]): FleetState => ({ ...emptyFleet(0), seats });

t.test('starts and losses are counted by seat, with the reason', async (t) => {
  const counts = new FleetCounts();
  const next = { replica: { seat: 1, incarnation: 200, hostname: 'next' } };
  const lost = () => counts.bySeat.get(1)?.losses;
  counts.observe(fleetOf(seat(1, 'starting')));
  counts.observe(fleetOf(seat(1, 'vacant', next)));
  t.match(lost(), { 'not-started': 1 });
  counts.observe(fleetOf(seat(1, 'started')));
  counts.observe(fleetOf(seat(1, 'vacant', next)));
  t.match(lost(), { 'not-ready': 1 });
  counts.observe(fleetOf(seat(1, 'serving')));
  counts.observe(fleetOf(seat(1, 'vacant', next)));
  t.match(lost(), { ended: 1 });
  counts.observe(fleetOf(seat(1, 'serving', { health: { failuresInARow: 2, suspected: true } })));
  counts.observe(fleetOf(seat(1, 'vacant', next)));
  t.match(lost(), { heartbeats: 1 });
  t.equal(counts.bySeat.get(1)?.starts, 1);
});

const SEATS = 1000;
const numbers = Array.from({ length: SEATS }, (_, index) => index + 1);
const facts: MetricsFacts = {
  reading: {
    seats: new Map(numbers.map((number) => [number, new Float64Array(SEAT_LAYOUT.size).fill(123_456)])),
    loads: new Map(numbers.map((number) => [number, NO_LOAD])),
    threads: [
      {
        thread: 'main',
        cells: new Float64Array(FRONT_LAYOUT.size).fill(1),
        clients: 1,
        waiting: 0,
        waitingForReturn: 0,
        activeSeconds: 1,
      },
    ],
  },
  hottestPart: 0.25,
  state: fleetOf(...numbers.map((number) => seat(number, 'serving'))),
  shares: { bySeat: new Map(numbers.map((number) => [number, 1 / SEATS])), maxOverMean: 1 },
  events: new Map(
    numbers.map((number) => [
      number,
      { starts: 1, losses: { 'not-started': 0, 'not-ready': 0, heartbeats: 0, ended: 0 } },
    ]),
  ),
  probes: {},
  eased: [],
  autoscale: {
    rules: { least: 1, most: 9, target: 10, windowMs: 60_000, downAfterMs: 300_000, downRate: 0.5 },
    now: {
      ...{ atMs: 0, replicas: 2, step: 0, reason: 'frozen', frozenBy: 'a roll has not ended' },
      ...{ wanted: 3, wantedLately: 4, stable: 25.5, panic: 31, isPanic: false },
    },
    steps: [],
    counts: { up: 5, down: 4, failed: 1, coldStarts: 2, coldStartMs: 2500 },
  },
  takesRequests: true,
  isPaused: false,
  peers: [{ url: 'http://b:1', isReachable: true, differs: ['its ring'] }],
  poison: { suspects: 2, quarantined: [{ request: 'GET /a', replicas: 2, leftMs: 1 }], replicasLost: 4 },
  droppedLines: 3,
  planVersion: 1,
  build: { version: '1', node: '2' },
  process: {
    cpuSeconds: 1,
    startTimeSeconds: 1,
    residentBytes: 1,
    heapBytes: 1,
    openDescriptors: 1,
    maxDescriptors: 1,
  },
};

t.test('a page of a thousand seats is made in pieces, none of them long', async (t) => {
  const pieces = [...exposition(FAMILIES, facts, 'text')];
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  t.comment(`${bytes} bytes in ${pieces.length} pieces`);
  t.ok(pieces.length > 100);
  // A histogram counts as one line here, and has 17.
  t.ok(Math.max(...pieces.map((piece) => piece.split('\n').length)) < 4000);
});

t.test('while a page is made others run, and who asks meanwhile or soon after gets the same one', async (t) => {
  let read = 0;
  let slept = 0;
  let nowMs = 0;
  const sleep = (ms: number, signal?: AbortSignal) => {
    slept += 1;
    nowMs = 50;
    return realClock.sleep(ms, signal);
  };
  const clock = { ...realClock, sleep, now: () => nowMs };
  const page = createMetricsPage(clock, async () => {
    read += 1;
    return facts;
  });
  const [one, same, open] = await Promise.all([page(undefined), page('*/*'), page('application/openmetrics-text')]);
  t.equal(one, same);
  t.not(one, open);
  t.equal(read, 2);
  t.ok(slept > 0, `room for others ${slept} times`);
  nowMs = 549;
  t.equal(await page(undefined), one, 'for ten times as long as it took');
  nowMs = 550;
  t.not(await page(undefined), one);
  t.equal(read, 3, 'a later one reads anew');
});

t.test('autoscaling has metrics while it is on', async (t) => {
  const lines = [...text(FAMILIES, facts, 'text').matchAll(/^ringmaster_(?:autoscale|cold).* \S+$/gm)].map(
    ([line]) => line,
  );
  t.same(lines, [
    'ringmaster_autoscale_replicas_wanted 3',
    'ringmaster_autoscale_replicas_bound{bound="least"} 1',
    'ringmaster_autoscale_replicas_bound{bound="most"} 9',
    'ringmaster_autoscale_in_flight{window="stable"} 25.5',
    'ringmaster_autoscale_in_flight{window="panic"} 31',
    'ringmaster_autoscale_target 10',
    'ringmaster_autoscale_frozen 1',
    'ringmaster_autoscale_steps_total{direction="up"} 5',
    'ringmaster_autoscale_steps_total{direction="down"} 4',
    'ringmaster_autoscale_steps_total{direction="failed"} 1',
    'ringmaster_cold_starts_total 2',
    'ringmaster_cold_starts_seconds_total 2.5',
  ]);
  t.notMatch(text(FAMILIES, { ...facts, autoscale: undefined }, 'text'), /autoscale|cold_start/);
});

t.test('the reference has every metric, and no other', async (t) => {
  const reference = readFileSync(new URL('../../.github/pages/REFERENCE.md', import.meta.url), 'utf8');
  const section = /<!-- metrics -->\n([\s\S]*?)\n<!-- /.exec(reference)?.[1] ?? '';
  const named = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  const said = text(FAMILIES, facts, 'text').matchAll(/^# TYPE (\w+) /gm);
  t.same([...named].sort(), [...said].map(([, name]) => name).sort());
});
