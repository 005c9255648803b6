// What was measured as tables: for the terminal at the end of a run, for the page and for its Markdown. Pure.

import { soakSlopes } from './charts/soak.ts';
import { thousands } from './charts/speed.ts';
import { brief, duration, hashName, micros, times, whole } from './charts/theme.ts';
import type {
  AffinitySamples,
  OverloadSamples,
  RecoverySamples,
  Results,
  SpeedSamples,
  SpreadSamples,
} from './samples.ts';
import { quantile, type Spread } from './statistics.ts';
import {
  burstSummaries,
  evenness,
  faultStories,
  hashesOf,
  mainTrial,
  runsOf,
  scaledName,
  scaleSummaries,
  speedSummaries,
} from './summaries.ts';
import { affinitySummaries } from './summaries-affinity.ts';
import { overloadSummary } from './summaries-overload.ts';

export interface Table {
  readonly heading: string;
  /** What a reader has to know to understand it; may be empty. */
  readonly text: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What is too long for a terminal stands in the report alone. */
  readonly isLong?: true;
}

export function tablesOf({ spread, recovery, soak, matrix, overload, affinity, speed }: Results): Table[] {
  const tables = [
    ...(spread === undefined ? [] : [spreadTable(spread)]),
    ...(recovery === undefined ? [] : [recoveryTable(recovery)]),
    ...(soak === undefined ? [] : [soakTable(soak)]),
    ...(matrix === undefined ? [] : [matrixTable(matrix)]),
    ...(overload === undefined ? [] : [overloadTable(overload)]),
    ...(affinity === undefined ? [] : [affinityTable(affinity)]),
    ...(speed === undefined ? [] : [speedTable(speed), workersTable(speed), burstTable(speed), plansTable(speed)]),
    ...(recovery === undefined ? [] : [endpointTable(recovery)]),
  ];
  return tables.filter(({ rows }) => rows.length > 0);
}

/** The table for a terminal: the first column to the left, all others to the right. */
export function textOf({ heading, columns, rows }: Table): string {
  const all = [columns, ...rows];
  const widths = columns.map((_, at) => Math.max(...all.map((row) => row[at]?.length ?? 0)));
  const lines = all.map((row) =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  '),
  );
  const [first = '', ...others] = lines.map((line) => `  ${line}`.trimEnd());
  return [heading, first, `  ${widths.map((width) => '-'.repeat(width)).join('  ')}`, ...others].join('\n');
}

function spreadTable(samples: SpreadSamples): Table {
  const bounded = samples.runs.filter((run) => run.bounded);
  const numbers = [...new Set(samples.runs.map((run) => run.replicas))].toSorted((a, b) => a - b);
  const rowOf = (name: string, runs: SpreadSamples['runs']) => [
    name,
    ...numbers.map((number) => {
      const run = runs.find(({ replicas }) => replicas === number);
      return run === undefined ? '' : times(evenness(run).maxOverMean, 3);
    }),
  ];
  return {
    heading: 'Spread: what the busiest replica got, × mean',
    text: '',
    columns: ['hash', ...numbers.map((number) => `N = ${number}`)],
    rows: [
      ...hashesOf(samples).map((hash) => rowOf(hashName(hash), runsOf(samples, hash))),
      ...(bounded.length === 0 ? [] : [rowOf(`${hashName(samples.hash)}, bounded`, bounded)]),
    ],
  };
}

function recoveryTable(samples: RecoverySamples): Table {
  const kinds = { kill: 'killed', hang: 'hung', rm: 'removed' } as const;
  const after = (ms: number | undefined) => (ms === undefined ? '' : duration(Math.max(1, ms)));
  return {
    heading: `Recovery, at ${whole(samples.perSecond)} requests a second`,
    text: '',
    columns: ['replica', 'found out', 'keys elsewhere', 'replaced', 'requests', 'failed', 'late', 'longest'],
    rows: faultStories(samples).map((story) => [
      kinds[story.fault.kind],
      after(story.detectedMs),
      after(story.elsewhereMs),
      after(story.replacedMs),
      whole(story.requests.length),
      whole(story.failed),
      whole(story.late),
      duration(story.longestMs),
    ]),
  };
}

function soakTable(samples: NonNullable<Results['soak']>): Table {
  return {
    heading: 'Soak: growth, with a confidence of 95 %',
    text: '',
    columns: ['what', 'growth'],
    rows: soakSlopes(samples).map(({ title, words }) => [title, words]),
  };
}

function matrixTable({ cells, rounds, besideMs, withoutMs }: NonNullable<Results['matrix']>): Table {
  return {
    heading: `Fault matrix: ${whole(cells.length)} cells in ${whole(rounds)} rounds`,
    text: '',
    columns: ['what', 'figure'],
    rows: [
      ['most beyond the fault or its limit', duration(Math.max(...cells.map(({ lateMs }) => lateMs)))],
      ['p99 of requests beside the faults', duration(besideMs)],
      ['p99 of requests in turn without', duration(withoutMs)],
    ],
  };
}

function overloadTable(samples: OverloadSamples): Table {
  const { before, during, settled, after } = overloadSummary(samples);
  const spans = { before, during, 'during, after 2 s': settled, after };
  return {
    heading: `Overload: three times the ${whole(samples.perSecond)} requests a second that are possible`,
    text: '',
    columns: ['when', 'answered', 'p50', 'p99'],
    rows: Object.entries(spans)
      .filter(([, { p50Ms }]) => !Number.isNaN(p50Ms))
      .map(([when, { goodput, p50Ms, p99Ms }]) => [when, `${whole(goodput)}/s`, duration(p50Ms), duration(p99Ms)]),
  };
}

function affinityTable(samples: AffinitySamples): Table {
  return {
    heading: 'Affinity: conversations with language models',
    text: '',
    columns: ['contender', 'cached', 'first byte, p50', 'p95', 'in flight, most over mean'],
    rows: affinitySummaries(samples).map(({ contender, hitRatio, firstP50Ms, firstP95Ms, mostOverMean }) => [
      contender,
      `${brief(100 * hitRatio)} %`,
      duration(firstP50Ms),
      duration(firstP95Ms),
      times(mostOverMean.median),
    ]),
  };
}

function speedTable(samples: SpeedSamples): Table {
  return {
    heading: 'Speed: processor time per request, and what one core does',
    text: '',
    columns: ['contender', 'a request', 'least … most', 'requests', 'p50', 'p90', 'p99'],
    rows: mainTrial(speedSummaries(samples)).map(({ contender, cpuMicros, perSecond }) => {
      const latency = samples.latencies.find((one) => one.contender === contender && one.errors === 0);
      const latencies = latency === undefined ? [] : [latency.p50Ms, latency.p90Ms, latency.p99Ms];
      return [
        contender,
        ...costOf(cpuMicros),
        thousands(perSecond.median),
        ...latencies.map((ms) => `${brief(ms)} ms`),
      ];
    }),
  };
}

function costOf(cpuMicros: Spread | undefined): string[] {
  if (cpuMicros === undefined) return ['', ''];
  return [micros(cpuMicros.median), `${brief(cpuMicros.least)} … ${micros(cpuMicros.most)}`];
}

function workersTable({ scale = [] }: SpeedSamples): Table {
  return {
    heading: 'Workers and many replicas',
    text: '',
    columns: ['contender', 'a request', 'least … most', 'requests', 'if each worker had a core'],
    rows: scaleSummaries(scale).map((one) => [
      scaledName(one),
      ...costOf(one.cpuMicros),
      thousands(one.perSecond.median),
      one.capacity === undefined ? '' : thousands(one.capacity.median),
    ]),
  };
}

function burstTable({ bursts = [] }: SpeedSamples): Table {
  return {
    heading: 'Bursts: time to the first byte of an answer',
    text:
      `${bursts[0]?.connections} connections that come at once, beside as many busy ones. Medians of the rounds, and the longest of all. ` +
      'It says how long who comes then has to wait, and depends on the load too: compare.',
    columns: ['contender', 'p50', 'p99', 'longest', 'not answered'],
    rows: burstSummaries(bursts).map(({ contender, p50Ms, p99Ms, mostMs, errors }) => {
      return [contender, ...[p50Ms, p99Ms, mostMs].map((ms) => `${brief(ms)} ms`), whole(errors)];
    }),
  };
}

function plansTable({ plans = [] }: SpeedSamples): Table {
  const replicas = whole(plans[0]?.replicas ?? 0);
  return {
    heading: `Changes among ${replicas} replicas`,
    text:
      `One of ${replicas} replicas leaves and joins again, ${plans[0]?.changesMs.length} changes in all, beside clients that ask one request after the ` +
      'other: how long a change took until all requests went by it, and the longest that a request took in the second before and while changes were made.',
    columns: ['workers', 'change, median', 'longest', 'longest request before', 'meanwhile', 'requests', 'errors'],
    rows: plans.map(({ workers, changesMs, quietMs, longestMs, requests, errors }) => {
      const spans = [quantile(changesMs, 0.5), quantile(changesMs, 1), quietMs, longestMs].map(
        (ms) => `${brief(ms)} ms`,
      );
      return [`${workers}`, ...spans, whole(requests), whole(errors)];
    }),
  };
}

function endpointTable({ endpoints }: RecoverySamples): Table {
  return {
    heading: 'Every endpoint, on the way',
    text: 'Before the load of A-3 each was called once, also with what has to be refused.',
    columns: ['request', 'status', 'answer'],
    rows: endpoints.map(({ request, status, answer }) => [request, String(status), answer]),
    isLong: true,
  };
}
