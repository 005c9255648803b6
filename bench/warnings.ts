// The doubts about a run, as sentences: what a reader has to know before trusting a chart. They stand in the pictures
// that they concern, and all together below the results and at the end of a run. Pure.

import { size } from './charts/theme.ts';
import { FLOOR, standsOnFloor } from './contenders.ts';
import type { Environment, Results, SpeedSamples } from './samples.ts';
import {
  mainTrial,
  type SpeedSummary,
  scaledName,
  speedSummaries,
  stallsOf,
  voidRounds,
  voidScaleRounds,
} from './summaries.ts';
import { affinitySummaries } from './summaries-affinity.ts';

const BUSY_RATIO = 0.1;
const VARIED_RATIO = 0.15;
const IDLE_CORE_RATIO = 0.9;
const ENOUGH_ROUNDS = 3;
// With this many, five latencies are above the 99th percentile.
const ENOUGH_LATENCIES = 500;
const ENOUGH_REQUESTS = 10_000;

/** The pictures of each part that show what it measured. */
const PICTURES: Readonly<Record<string, readonly string[]>> = {
  spread: ['a1-spread', 'a2-scale', 'a4-spread', 'a4-scale'],
  recovery: ['a3-recovery'],
  overload: ['overload'],
  autoscale: ['autoscale'],
  affinity: ['affinity'],
  soak: ['soak'],
  matrix: ['matrix'],
  speed: ['speed', 'speed-bodies', 'speed-connections', 'speed-workers'],
};

export interface Doubt {
  /** The parts that it is about, empty if it is about all together. */
  readonly about: string;
  readonly text: string;
  /** The names of the pictures that say less because of it. */
  readonly pictures: readonly string[];
  /** Which trial of a part it is about, if that is not all of a picture. */
  readonly trial?: string;
}

/** The doubts as sentences, each with what it is about. */
export function doubtsAbout(results: Results): string[] {
  return findDoubts(results).map(({ about, text }) => (about === '' ? text : `${about}: ${text}`));
}

/** What stands in a picture: the doubts that concern it. */
export function notesFor(picture: string, doubts: readonly Doubt[]): string[] {
  return doubts
    .filter(({ pictures }) => pictures.includes(picture))
    .map(({ text, trial }) => (trial === undefined ? text : `${trial}: ${text}`));
}

export function findDoubts(results: Results): Doubt[] {
  const environments = Object.entries(results).map(([part, { environment }]) => ({ part, environment }));
  const byText = Map.groupBy(
    environments.flatMap(({ part, environment }) => environmentDoubts(part, environment)),
    ({ text }) => text,
  );
  return [
    ...[...byText].map(([text, all]) => ({
      about: all.map(({ about }) => about).join(', '),
      text,
      pictures: all.flatMap(({ pictures }) => pictures),
    })),
    ...differences(environments.map(({ environment }) => environment)),
    ...spreadDoubts(results),
    ...recoveryDoubts(results),
    ...affinityDoubts(results),
    ...speedDoubts(results),
  ];
}

function environmentDoubts(part: string, environment: Environment): Doubt[] {
  const { busyRatio, busyRatioMeanwhile = 0, changed, commit, quick } = environment;
  const pictures = PICTURES[part] ?? [];
  const busy = (ratio: number, when: string) =>
    doubtIf(
      ratio > BUSY_RATIO,
      part,
      `other programs used ${Math.round(ratio * 100)} % of the processor ${when}.`,
      pictures,
    );
  return [
    ...busy(busyRatio, 'just before the run'),
    ...busy(busyRatioMeanwhile, 'during the run'),
    ...doubtIf(changed, part, `the program had changes that are not in commit ${commit}.`, []),
    ...doubtIf(quick, part, 'a quick run, with few samples.', pictures),
  ];
}

function doubtIf(isSo: boolean, about: string, text: string, pictures: readonly string[]): Doubt[] {
  return isSo ? [{ about, text, pictures }] : [];
}

function differences(environments: readonly Environment[]): Doubt[] {
  const commits = new Set(environments.map(({ commit }) => commit));
  const machines = new Set(environments.map(({ processor, cores, system }) => `${processor} ${cores} ${system}`));
  return [
    ...doubtIf(commits.size > 1, '', `The parts were run at different commits: ${[...commits].join(', ')}.`, []),
    ...doubtIf(machines.size > 1, '', 'The parts were run on different machines.', []),
  ];
}

function spreadDoubts({ spread }: Results): Doubt[] {
  const runs = spread?.runs ?? [];
  const failed = runs.reduce((sum, run) => sum + run.failed, 0);
  const few = runs.filter((run) => run.requests < ENOUGH_REQUESTS);
  const counts = new Set(few.map((run) => run.requests));
  // Those of the hash that show are in all pictures.
  const isOwn = few.some((run) => run.hash === spread?.hash);
  const all = PICTURES.spread ?? [];
  const pictures = isOwn ? all : all.filter((name) => name.startsWith('a4'));
  return [
    ...doubtIf(failed > 0, 'spread', `${failed} requests were not answered by a replica.`, all),
    ...doubtIf(
      few.length > 0,
      'spread',
      `only ${[...counts].join(' and ')} requests for some of the hashes.`,
      pictures,
    ),
  ];
}

function recoveryDoubts({ recovery }: Results): Doubt[] {
  if (recovery === undefined) return [];
  const stalls = stallsOf(recovery);
  const longestMs = Math.max(0, ...stalls.map(({ fromMs, toMs }) => toMs - fromMs));
  const text = `the load itself stalled, for ${Math.round(longestMs)} ms at most.`;
  return doubtIf(stalls.length > 0, 'recovery', text, ['a3-recovery']);
}

function affinityDoubts({ affinity }: Results): Doubt[] {
  if (affinity === undefined) return [];
  const failed = affinitySummaries(affinity).filter((one) => one.failed > 0);
  const about = (text: string): Doubt => ({ about: 'affinity', text, pictures: ['affinity'] });
  return [
    ...Object.entries(affinity.missing).map(([name, how]) => about(`not compared: ${name} (to change that: ${how}).`)),
    ...failed.map((one) => about(`${one.failed} turns were not answered with ${one.contender}.`)),
  ];
}

function speedDoubts({ speed }: Results): Doubt[] {
  if (speed === undefined) return [];
  const summaries = speedSummaries(speed);
  const main = mainTrial(summaries);
  const varied = main.filter(hasVaried);
  const idle = main.filter(({ coreRatio }) => coreRatio !== undefined && coreRatio < IDLE_CORE_RATIO);
  const named = (list: readonly { contender: string }[]) => {
    const names = new Set(list.map((one) => one.contender));
    return names.size > 1 && names.size === main.length ? 'all of them' : [...names].join('; ');
  };
  const failed = voidRounds(speed);
  const byRemedy = Map.groupBy(Object.entries(speed.missing), ([, how]) => how);
  const all = PICTURES.speed ?? [];
  const sentence = (isSo: boolean, text: string, pictures: readonly string[] = ['speed']) =>
    doubtIf(isSo, 'speed', text, pictures);
  return [
    ...Object.entries(speed.wrong).flatMap(([name, fault]) => sentence(true, `${name} was not timed: ${fault}.`, all)),
    ...sentence(
      failed.length > 0,
      `some numbers are void, because of errors, no answer in time or too little to measure: ${named(failed)}.`,
      all.slice(0, 3),
    ),
    ...[...byRemedy].flatMap(([how, list]) =>
      sentence(true, `not compared: ${list.map(([name]) => name).join('; ')} (to change that: ${how}).`, all),
    ),
    ...sentence(!speed.pinned, 'contenders and load shared their cores, which this system does not let us pin.', all),
    ...sentence(
      main.some((one) => one.cpuMicros === undefined),
      'processor times could not be read here.',
      all,
    ),
    ...sentence(
      main.some((one) => one.rounds < ENOUGH_ROUNDS),
      'fewer than three rounds.',
    ),
    ...sentence(varied.length > 0, `processor time varied by more than 15 % between rounds: ${named(varied)}.`),
    ...sideDoubts(summaries),
    ...sentence(
      idle.length > 0,
      `these had time to spare, so that requests per second is the limit of the load or of the machine: ${named(idle)}.`,
    ),
    ...sentence(speed.generator !== 'wrk', 'the load came from autocannon, which tires before a good proxy does.', all),
    ...latencyDoubts(speed),
    ...scaleDoubts(speed),
  ];
}

function hasVaried({ cpuMicros }: SpeedSummary): boolean {
  return cpuMicros !== undefined && (cpuMicros.most - cpuMicros.least) / cpuMicros.median > VARIED_RATIO;
}

function sideDoubts(summaries: readonly SpeedSummary[]): Doubt[] {
  const sides = summaries.filter((one) => mainTrial([one]).length === 0);
  const few = sides.filter((one) => one.rounds < ENOUGH_ROUNDS);
  const names = (list: readonly SpeedSummary[]) => list.map((one) => one.contender).join('; ');
  const doubts = [...Map.groupBy(summaries, trialName)].flatMap(([trial, all]) => {
    const varied = all.filter((one) => sides.includes(one) && hasVaried(one));
    const floor = all.find((one) => one.contender === FLOOR)?.cpuMicros?.median ?? 0;
    const below = all.filter(
      (one) => standsOnFloor(one.contender) && one.cpuMicros !== undefined && one.cpuMicros.median < floor,
    );
    const sentence = (text: string, list: readonly SpeedSummary[]) =>
      doubtIf(list.length > 0, `speed, ${trial}`, `${text}: ${names(list)}.`, [...new Set(all.map(pictureOf))]).map(
        (doubt) => ({
          ...doubt,
          ...(pictureOf(all[0] as SpeedSummary) === 'speed' ? {} : { trial }),
        }),
      );
    return [
      ...sentence('processor time varied by more than 15 % between rounds', varied),
      ...sentence('cost less than bare sockets joined in Node', below),
    ];
  });
  const trials = new Set(few.map(trialName));
  const text = `fewer than three rounds of ${[...trials].join(', ')}.`;
  return [...doubtIf(few.length > 0, 'speed', text, [...new Set(few.map(pictureOf))]), ...doubts];
}

function trialName({ bodyBytes, connections }: SpeedSummary): string {
  return bodyBytes > 0 ? `bodies of ${size(bodyBytes)}` : `${connections} connections`;
}

function pictureOf(summary: SpeedSummary): string {
  if (mainTrial([summary]).length > 0) return 'speed';
  return summary.bodyBytes > 0 ? 'speed-bodies' : 'speed-connections';
}

function scaleDoubts({ scale = [], plans = [] }: SpeedSamples): Doubt[] {
  const failed = new Set(voidScaleRounds(scale).map(scaledName));
  const few = scale.length > 0 && new Set(scale.map(({ round }) => round)).size < ENOUGH_ROUNDS;
  const errors = plans.reduce((sum, one) => sum + one.errors, 0);
  const about = 'speed, workers and replicas';
  const unanswered = `${errors} requests were not answered while one of many replicas left and joined.`;
  return [
    ...doubtIf(failed.size > 0, about, `some numbers are void: ${[...failed].join('; ')}.`, ['speed-workers']),
    ...doubtIf(few, about, 'fewer than three rounds.', ['speed-workers']),
    ...doubtIf(errors > 0, 'speed', unanswered, []),
  ];
}

function latencyDoubts({ latencies }: SpeedSamples): Doubt[] {
  const few = latencies.filter(({ requests }) => requests < ENOUGH_LATENCIES).map(({ contender }) => contender);
  const text = `latencies of fewer than ${ENOUGH_LATENCIES} requests: ${few.join('; ')}.`;
  return doubtIf(few.length > 0, 'speed', text, ['speed']);
}
