// what each replica gets as their number grows, compared to the ideal, and how far the busiest is above the mean.

import type { SpreadRun } from '../samples.ts';
import { evenness } from '../summaries.ts';
import type { Specification } from './render.ts';
import { COLOURS, hashName, label, subtitle, times, whole } from './theme.ts';

/** How even it stays, in a sentence. */
export function scaleFinding(runs: readonly SpreadRun[]): string {
  const worst = Math.max(...runs.map((run) => evenness(run).maxOverMean));
  return `From ${runs[0]?.replicas} replicas to ${runs.at(-1)?.replicas} the busiest one got at most ${times(worst, 3)} the mean.`;
}

export function scaleChart(runs: readonly SpreadRun[]): Specification {
  const { hash, requests } = runs[0] as SpreadRun;
  return {
    title: {
      text: `A-2 Scale: ${whole(requests)} requests at each number of replicas, hash ${hashName(hash)}`,
      subtitle: subtitle(
        scaleFinding(runs),
        'Left: a dot is a replica, the broad curve the ideal, 1/N. Right: the busiest, as a multiple of the mean.',
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

/** The part of the requests that every replica got over the number of replicas, with the ideal. */
export function loadPanel(runs: readonly SpreadRun[], size: Size, highest?: number): Specification {
  const dots = runs.flatMap((run) =>
    Object.values(run.counts).map((count) => ({ n: run.replicas, part: count / run.requests })),
  );
  const [from = 2, to = 6] = [runs[0]?.replicas, runs.at(-1)?.replicas];
  const curve = Array.from({ length: 41 }, (_, step) => from + ((to - from) * step) / 40);
  const x = { field: 'n', type: 'quantitative', ...replicasAxis(runs) };
  const domain = { domain: [0, highest ?? Math.max(...dots.map((dot) => dot.part)) * 1.1] };
  const y = {
    field: 'part',
    type: 'quantitative',
    scale: domain,
    axis: { title: 'part of the requests, %', format: '.0%', tickCount: 5 },
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
        data: { values: dots },
        mark: { type: 'circle', color: COLOURS.measured, size: 50, opacity: 0.8 },
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
  const ratios = runs.map((run) => evenness(run).maxOverMean);
  const top = highest ?? Math.max(1.05, ...ratios.map((ratio) => 1 + (ratio - 1) * 1.2));
  const rows = runs.map((run, index) => {
    const ratio = ratios[index] ?? 1;
    // Where the line rises steeply, a label above its point would be in its way.
    const isBelow = (ratios[index + 1] ?? ratio) - ratio > STEEP_RATIO * (top - 1);
    const isLabelled = highest === undefined || run === runs[0] || run === runs.at(-1);
    return { n: run.replicas, ratio, isBelow, label: isLabelled ? times(ratio, digits) : '' };
  });
  const x = { field: 'n', type: 'quantitative', ...replicasAxis(runs) };
  const y = {
    field: 'ratio',
    type: 'quantitative',
    scale: { domain: [1, top] },
    axis: { title: 'busiest replica, × mean', tickCount: 5 },
  };
  return {
    ...size,
    data: { values: rows },
    layer: [
      { mark: { type: 'line', color: COLOURS.measured, strokeWidth: 2 }, encoding: { x, y } },
      { mark: { type: 'circle', color: COLOURS.measured, size: 60, opacity: 1 }, encoding: { x, y } },
      ...([false, true] as const).flatMap((isBelow) =>
        label({ dy: isBelow ? 14 : -13, fontSize: 11 }, { x, y, text: { field: 'label' } }).map((layer) => ({
          transform: [{ filter: `datum.isBelow === ${isBelow}` }],
          ...layer,
        })),
      ),
    ],
  };
}

/** The part of the height of a panel. */
const STEEP_RATIO = 0.12;

function replicasAxis(runs: readonly SpreadRun[]) {
  const numbers = runs.map((run) => run.replicas);
  return {
    scale: { domain: [Math.min(...numbers) - 0.4, Math.max(...numbers) + 0.4], nice: false, zero: false },
    axis: { title: 'number of replicas', values: numbers, format: 'd', grid: false },
  };
}
