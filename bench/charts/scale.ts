// what each replica gets as their number grows, compared to the ideal, and how far the busiest is above the mean.

import type { SpreadRun } from '../samples.ts';
import { evenness } from '../summaries.ts';
import type { Specification } from './render.ts';
import { COLOURS, hashName, subtitle, whole } from './theme.ts';

export function scaleChart(runs: readonly SpreadRun[]): Specification {
  const worst = Math.max(...runs.map((run) => evenness(run).maxOverMean));
  const { hash, requests } = runs[0] as SpreadRun;
  return {
    title: {
      text: `A-2 Scale: ${whole(requests)} requests at each number of replicas, hash ${hashName(hash)}`,
      subtitle: subtitle(
        `The busiest replica had at most ${worst.toFixed(3)} times the mean.`,
        'Left: a dot is a replica, the line their mean, the broad curve 1/N. Right: the busiest over the mean.',
      ),
    },
    spacing: 48,
    hconcat: [loadPanel(runs, { width: 390, height: 260 }), ratioPanel(runs, { width: 280, height: 260 }, 3)],
  };
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The requests of every replica over the number of replicas, with their mean and the ideal. */
export function loadPanel(runs: readonly SpreadRun[], size: Size, highest?: number): Specification {
  const dots = runs.flatMap((run) =>
    Object.values(run.counts).map((count) => ({ n: run.replicas, part: count / run.requests })),
  );
  const means = runs.map((run) => ({
    n: run.replicas,
    part: (run.requests - run.failed) / run.requests / run.replicas,
  }));
  const [from = 2, to = 6] = [runs[0]?.replicas, runs.at(-1)?.replicas];
  const curve = Array.from({ length: 41 }, (_, step) => from + ((to - from) * step) / 40);
  const x = { field: 'n', type: 'quantitative', ...replicasAxis(runs) };
  const domain = { domain: [0, highest ?? Math.max(...dots.map((dot) => dot.part)) * 1.1] };
  const y = {
    field: 'part',
    type: 'quantitative',
    scale: domain,
    axis: { title: 'part of the requests', format: '.0%', tickCount: 5 },
  };
  return {
    ...size,
    layer: [
      {
        data: { values: curve.map((n) => ({ n, part: 1 / n })) },
        mark: { type: 'line', color: COLOURS.plain, opacity: 0.4, strokeWidth: 12, strokeCap: 'round' },
        encoding: { x, y },
      },
      {
        data: { values: means },
        mark: { type: 'line', color: COLOURS.ours, strokeWidth: 1.5 },
        encoding: { x, y },
      },
      {
        data: { values: dots },
        mark: { type: 'circle', color: COLOURS.blue, size: 50, opacity: 0.8 },
        encoding: { x, y },
      },
    ],
  };
}

/**
 * The busiest replica relative to the mean, over the number of replicas.
 * @param digits is how many digits labels have after the point.
 * @param highest is the end of the axis; without it, every dot has room for its label.
 */
export function ratioPanel(runs: readonly SpreadRun[], size: Size, digits: number, highest?: number): Specification {
  const rows = runs.map((run) => {
    const ratio = evenness(run).maxOverMean;
    const isLabelled = highest === undefined || run === runs[0] || run === runs.at(-1);
    return { n: run.replicas, ratio, label: isLabelled ? ratio.toFixed(digits) : '' };
  });
  const most = highest ?? Math.max(1.05, ...rows.map((row) => 1 + (row.ratio - 1) * 1.2));
  const x = { field: 'n', type: 'quantitative', ...replicasAxis(runs) };
  const y = {
    field: 'ratio',
    type: 'quantitative',
    scale: { domain: [1, most] },
    axis: { title: 'busiest over mean', tickCount: 5 },
  };
  return {
    ...size,
    data: { values: rows },
    layer: [
      { mark: { type: 'line', color: COLOURS.blue, strokeWidth: 2 }, encoding: { x, y } },
      { mark: { type: 'circle', color: COLOURS.blue, size: 60, opacity: 1 }, encoding: { x, y } },
      {
        mark: { type: 'text', dy: -12, fontSize: 11, color: COLOURS.ink },
        encoding: { x, y, text: { field: 'label' } },
      },
    ],
  };
}

function replicasAxis(runs: readonly SpreadRun[]) {
  const numbers = runs.map((run) => run.replicas);
  return {
    scale: { domain: [Math.min(...numbers) - 0.4, Math.max(...numbers) + 0.4], nice: false, zero: false },
    axis: { title: 'replicas', values: numbers, format: 'd', grid: false },
  };
}
