// Autoscaling over time: how many replicas there were beside the ideal, and what each of them had to do.

import type { AutoscaleSamples } from '../samples.ts';
import { type AutoscaleSummary, autoscaleSummary } from '../summaries-autoscale.ts';
import type { Specification } from './render.ts';
import { brief, COLOURS, subtitle, whole } from './theme.ts';

const WIDTH = 610;
const SIZES = ['replicas', 'ideal'];
const TOLERATED = 0.2;

export function autoscaleFinding(samples: AutoscaleSamples): string {
  const { plateauEach, costRatio } = autoscaleSummary(samples);
  const { target, requests, failed, steps } = samples;
  const failures = failed === 0 ? 'none failed' : `${whole(failed)} failed`;
  return `On the plateau each replica had ${brief(plateauEach)} requests in flight, for a target of ${target}. Of ${whole(requests)} requests ${failures}. It took ${steps} steps, and ${brief(costRatio)} times the replicas that the ideal takes.`;
}

export function autoscaleChart(samples: AutoscaleSamples): Specification {
  const summary = autoscaleSummary(samples);
  return {
    title: {
      text: `Autoscaling: up, a plateau, a spike, down; ${samples.target} in flight each`,
      subtitle: subtitle(autoscaleFinding(samples), 'The plateau is shaded, once the window has nothing of the rise.'),
    },
    spacing: 24,
    vconcat: [sizesPanel(summary, samples), loadPanel(summary, samples)],
    resolve: { scale: { color: 'independent' } },
  };
}

function xOf({ seconds }: AutoscaleSummary, title: string | null): Specification {
  return {
    field: 'atS',
    type: 'quantitative',
    axis: { title, tickCount: 10, grid: false },
    scale: { domain: [0, seconds.length], nice: false },
  };
}

function sizesPanel(summary: AutoscaleSummary, samples: AutoscaleSamples): Specification {
  const rows = summary.seconds.flatMap(({ atS, replicas, ideal }) =>
    [replicas, ideal].map((count, place) => ({ atS, name: SIZES[place], count })),
  );
  const scale = { domain: SIZES, range: [COLOURS.ours, COLOURS.ink] };
  return {
    width: WIDTH,
    height: 170,
    layer: [
      shade(samples),
      {
        data: { values: rows },
        mark: { type: 'line', interpolate: 'step-after' },
        encoding: {
          x: xOf(summary, null),
          y: { field: 'count', type: 'quantitative', axis: { title: 'replicas', tickCount: 5 } },
          color: { field: 'name', type: 'nominal', scale, legend: { title: null, symbolType: 'stroke' } },
          strokeDash: {
            field: 'name',
            type: 'nominal',
            scale: {
              domain: SIZES,
              range: [
                [1, 0],
                [4, 3],
              ],
            },
            legend: null,
          },
          strokeWidth: { condition: { test: "datum.name === 'ideal'", value: 1.2 }, value: 2.5 },
        },
      },
    ],
  };
}

function loadPanel(summary: AutoscaleSummary, samples: AutoscaleSamples): Specification {
  const { target } = samples;
  return {
    width: WIDTH,
    height: 130,
    layer: [
      shade(samples),
      {
        data: { values: [{ from: target * (1 - TOLERATED), to: target * (1 + TOLERATED) }] },
        mark: { type: 'rect', color: COLOURS.fine, opacity: 0.5 },
        encoding: { y: { field: 'from', type: 'quantitative' }, y2: { field: 'to' } },
      },
      {
        data: { values: [{ target }] },
        mark: { type: 'rule', color: COLOURS.ink, strokeDash: [4, 3] },
        encoding: { y: { field: 'target', type: 'quantitative' } },
      },
      {
        data: { values: summary.seconds.map(({ atS, each }) => ({ atS, each })) },
        mark: { type: 'line', color: COLOURS.measured, strokeWidth: 2 },
        encoding: {
          x: xOf(summary, 'seconds'),
          y: {
            field: 'each',
            type: 'quantitative',
            axis: { title: 'in flight per replica', tickCount: 4, grid: false },
          },
        },
      },
    ],
  };
}

function shade({ plateauS: [fromS, toS] }: AutoscaleSamples): Specification {
  return {
    data: { values: [{ fromS, toS }] },
    mark: { type: 'rect', color: COLOURS.plain, opacity: 0.15 },
    encoding: { x: { field: 'fromS', type: 'quantitative' }, x2: { field: 'toS' } },
  };
}
