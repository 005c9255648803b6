// What fleets that there could be would have to do with the traffic of a log: shares, load over time, hits by the size
// of the caches, and how rings compare.

import type { HitRatio } from '../../lib/core/what-if/hit-curve.ts';
import type { Prediction, SituationPrediction } from '../../lib/core/what-if/prediction.ts';
import type { Specification } from './render.ts';
import { COLOURS, hashName, subtitle, whole } from './theme.ts';

const FLEETS = ['now', 'then'] as const;
const COLOUR = {
  field: 'fleet',
  type: 'nominal',
  legend: { title: null, symbolOpacity: 1 },
  scale: { domain: FLEETS, range: [COLOURS.plain, COLOURS.ours] },
};

export function whatIfChart(prediction: Prediction): Specification {
  const fleets = fleetsOf(prediction);
  const compared = prediction.situations.filter(({ name }) => name === 'compared');
  return {
    title: { text: 'What if', subtitle: subtitle(whatIfFinding(prediction), certaintyOf(prediction)) },
    spacing: 28,
    vconcat: [
      { spacing: 40, hconcat: [shares(fleets), curves(fleets)] },
      { spacing: 40, hconcat: [load(prediction, fleets), ...(compared.length === 0 ? [] : [rings(compared)])] },
    ],
  };
}

export function whatIfFinding(prediction: Prediction): string {
  const { requests, moved } = prediction;
  const sizes = fleetsOf(prediction).map(
    ({ name, replicas, hash }) => `${name}: ${replicas} replicas by ${hashName(hash)}`,
  );
  const last = moved.at(-1);
  const change =
    last === undefined ? '' : ` At the change, ${percent(last.requests)} of the requests have another replica.`;
  return `${whole(requests)} requests of a log, played; ${sizes.join('; ')}.${change}`;
}

function certaintyOf({ sampleRate }: Prediction): string {
  if (sampleRate === 1) return 'Hits are of all objects, so nothing is left to chance.';
  return `Bands and whiskers: 95 % intervals, as hits are estimated from 1 in ${whole(1 / sampleRate)} objects.`;
}

function fleetsOf({ situations }: Prediction): SituationPrediction[] {
  return situations.filter(({ name }) => name === 'now' || name === 'then');
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`;
}

function shares(fleets: readonly SituationPrediction[]): Specification {
  const values = fleets.flatMap(({ name, seats }) =>
    seats.map(({ seat, share, hits }) => ({ fleet: name, seat, share: 100 * share, ...within(hits[0]) })),
  );
  const panel = (field: string, title: string, layer: readonly Specification[]) => ({
    width: 250,
    height: 110,
    encoding: {
      x: { field: 'seat', type: 'ordinal', title: 'seat', axis: { labelAngle: 0 } },
      xOffset: { field: 'fleet', type: 'nominal', sort: FLEETS },
      y: { field, type: 'quantitative', title, scale: { zero: true } },
      color: COLOUR,
    },
    layer,
  });
  return {
    data: { values },
    spacing: 14,
    vconcat: [
      panel('share', 'requests, %', [{ mark: { type: 'bar' } }]),
      panel('hits', 'hits, %', [
        { mark: { type: 'bar' } },
        {
          mark: { type: 'rule', color: COLOURS.ink },
          encoding: {
            y: { field: 'least', type: 'quantitative', title: 'hits, %' },
            y2: { field: 'most' },
            color: { value: COLOURS.ink },
          },
        },
      ]),
    ],
  };
}

function within(hit: HitRatio | undefined) {
  const { ratio = 0, error = 0 } = hit ?? {};
  return { hits: 100 * ratio, least: 100 * Math.max(0, ratio - error), most: 100 * Math.min(1, ratio + error) };
}

// From where the curve begins to rise to where it has risen.
function curves(fleets: readonly SituationPrediction[]): Specification {
  const rising = fleets.flatMap(({ curve }) => {
    const last = curve.at(-1)?.ratio ?? 0;
    return curve
      .filter(({ ratio }) => ratio > 0.005 * last && ratio < 0.999 * last)
      .map(({ cacheBytes }) => cacheBytes);
  });
  const [from, to] = [Math.min(...rising) / 2, Math.max(...rising) * 2];
  const values = fleets.flatMap(({ name, curve }) =>
    curve
      .filter(({ cacheBytes }) => rising.length === 0 || (cacheBytes >= from && cacheBytes <= to))
      .map((hit) => ({ fleet: name, cache: hit.cacheBytes, ...within(hit) })),
  );
  return {
    data: { values },
    width: 320,
    height: 290,
    encoding: {
      x: {
        field: 'cache',
        type: 'quantitative',
        scale: { type: 'log', base: 2, nice: false },
        title: 'cache of one replica',
        axis: { labelExpr: SIZE_LABEL, tickCount: 6, labelOverlap: true },
      },
      color: COLOUR,
    },
    layer: [
      {
        mark: { type: 'area', opacity: 0.25 },
        encoding: {
          y: { field: 'least', type: 'quantitative', title: 'hits of all replicas, %' },
          y2: { field: 'most' },
        },
      },
      { mark: { type: 'line' }, encoding: { y: { field: 'hits', type: 'quantitative' } } },
    ],
  };
}

const SIZE_LABEL = ['TiB', 'GiB', 'MiB', 'KiB'].reduceRight((rest, unit, at) => {
  const bytes = 1024 ** (4 - at);
  return `datum.value >= ${bytes} ? format(datum.value / ${bytes}, '.3~g') + ' ${unit}' : ${rest}`;
}, `format(datum.value, '.3~g') + ' B'`);

// The busiest and the idlest replica over time, with a band between them. The first interval and the last one may be
// shorter than the others, so they are left out of a longer log.
function load({ fromMs, toMs, intervalMs }: Prediction, fleets: readonly SituationPrediction[]): Specification {
  const values = fleets.flatMap(({ name, perSecond }) => {
    const intervals = Array.from(perSecond[0] ?? [], (_, interval) => interval);
    return (intervals.length > 4 ? intervals.slice(1, -1) : intervals).map((interval) => {
      const rates = perSecond.map((row) => row[interval] as number);
      const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
      return {
        fleet: name,
        time: fromMs + interval * intervalMs,
        least: Math.min(...rates),
        most: Math.max(...rates),
        mean,
      };
    });
  });
  const format = toMs - fromMs > 86_400_000 ? '%d %b' : '%H:%M';
  return {
    data: { values },
    width: 300,
    height: 180,
    encoding: {
      x: {
        field: 'time',
        type: 'temporal',
        title: 'time (UTC)',
        scale: { type: 'utc' },
        axis: { tickCount: 5, format },
      },
      color: COLOUR,
    },
    layer: [
      {
        mark: { type: 'area', opacity: 0.25 },
        encoding: {
          y: { field: 'least', type: 'quantitative', title: ['requests a second at a replica:', 'least, mean, most'] },
          y2: { field: 'most' },
        },
      },
      { mark: { type: 'line' }, encoding: { y: { field: 'mean', type: 'quantitative' } } },
    ],
  };
}

function rings(compared: readonly SituationPrediction[]): Specification {
  const values = compared.map(({ hash, factor, maxOverMean, spill, hits }) => ({
    ring: `${hashName(hash)}, ${factor === null ? 'no bound' : factor}`,
    over: maxOverMean,
    label: `${maxOverMean.toFixed(2)} (spilled ${percent(spill)}, hits ${percent(hits[0]?.ratio ?? 0)})`,
  }));
  const order = values.map(({ ring }) => ring);
  return {
    data: { values },
    width: 240,
    height: { step: 18 },
    encoding: {
      y: { field: 'ring', type: 'nominal', sort: order, title: null },
      x: { field: 'over', type: 'quantitative', title: 'busiest replica over the mean', scale: { zero: true } },
    },
    layer: [
      { mark: { type: 'bar', color: COLOURS.fine, height: 12 } },
      {
        mark: { type: 'text', align: 'left', dx: 4, fontSize: 11 },
        encoding: { text: { field: 'label' } },
      },
    ],
  };
}
