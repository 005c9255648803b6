// What the raw samples say, in the terms of the charts and the text beside them. Pure. Void numbers are left out here,
// so that no chart shows one.

import { whole } from './charts/theme.ts';
import type { TimedRequest } from './harness/load.ts';
import type {
  BurstRound,
  Fault,
  RecoverySamples,
  ScaleRound,
  SpeedRound,
  SpeedSamples,
  SpreadRun,
  SpreadSamples,
} from './samples.ts';
import { MAIN_CONNECTIONS, SHOWN_REPLICAS } from './scenarios.ts';
import { maxOverMean, type Spread, spreadOf, standardDeviation } from './statistics.ts';

/** An answer that takes at least this long is late. */
export const LATE_MS = 100;
/** How long before a fault its time line begins. */
export const BEFORE_FAULT_MS = 500;

/** The runs of one hash without the bound on load, fewest replicas first. */
export function runsOf(samples: SpreadSamples, hash: string): SpreadRun[] {
  return samples.runs.filter((run) => run.hash === hash && !run.bounded).toSorted((a, b) => a.replicas - b.replicas);
}

/** The hashes that were run, beginning with that of. */
export function hashesOf(samples: SpreadSamples): string[] {
  return [...new Set(samples.runs.map((run) => run.hash))];
}

/** The run that A-1 shows, with the bound on load or without it. */
export function shownRun(samples: SpreadSamples, hash: string, bounded = false): SpreadRun | undefined {
  return samples.runs.find((run) => run.hash === hash && run.replicas === SHOWN_REPLICAS && run.bounded === bounded);
}

export function evenness({ counts }: SpreadRun): { maxOverMean: number; deviation: number } {
  const values = Object.values(counts);
  return { maxOverMean: maxOverMean(values), deviation: standardDeviation(values) };
}

/** Like `evenness`, but for the shares of the ring. */
export function slotMaxOverMean({ slotShares }: SpreadRun): number {
  return maxOverMean(Object.values(slotShares));
}

export type Outcome = 'answered at once' | 'answered late' | 'failed';

export function outcomeOf([, , tookMs, status]: TimedRequest): Outcome {
  if (status !== 200) return 'failed';
  return tookMs > LATE_MS ? 'answered late' : 'answered at once';
}

/** The part of the load around one fault, with times in ms from the fault. */
export interface FaultStory {
  readonly fault: Fault;
  readonly endMs: number;
  readonly requests: readonly TimedRequest[];
  readonly failed: number;
  readonly late: number;
  readonly longestMs: number;
  readonly detectedMs: number | undefined;
  /** When another replica first answered a request whose key only the struck replica had answered before. */
  readonly elsewhereMs: number | undefined;
  readonly replacedMs: number | undefined;
}

export function faultStories({ faults, requests, replicas }: RecoverySamples): FaultStory[] {
  return faults.map((fault) => {
    const { atMs } = fault;
    const endMs = fault.endMs - atMs;
    const own = requests
      .map(([key, sentMs, ...rest]): TimedRequest => [key, sentMs - atMs, ...rest])
      .filter(([, sentMs]) => sentMs >= -BEFORE_FAULT_MS && sentMs < endMs);
    const since = (ms: number | undefined) => (ms === undefined ? undefined : ms - atMs);
    const struck = replicas.indexOf(fault.replica);
    const keys = steadyKeys(fault, struck, requests);
    const elsewhere = own
      .filter(([key, sentMs, , status, by]) => sentMs > 0 && status === 200 && by !== struck && keys.has(key))
      .map(([, sentMs, tookMs]) => sentMs + tookMs);
    return {
      fault,
      endMs,
      requests: own,
      failed: own.filter((request) => outcomeOf(request) === 'failed').length,
      late: own.filter((request) => outcomeOf(request) === 'answered late').length,
      longestMs: Math.max(0, ...own.map(([, , tookMs]) => tookMs)),
      detectedMs: since(fault.detectedMs),
      elsewhereMs: elsewhere.length === 0 ? undefined : Math.min(...elsewhere),
      replacedMs: since(fault.replacedMs),
    };
  });
}

/** A time in which nothing was sent although a request was due, in ms since the load began. */
export interface Stall {
  readonly fromMs: number;
  readonly toMs: number;
}

const STALLED_MS = 100;
const STALLED_REQUESTS = 5;

/** When the load itself stalled, as it does on a busy machine: what happened then nobody knows. */
export function stallsOf({ requests, perSecond }: RecoverySamples): Stall[] {
  const leastMs = Math.max(STALLED_MS, STALLED_REQUESTS * (1000 / perSecond));
  return requests.slice(1).flatMap(([, toMs], index) => {
    const fromMs = requests[index]?.[1] ?? 0;
    return toMs - fromMs > leastMs ? [{ fromMs, toMs }] : [];
  });
}

// The bound on load sends some requests past their replica without any fault. Keys for which it did so are left out.
function steadyKeys({ keys, atMs }: Fault, struck: number, requests: readonly TimedRequest[]): Set<number> {
  const steady = new Set(keys);
  for (const [key, sentMs, tookMs, , by] of requests) if (sentMs + tookMs < atMs && by !== struck) steady.delete(key);
  return steady;
}

/** One contender at one body size and number of connections. */
export interface SpeedSummary {
  readonly contender: string;
  readonly bodyBytes: number;
  readonly connections: number;
  /** Absent if the system does not tell processor times. */
  readonly cpuMicros: Spread | undefined;
  readonly perSecond: Spread;
  /** The part of its core that the contender used, from 0 to 1. */
  readonly coreRatio: number | undefined;
  readonly rounds: number;
}

/** A summary for each contender of each trial, in the order of their medians. A trial with a void round is left out. */
export function speedSummaries({ rounds }: SpeedSamples): SpeedSummary[] {
  const byTrial = Map.groupBy(rounds, (round) => `${round.contender} ${round.bodyBytes} ${round.connections}`);
  return [...byTrial.values()]
    .filter((trial) => !trial.some(isVoid))
    .map(summarise)
    .toSorted((a, b) => costOf(a) - costOf(b));
}

/** Rounds that give no usable number. */
export function voidRounds({ rounds }: SpeedSamples): SpeedRound[] {
  return rounds.filter(isVoid);
}

// Processor time comes in ticks of 10 ms, so a few ticks say nothing: one more or less would decide the number.
const LEAST_CPU_MS = 50;

function isVoid({ errors, requests, cpuMs }: Pick<SpeedRound, 'errors' | 'requests' | 'cpuMs'>): boolean {
  return errors > 0 || requests === 0 || (cpuMs !== undefined && cpuMs < LEAST_CPU_MS);
}

/** The trial by which all contenders are compared. */
export function mainTrial(summaries: readonly SpeedSummary[]): SpeedSummary[] {
  return summaries.filter((one) => one.bodyBytes === 0 && one.connections === MAIN_CONNECTIONS);
}

function summarise(trial: readonly SpeedRound[]): SpeedSummary {
  const { contender, bodyBytes, connections } = trial[0] as SpeedRound;
  const cpu = trial.flatMap(({ cpuMs, requests }) => (cpuMs === undefined ? [] : [(cpuMs * 1000) / requests]));
  const used = trial.flatMap(({ cpuMs, seconds }) => (cpuMs === undefined ? [] : [cpuMs / (seconds * 1000)]));
  return {
    contender,
    bodyBytes,
    connections,
    cpuMicros: cpu.length === 0 ? undefined : spreadOf(cpu),
    perSecond: spreadOf(trial.map(({ requests, seconds }) => requests / seconds)),
    coreRatio: used.length === 0 ? undefined : Math.min(...used),
    rounds: trial.length,
  };
}

/** A contender with so many workers and replicas. */
export type Scaled = Pick<ScaleRound, 'contender' | 'workers' | 'replicas'>;

/** For people. */
export function scaledName({ contender, workers, replicas }: Scaled): string {
  return `${contender}, ${workers} worker${workers === 1 ? '' : 's'}, ${whole(replicas)} replicas`;
}

export interface ScaleSummary extends Scaled {
  /** Absent if the system does not tell processor times. */
  readonly cpuMicros: Spread | undefined;
  readonly perSecond: Spread;
  /** Requests per second of processor time of the busiest thread; absent if the system does not tell it. */
  readonly capacity: Spread | undefined;
  readonly rounds: number;
}

/** In the order in which they were measured. A contender with a void round is left out. */
export function scaleSummaries(rounds: readonly ScaleRound[]): ScaleSummary[] {
  const groups = Map.groupBy(rounds, (round) => `${round.contender} ${round.workers} ${round.replicas}`);
  return [...groups.values()]
    .filter((group) => !group.some(isVoid))
    .map((group) => {
      const { contender, workers, replicas } = group[0] as ScaleRound;
      return {
        contender,
        workers,
        replicas,
        cpuMicros: spreadIfKnown(group, ({ cpuMs, requests }) => cpuMs && (cpuMs * 1000) / requests),
        perSecond: spreadOf(group.map(({ requests, seconds }) => requests / seconds)),
        capacity: spreadIfKnown(group, ({ busiestMs, requests }) => busiestMs && (requests * 1000) / busiestMs),
        rounds: group.length,
      };
    });
}

/** The median of a value of `one` over that of `over`, round by round; `undefined` if there is no round with both. */
export function scaleRatio(
  rounds: readonly ScaleRound[],
  value: (round: ScaleRound) => number | undefined,
  one: Scaled,
  over: Scaled,
): number | undefined {
  const good = rounds.filter((round) => !isVoid(round));
  const isOf = (round: ScaleRound, scaled: Scaled) =>
    round.contender === scaled.contender && round.workers === scaled.workers && round.replicas === scaled.replicas;
  const ratios = good.flatMap((round) => {
    const other = good.find((found) => found.round === round.round && isOf(found, over));
    if (!isOf(round, one) || other === undefined) return [];
    const [above, below] = [value(round), value(other)];
    return above === undefined || below === undefined ? [] : [above / below];
  });
  return ratios.length === 0 ? undefined : spreadOf(ratios).median;
}

/** Rounds that give no usable number. */
export function voidScaleRounds(rounds: readonly ScaleRound[]): ScaleRound[] {
  return rounds.filter(isVoid);
}

function spreadIfKnown<T>(rounds: readonly T[], value: (round: T) => number | undefined): Spread | undefined {
  const known = rounds.map(value).filter((one) => one !== undefined);
  return known.length < rounds.length ? undefined : spreadOf(known);
}

/** The rounds of each contender: medians, the longest of all and all errors; the shortest p99 first. */
export function burstSummaries(rounds: readonly BurstRound[]): Omit<BurstRound, 'round' | 'connections'>[] {
  const byContender = Map.groupBy(rounds, ({ contender }) => contender);
  const summaries = [...byContender].map(([contender, all]) => ({
    contender,
    p50Ms: spreadOf(all.map(({ p50Ms }) => p50Ms)).median,
    p99Ms: spreadOf(all.map(({ p99Ms }) => p99Ms)).median,
    mostMs: Math.max(...all.map(({ mostMs }) => mostMs)),
    errors: all.reduce((sum, { errors }) => sum + errors, 0),
  }));
  return summaries.toSorted((a, b) => a.p99Ms - b.p99Ms);
}

function costOf({ cpuMicros, perSecond }: SpeedSummary): number {
  return cpuMicros?.median ?? 1e6 / perSecond.median;
}
