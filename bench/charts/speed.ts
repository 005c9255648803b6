// The speed comparison: processor time per request, requests per second and latency of each contender, and the
// processor time with larger bodies and with fewer and more connections. The subtitle says who beats us, and by how
// much.

import { BY_UNIX, OURS } from '../contenders.ts';
import type { LatencyRound, SpeedSamples } from '../samples.ts';
import { mainTrial, type SpeedSummary, speedSummaries } from '../summaries.ts';
import type { Specification } from './render.ts';
import { brief, COLOURS, label, micros, subtitle, whole } from './theme.ts';

const ROW_HEIGHT = 26;
// Below this width an axis has room for two labels besides its zero.
const NARROW = 150;

export function speedChart(samples: SpeedSamples): Specification {
  const summaries = mainTrial(speedSummaries(samples));
  const names = summaries.map((one) => one.contender);
  const [first] = summaries;
  const panels = [
    ...(first?.cpuMicros === undefined ? [] : [costPanel(summaries, 'processor time, µs a request', 220, true)]),
    ratePanel(summaries, first?.cpuMicros === undefined),
    ...(samples.latencies.length === 0 ? [] : [latencyPanel(names, samples.latencies)]),
  ];
  const rounds = first?.rounds === 1 ? 'one round' : `${first?.rounds} rounds`;
  return {
    title: {
      text: 'Speed: what a request costs',
      subtitle: subtitle(
        standing(summaries),
        `Medians of ${rounds}, ${first?.connections} connections, one process on one core each. Whiskers: least to most.`,
      ),
    },
    spacing: 26,
    hconcat: panels,
  };
}

/** One panel for each of the given trials, with rows in the order of the whole comparison. */
export function sideChart(
  title: string,
  explanation: string,
  trials: readonly { readonly name: string; readonly summaries: readonly SpeedSummary[] }[],
  names: readonly string[],
): Specification {
  const width = Math.floor(560 / trials.length) - 24;
  return {
    title: { text: title, subtitle: subtitle(losses(trials), explanation) },
    spacing: 24,
    hconcat: trials.map(({ name, summaries }, index) => ({
      title: { text: name, fontSize: 13, offset: 6, anchor: 'start', frame: 'group' },
      ...costPanel(inOrder(summaries, names), 'processor time, µs a request', width, index === 0, names),
    })),
  };
}

/**
 * Who is cheaper than we are, and by how much, among contenders that reach their backends in the same way; says so if
 * nobody is.
 */
export function standing(summaries: readonly SpeedSummary[]): string {
  const overTcp = summaries.filter((one) => !one.contender.endsWith(BY_UNIX));
  const overUnix = summaries.filter((one) => one.contender.endsWith(BY_UNIX));
  return [
    standingAmong(overTcp, OURS, 'With replicas over TCP'),
    ...(overUnix.length < 2 ? [] : [standingAmong(overUnix, OURS + BY_UNIX, 'Over Unix sockets')]),
  ].join(' ');
}

function standingAmong(summaries: readonly SpeedSummary[], name: string, where: string): string {
  const ours = summaries.find((one) => one.contender === name);
  if (ours === undefined) return `${where} there is no number for ${OURS}: see the doubts.`;
  const cheaper = summaries.filter((one) => costOf(one) < costOf(ours));
  if (cheaper.length === 0) return `${where} ${OURS} costs least.`;
  const factors = cheaper.map((one) => {
    return `${(costOf(ours) / costOf(one)).toFixed(2)} times ${one.contender.replace(BY_UNIX, '')}`;
  });
  return `${where} ${OURS} loses: it costs ${listed(factors)}.`;
}

/** Who needs less than we do in each trial, in a sentence. */
export function losses(trials: Parameters<typeof sideChart>[2]): string {
  const lost = trials.map(({ name, summaries }) => {
    const ours = summaries.find((one) => one.contender === OURS);
    if (ours === undefined) return `${name}: no number for ${OURS}`;
    const others = summaries.filter((one) => one.contender !== OURS && !one.contender.endsWith(BY_UNIX));
    const cheaper = others.filter((one) => costOf(one) < costOf(ours)).length;
    return `${name}: ${cheaper} of ${others.length}`;
  });
  return `Who needs less than ${OURS}, over TCP: ${lost.join('; ')}.`;
}

function listed(items: readonly string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}

function costOf({ cpuMicros, perSecond }: SpeedSummary): number {
  return cpuMicros?.median ?? 1e6 / perSecond.median;
}

function inOrder(summaries: readonly SpeedSummary[], names: readonly string[]): SpeedSummary[] {
  return summaries.toSorted((a, b) => names.indexOf(a.contender) - names.indexOf(b.contender));
}

function rowsAxis(names: readonly string[], labelled: boolean): Specification {
  const axis = labelled ? { title: null, domain: false, ticks: false, labelPadding: 6 } : null;
  return { field: 'contender', type: 'nominal', sort: names, scale: { domain: names }, axis };
}

// Our own bars have a colour of their own.
const colour = {
  condition: { test: `indexof(datum.contender, '${OURS}') === 0`, value: COLOURS.ours },
  value: COLOURS.plain,
};

/** Bars from 0, one for each row, with what they vary. */
export function barPanel(
  rows: readonly { contender: string; middle: number; least: number; most: number; label: string }[],
  names: readonly string[],
  title: string | readonly string[],
  width: number,
  labelled: boolean,
): Specification {
  const y = rowsAxis(names, labelled);
  // Leaves room for the label behind the longest bar.
  const most = Math.max(...rows.map((row) => row.most)) * (1 + 60 / width);
  const x = (field: string) => ({
    field,
    type: 'quantitative',
    scale: { domain: [0, most], nice: false },
    axis: { title, tickCount: width < NARROW ? 2 : 3, format: '~s', labelFlush: false },
  });
  return {
    width,
    height: names.length * ROW_HEIGHT,
    data: { values: rows },
    layer: [
      { mark: { type: 'bar', height: { band: 0.66 } }, encoding: { y, x: x('middle'), color: colour } },
      {
        mark: { type: 'rule', color: COLOURS.ink, strokeWidth: 1.5 },
        encoding: { y, x: x('least'), x2: { field: 'most' } },
      },
      ...label({ align: 'left', dx: 6 }, { y, x: x('most'), text: { field: 'label' } }),
    ],
  };
}

function costPanel(
  summaries: readonly SpeedSummary[],
  title: string,
  width: number,
  labelled: boolean,
  names: readonly string[] = summaries.map((one) => one.contender),
): Specification {
  const rows = summaries.flatMap(({ contender, cpuMicros }) =>
    cpuMicros === undefined
      ? []
      : [{ contender, middle: cpuMicros.median, ...cpuMicros, label: micros(cpuMicros.median) }],
  );
  return barPanel(rows, names, title, width, labelled);
}

function ratePanel(summaries: readonly SpeedSummary[], labelled: boolean): Specification {
  const rows = summaries.map(({ contender, perSecond }) => ({
    contender,
    middle: perSecond.median,
    ...perSecond,
    label: thousands(perSecond.median),
  }));
  const names = summaries.map((one) => one.contender);
  return barPanel(rows, names, 'requests a second', 110, labelled);
}

/** Formats a rate in thousands a second. */
export function thousands(perSecond: number): string {
  return `${whole(perSecond / 1000)}k/s`;
}

function latencyPanel(names: readonly string[], latencies: readonly LatencyRound[]): Specification {
  const rows = latencies
    .filter(({ contender, errors }) => names.includes(contender) && errors === 0)
    .map(({ contender, p50Ms, p90Ms, p99Ms }) => {
      return { contender, p50Ms, p90Ms, p99Ms, label: `${brief(p50Ms)} … ${brief(p99Ms)} ms` };
    });
  const least = Math.min(...rows.map((row) => row.p50Ms));
  const most = Math.max(...rows.map((row) => row.p99Ms));
  const y = rowsAxis(names, false);
  const x = (field: string) => ({
    field,
    type: 'quantitative',
    // Leaves room for the label behind the longest bar.
    scale: { type: 'log', domain: [least * 0.8, most * (most / least) ** 0.9], nice: false },
    axis: {
      title: ['latency, ms (logarithmic),', `at ${latencies[0]?.perSecond} requests a second`],
      // A grid of a logarithmic axis would be denser than what it is for.
      grid: false,
      ticks: true,
      values: [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000].filter((value) => value >= least * 0.8 && value <= most * 1.2),
      format: '~g',
    },
  });
  return {
    width: 160,
    height: names.length * ROW_HEIGHT,
    data: { values: rows },
    layer: [
      { mark: { type: 'rule', strokeWidth: 2 }, encoding: { y, x: x('p50Ms'), x2: { field: 'p99Ms' }, color: colour } },
      { mark: { type: 'tick', thickness: 3, height: 12 }, encoding: { y, x: x('p90Ms'), color: colour } },
      { mark: { type: 'circle', size: 70, opacity: 1 }, encoding: { y, x: x('p50Ms'), color: colour } },
      ...label({ align: 'left', dx: 6 }, { y, x: x('p99Ms'), text: { field: 'label' } }),
      // Above the first row it is said what the marks are.
      ...PERCENTILES.map(({ field, name, align }) => ({
        transform: [{ filter: `datum.contender === ${JSON.stringify(names[0])}` }],
        mark: { type: 'text', dy: -ROW_HEIGHT / 2 - 4, align, fontSize: 11, color: COLOURS.muted },
        encoding: { y, x: x(field), text: { value: name } },
      })),
    ],
  };
}

const PERCENTILES = [
  { field: 'p50Ms', name: 'p50', align: 'right' },
  { field: 'p90Ms', name: 'p90', align: 'center' },
  { field: 'p99Ms', name: 'p99', align: 'center' },
] as const;
