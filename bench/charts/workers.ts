// What workers and many replicas cost: processor time per request, requests per second, and the requests per second of
// processor time of the busiest thread, which is what a contender could do if each of its workers had a core to itself.

import { OURS } from '../contenders.ts';
import type { ScaleRound } from '../samples.ts';
import { type Scaled, scaledName, scaleRatio, scaleSummaries } from '../summaries.ts';
import type { Specification } from './render.ts';
import { barPanel, thousands } from './speed.ts';
import { micros, subtitle, whole } from './theme.ts';

export function workersChart(rounds: readonly ScaleRound[]): Specification {
  const summaries = scaleSummaries(rounds);
  const names = summaries.map(scaledName);
  const times = Math.min(...summaries.map((one) => one.rounds));
  const panel = (value: keyof typeof LABELS, title: string | readonly string[], width: number, labelled: boolean) => {
    const rows = summaries.flatMap((one) => {
      const spread = one[value];
      if (spread === undefined) return [];
      return [{ contender: scaledName(one), middle: spread.median, ...spread, label: LABELS[value](spread.median) }];
    });
    return rows.length === 0 ? [] : [barPanel(rows, names, title, width, labelled)];
  };
  return {
    title: {
      text: 'Speed: several workers, and many replicas',
      subtitle: subtitle(
        ...comparisons(rounds),
        `Medians of ${times === 1 ? 'one round' : `${times} rounds`}; whiskers: least to most. Load and backends share the second core.`,
      ),
    },
    spacing: 26,
    hconcat: [
      ...panel('cpuMicros', 'processor time, µs a request', 150, true),
      ...panel('perSecond', 'requests a second', 110, false),
      ...panel('capacity', ['requests a second of processor', 'time of the busiest thread'], 130, false),
    ],
  };
}

const LABELS = { cpuMicros: micros, perSecond: thousands, capacity: thousands };

/** What two workers are to one, and many replicas to few: medians of the ratios of each round. */
export function comparisons(rounds: readonly ScaleRound[]): string[] {
  const few = Math.min(...rounds.map(({ replicas }) => replicas));
  const many = Math.max(...rounds.map(({ replicas }) => replicas));
  const ratios = (value: (round: ScaleRound) => number | undefined, one: Partial<Scaled>, over: Partial<Scaled>) =>
    [OURS, 'nginx'].flatMap((contender) => {
      const here = { contender, workers: 1, replicas: few };
      const ratio = scaleRatio(rounds, value, { ...here, ...one }, { ...here, ...over });
      return ratio === undefined ? [] : [`${contender} ${ratio.toFixed(2)}`];
    });
  const said = (what: string, found: readonly string[]) =>
    found.length === 0 ? [] : [`${what}: ${found.join(', ')}.`];
  const [two, one] = [{ workers: 2 }, { workers: 1 }];
  const costs = ratios(cpuPerRequest, { replicas: many }, { replicas: few });
  return [
    ...said('Two workers over one, requests per second of processor time', ratios(perCpuSecond, two, one)),
    ...said('Two workers over one, requests a second', ratios(perSecond, two, one)),
    ...said('Two workers over one, if each had a core to itself', ratios(capacity, two, one)),
    ...said(`${whole(many)} replicas over ${few}, processor time per request`, costs),
  ];
}

const perSecond = ({ requests, seconds }: ScaleRound) => requests / seconds;
const cpuPerRequest = ({ requests, cpuMs }: ScaleRound) => (cpuMs === undefined ? undefined : cpuMs / requests);
const perCpuSecond = ({ requests, cpuMs }: ScaleRound) => (cpuMs === undefined ? undefined : requests / cpuMs);
const capacity = ({ requests, busiestMs }: ScaleRound) => (busiestMs === undefined ? undefined : requests / busiestMs);
