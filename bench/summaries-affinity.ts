// What the samples of conversations say, in the terms of their chart. Pure.

import type { AffinityRound, AffinitySamples } from './samples.ts';
import { mean, quantile } from './statistics.ts';

/** All of turns after the warm-up. Ratios are from 0 to 1. */
export interface AffinitySummary {
  readonly contender: string;
  /** The part of the prompts' bytes that was cached where they were read. */
  readonly hitRatio: number;
  /** Until the first byte of the answer. */
  readonly firstP50Ms: number;
  readonly firstP95Ms: number;
  /** The part of the time in which an engine read prompts. */
  readonly busyRatio: number;
  /** Requests at an engine: the mean, and at moments 50 ms apart the most over the mean. */
  readonly inFlight: number;
  readonly mostOverMean: { readonly median: number; readonly p95: number };
  readonly failed: number;
}

const LOOK_MS = 50;

export function affinitySummaries(samples: AffinitySamples): AffinitySummary[] {
  return samples.rounds.map((round) => summaryOf(round, samples));
}

/** The part of the bytes that one engine with the memory of all would have had cached. */
export function bestHitRatio({ plan, turns, bestCachedBytes }: AffinitySamples): number {
  return ratioOf(bestCachedBytes, turns.promptBytes, measuredOf(turns.atMs, plan.warmUpSeconds));
}

function summaryOf(round: AffinityRound, { plan, turns }: AffinitySamples): AffinitySummary {
  const measured = measuredOf(turns.atMs, plan.warmUpSeconds);
  const firstMs = measured.map((turn) => round.firstMs[turn] ?? 0);
  const readBytes = measured.map((turn) => (turns.promptBytes[turn] ?? 0) - (round.cachedBytes[turn] ?? 0));
  const spanMs = (plan.seconds - plan.warmUpSeconds) * 1000;
  const looks = looksAt(round, turns.atMs, plan.engines, plan.warmUpSeconds * 1000, plan.seconds * 1000);
  const ratios = looks.filter((counts) => mean(counts) > 0).map((counts) => Math.max(...counts) / mean(counts));
  return {
    contender: round.contender,
    hitRatio: ratioOf(round.cachedBytes, turns.promptBytes, measured),
    firstP50Ms: quantile(firstMs, 0.5),
    firstP95Ms: quantile(firstMs, 0.95),
    busyRatio: readBytes.reduce((sum, bytes) => sum + bytes, 0) / plan.bytesPerMs / spanMs / plan.engines,
    inFlight: mean(looks.map(mean)),
    mostOverMean: { median: quantile(ratios, 0.5), p95: quantile(ratios, 0.95) },
    failed: round.engines.filter((engine) => engine < 0).length,
  };
}

function measuredOf(atMs: readonly number[], warmUpSeconds: number): number[] {
  return atMs.flatMap((at, turn) => (at >= warmUpSeconds * 1000 ? [turn] : []));
}

function ratioOf(parts: readonly number[], wholes: readonly number[], at: readonly number[]): number {
  const sum = (values: readonly number[]) => at.reduce((all, index) => all + (values[index] ?? 0), 0);
  return sum(parts) / sum(wholes);
}

/** How many turns are at each engine, at moments from `fromMs` to `toMs`. */
function looksAt(
  { engines, tookMs }: AffinityRound,
  atMs: readonly number[],
  count: number,
  fromMs: number,
  toMs: number,
): number[][] {
  const looks = Array.from({ length: Math.floor((toMs - fromMs) / LOOK_MS) }, () => new Array<number>(count).fill(0));
  for (const [turn, engine] of engines.entries()) {
    if (engine < 0) continue;
    const begin = atMs[turn] ?? 0;
    const first = Math.max(0, Math.ceil((begin - fromMs) / LOOK_MS));
    for (let look = first; fromMs + look * LOOK_MS < begin + (tookMs[turn] ?? 0); look++) {
      const counts = looks[look];
      if (counts === undefined) break;
      counts[engine] = (counts[engine] ?? 0) + 1;
    }
  }
  return looks;
}
