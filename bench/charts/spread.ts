// how many requests each replica got, and how far each is off the mean compared to what chance alone would do.

import type { SpreadRun } from '../samples.ts';
import { chanceMargin, mean } from '../statistics.ts';
import { evenness } from '../summaries.ts';
import type { Specification } from './render.ts';
import { brief, COLOURS, hashName, label, subtitle, times, whole } from './theme.ts';

/** How even it is, in a sentence. */
export function spreadFinding(run: SpreadRun): string {
  const { maxOverMean, deviation } = evenness(run);
  return `The busiest replica got ${times(maxOverMean, 3)} the mean; standard deviation ${brief(deviation)} requests.`;
}

export function spreadChart(run: SpreadRun): Specification {
  const values = Object.values(run.counts);
  const middle = mean(values);
  const margin = chanceMargin(run.requests, run.replicas);
  const rows = Object.entries(run.counts).map(([replica, count]) => ({
    replica,
    count,
    label: `${whole(count)} (${((100 * count) / run.requests).toFixed(1)} %)`,
    off: count - middle,
    offLabel: `${count >= middle ? '+' : '−'}${offBy(Math.abs(count - middle))}`,
  }));
  const highest = Math.max(middle + margin, ...values) * 1.1;
  const farthest = Math.max(margin, ...rows.map((row) => Math.abs(row.off))) * 1.25;
  return {
    title: {
      text: `A-1 Spread: ${whole(run.requests)} requests over ${run.replicas} replicas, hash ${hashName(run.hash)}`,
      subtitle: subtitle(
        spreadFinding(run),
        'Line: the mean. Band: where 19 of 20 counts would lie if each request went to a replica by chance.',
      ),
    },
    data: { values: rows },
    spacing: 48,
    hconcat: [
      {
        width: 400,
        height: 260,
        layer: [
          band(middle - margin, middle + margin),
          {
            mark: { type: 'bar', color: COLOURS.measured, width: { band: 0.62 } },
            encoding: {
              x: { field: 'replica', type: 'nominal', sort: null, axis: { title: 'replica', labelAngle: 0 } },
              y: {
                field: 'count',
                type: 'quantitative',
                scale: { domain: [0, highest], nice: false },
                axis: { title: 'requests', tickCount: 5, format: ',d' },
              },
            },
          },
          rule(middle),
          ...label(
            { dy: -18, fontSize: 13, fontWeight: 600 },
            {
              x: { field: 'replica', type: 'nominal', sort: null },
              y: { field: 'count', type: 'quantitative' },
              text: { field: 'label' },
            },
          ),
        ],
      },
      {
        width: 210,
        height: 260,
        layer: [
          band(-margin, margin),
          rule(0),
          {
            mark: { type: 'circle', size: 110, color: COLOURS.measured, opacity: 1 },
            encoding: {
              x: { field: 'replica', type: 'nominal', sort: null, axis: { title: 'replica', labelAngle: 0 } },
              y: {
                field: 'off',
                type: 'quantitative',
                scale: { domain: [-farthest, farthest] },
                axis: { title: 'requests more or less than the mean', tickCount: 5 },
              },
            },
          },
          ...([1, -1] as const).flatMap((side) =>
            label(
              { dy: -15 * side },
              {
                x: { field: 'replica', type: 'nominal', sort: null },
                y: { field: 'off', type: 'quantitative' },
                text: { field: 'offLabel' },
              },
            ).map((layer) => ({
              // Puts labels on the side away from the line of the mean.
              transform: [{ filter: `${side} * datum.off >= ${side === 1 ? 0 : 1e-9}` }],
              ...layer,
            })),
          ),
        ],
      },
    ],
  };
}

function band(from: number, to: number): Specification {
  return {
    data: { values: [{ from, to }] },
    mark: { type: 'rect', color: COLOURS.plain, opacity: 0.35 },
    encoding: { y: { field: 'from', type: 'quantitative' }, y2: { field: 'to' } },
  };
}

function rule(at: number): Specification {
  return {
    data: { values: [{ at }] },
    mark: { type: 'rule', color: COLOURS.ink, strokeWidth: 1.5 },
    encoding: { y: { field: 'at', type: 'quantitative' } },
  };
}

function offBy(requests: number): string {
  return requests < 100 ? requests.toFixed(1) : whole(requests);
}
