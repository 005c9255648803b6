// The overload over time: what became of the requests, and how long answers took.

import type { OverloadSamples } from '../samples.ts';
import { type OverloadSummary, overloadSummary } from '../summaries-overload.ts';
import type { Specification } from './render.ts';
import { brief, COLOURS, duration, label, subtitle, whole } from './theme.ts';

const WIDTH = 610;
const OUTCOMES = ['answered', 'turned away', 'failed'];
const TIMES = ['median', '99th percentile'];

/** How much was answered, and how soon, in two sentences. */
export function overloadFinding(samples: OverloadSamples): string {
  const { before, during, settled } = overloadSummary(samples);
  const part = brief((100 * during.goodput) / samples.perSecond);
  return (
    `During the overload ${whole(during.goodput)} requests a second were answered, ${part} % of the most possible. ` +
    `99 % of those took at most ${duration(during.p99Ms)}, without its first two seconds ${duration(settled.p99Ms)}; ` +
    `before the overload ${duration(before.p99Ms)}.`
  );
}

export function overloadChart(samples: OverloadSamples): Specification {
  const { perSecond } = samples;
  const summary = overloadSummary(samples);
  return {
    title: {
      text: `Overload: three times what the replicas can do, ${whole(perSecond)} requests a second`,
      subtitle: subtitle(overloadFinding(samples), 'Shaded: the overload. Requests stand where they were sent.'),
    },
    spacing: 24,
    vconcat: [outcomesPanel(summary, samples), timesPanel(summary, samples)],
    resolve: { scale: { color: 'independent', strokeDash: 'independent' } },
  };
}

function xOf({ seconds }: OverloadSummary, title: string): Specification {
  return {
    field: 'atS',
    type: 'quantitative',
    axis: { title, tickCount: 10, grid: false },
    scale: { domain: [0, seconds.length], nice: false },
  };
}

function outcomesPanel(summary: OverloadSummary, { perSecond, beginMs, endMs }: OverloadSamples): Specification {
  const rows = summary.seconds.flatMap(({ atS, answered, shed, failed }) =>
    [answered, shed, failed].map((count, place) => ({ atS, toS: atS + 1, name: OUTCOMES[place], count, place })),
  );
  const scale = { domain: OUTCOMES, range: [COLOURS.fine, COLOURS.shed, COLOURS.failed] };
  return {
    width: WIDTH,
    height: 170,
    layer: [
      shade(beginMs, endMs),
      {
        data: { values: rows },
        mark: { type: 'bar', binSpacing: 1 },
        encoding: {
          x: { ...xOf(summary, 'seconds since the load began'), bin: 'binned' },
          x2: { field: 'toS' },
          y: { field: 'count', type: 'quantitative', stack: true, axis: { title: 'requests a second', tickCount: 4 } },
          order: { field: 'place', type: 'quantitative' },
          color: { field: 'name', type: 'nominal', scale, legend: { title: null, symbolType: 'square' } },
        },
      },
      {
        data: { values: [{ most: perSecond }] },
        mark: { type: 'rule', color: COLOURS.ink, strokeDash: [4, 3] },
        encoding: { y: { field: 'most', type: 'quantitative' } },
      },
      ...label(
        { align: 'left', baseline: 'bottom', dx: 4, dy: -4 },
        {
          x: { field: 'atS', type: 'quantitative' },
          y: { field: 'most', type: 'quantitative' },
          text: { field: 'text' },
        },
      ).map((layer) => ({
        data: { values: [{ atS: 0, most: perSecond, text: `${whole(perSecond)} possible` }] },
        ...layer,
      })),
    ],
  };
}

function timesPanel(summary: OverloadSummary, { beginMs, endMs }: OverloadSamples): Specification {
  const rows = summary.seconds.flatMap(({ atS, p50Ms, p99Ms }) =>
    [p50Ms, p99Ms].map((ms, place) => ({ atS: atS + 0.5, name: TIMES[place], ms })),
  );
  return {
    width: WIDTH,
    height: 130,
    layer: [
      shade(beginMs, endMs),
      {
        data: { values: rows.filter(({ ms }) => ms > 0) },
        mark: { type: 'line', strokeWidth: 2, color: COLOURS.measured },
        encoding: {
          x: xOf(summary, 'seconds since the load began'),
          y: {
            field: 'ms',
            type: 'quantitative',
            scale: { type: 'log' },
            axis: { title: 'time to an answer, ms', tickCount: 4, grid: false },
          },
          strokeDash: {
            field: 'name',
            type: 'nominal',
            scale: {
              domain: TIMES,
              range: [
                [1, 0],
                [5, 3],
              ],
            },
            legend: { title: null, symbolType: 'stroke', symbolSize: 500, symbolStrokeColor: COLOURS.measured },
          },
        },
      },
    ],
  };
}

function shade(beginMs: number, endMs: number): Specification {
  return {
    data: { values: [{ fromS: beginMs / 1000, toS: endMs / 1000 }] },
    mark: { type: 'rect', color: COLOURS.plain, opacity: 0.15 },
    encoding: { x: { field: 'fromS', type: 'quantitative' }, x2: { field: 'toS' } },
  };
}
