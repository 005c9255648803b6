// What the samples of autoscaling say, in the terms of its chart. Pure.

import type { AutoscaleSamples } from './samples.ts';

export interface AutoscaleSummary {
  readonly seconds: readonly {
    readonly atS: number;
    readonly replicas: number;
    /** As many as the planned load takes, at once. */
    readonly ideal: number;
    /** Requests in flight per replica. */
    readonly each: number;
  }[];
  /** Requests in flight per replica on the plateau, on average, and in parts of the target. */
  readonly plateauEach: number;
  readonly plateauRatio: number;
  /** Sizes that the fleet had on the plateau. */
  readonly plateauSizes: number;
  /** Replicas times seconds, against those of the ideal. */
  readonly costRatio: number;
}

export function autoscaleSummary({ seconds, target, least, most, plateauS }: AutoscaleSamples): AutoscaleSummary {
  const rows = seconds.map(([atS, planned, held, replicas]) => ({
    atS,
    replicas,
    ideal: Math.min(most, Math.max(least, Math.ceil(planned / target))),
    each: held / Math.max(1, replicas),
  }));
  const plateau = rows.filter(({ atS }) => atS >= plateauS[0] && atS < plateauS[1]);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const plateauEach = sum(plateau.map(({ each }) => each)) / plateau.length;
  return {
    seconds: rows,
    plateauEach,
    plateauRatio: plateauEach / target,
    plateauSizes: new Set(plateau.map(({ replicas }) => replicas)).size,
    costRatio: sum(rows.map(({ replicas }) => replicas)) / sum(rows.map(({ ideal }) => ideal)),
  };
}
