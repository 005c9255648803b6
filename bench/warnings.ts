// The doubts about a run, as sentences: what a reader has to know before trusting a chart. They are shown above the
// charts and printed at the end of a run. Pure.

import { size } from './charts/theme.ts';
import { FLOOR, standsOnFloor } from './contenders.ts';
import type { Environment, Results, SpeedSamples } from './samples.ts';
import { mainTrial, type SpeedSummary, scaledName, speedSummaries, voidRounds, voidScaleRounds } from './summaries.ts';
import { affinitySummaries } from './summaries-affinity.ts';

const BUSY_RATIO = 0.1;
const VARIED_RATIO = 0.15;
const IDLE_CORE_RATIO = 0.9;
const STALLED_MS = 100;
const STALLED_REQUESTS = 5;
const ENOUGH_ROUNDS = 3;
// With this many, five latencies are above the 99th percentile.
const ENOUGH_LATENCIES = 500;
const ENOUGH_REQUESTS = 10_000;

export function doubtsAbout(results: Results): string[] {
  const environments = Object.entries(results).map(([part, { environment }]) => ({ part, environment }));
  const byDoubt = Map.groupBy(
    environments.flatMap(({ part, environment }) => environmentDoubts(environment).map((doubt) => ({ part, doubt }))),
    ({ doubt }) => doubt,
  );
  return [
    ...[...byDoubt].map(([doubt, parts]) => `${parts.map(({ part }) => part).join(', ')}: ${doubt}`),
    ...differences(environments.map(({ environment }) => environment)),
    ...spreadDoubts(results),
    ...recoveryDoubts(results),
    ...affinityDoubts(results),
    ...speedDoubts(results),
  ];
}

function environmentDoubts({ busyRatio, busyRatioMeanwhile = 0, changed, commit, quick }: Environment): string[] {
  return [
    ...(busyRatio > BUSY_RATIO
      ? [`other programs used ${Math.round(busyRatio * 100)} % of the processor just before the run.`]
      : []),
    ...(busyRatioMeanwhile > BUSY_RATIO
      ? [`other programs used ${Math.round(busyRatioMeanwhile * 100)} % of the processor during the run.`]
      : []),
    ...(changed ? [`the program had changes that are not in commit ${commit}.`] : []),
    ...(quick ? ['a quick run, with few samples.'] : []),
  ];
}

function differences(environments: readonly Environment[]): string[] {
  const commits = new Set(environments.map(({ commit }) => commit));
  const machines = new Set(environments.map(({ processor, cores, system }) => `${processor} ${cores} ${system}`));
  return [
    ...(commits.size > 1 ? [`The parts were run at different commits: ${[...commits].join(', ')}.`] : []),
    ...(machines.size > 1 ? ['The parts were run on different machines.'] : []),
  ];
}

function spreadDoubts({ spread }: Results): string[] {
  const runs = spread?.runs ?? [];
  const failed = runs.reduce((sum, run) => sum + run.failed, 0);
  const few = new Set(runs.filter((run) => run.requests < ENOUGH_REQUESTS).map((run) => run.requests));
  return [
    ...(failed > 0 ? [`spread: ${failed} requests were not answered by a replica.`] : []),
    ...(few.size > 0 ? [`spread: only ${[...few].join(' and ')} requests for some of the hashes.`] : []),
  ];
}

function recoveryDoubts({ recovery }: Results): string[] {
  if (recovery === undefined) return [];
  const { requests, perSecond } = recovery;
  const pausesMs = requests.slice(1).map(([, sentMs], index) => sentMs - (requests[index]?.[1] ?? 0));
  const longestMs = Math.max(0, ...pausesMs);
  const stalled = longestMs > Math.max(STALLED_MS, STALLED_REQUESTS * (1000 / perSecond));
  return stalled ? [`recovery: the load itself stalled, for ${Math.round(longestMs)} ms at most.`] : [];
}

function affinityDoubts({ affinity }: Results): string[] {
  if (affinity === undefined) return [];
  const failed = affinitySummaries(affinity).filter((one) => one.failed > 0);
  return [
    ...Object.entries(affinity.missing).map(
      ([name, how]) => `affinity: not compared: ${name} (to change that: ${how}).`,
    ),
    ...failed.map((one) => `affinity: ${one.failed} turns were not answered with ${one.contender}.`),
  ];
}

function speedDoubts({ speed }: Results): string[] {
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
  const missing = [...byRemedy].map(
    ([how, list]) => `speed: not compared: ${list.map(([name]) => name).join('; ')} (to change that: ${how}).`,
  );
  const sentence = (when: boolean, text: string) => (when ? [text] : []);
  return [
    ...Object.entries(speed.wrong).map(([name, fault]) => `speed: ${name} was not timed: ${fault}.`),
    ...sentence(
      failed.length > 0,
      `speed: some numbers are void, because of errors, no answer in time or too little to measure: ${named(failed)}.`,
    ),
    ...missing,
    ...sentence(!speed.pinned, 'speed: contenders and load shared their cores, which this system does not let us pin.'),
    ...sentence(
      main.some((one) => one.cpuMicros === undefined),
      'speed: processor times could not be read here.',
    ),
    ...sentence(
      main.some((one) => one.rounds < ENOUGH_ROUNDS),
      'speed: fewer than three rounds.',
    ),
    ...sentence(varied.length > 0, `speed: processor time varied by more than 15 % between rounds: ${named(varied)}.`),
    ...sideDoubts(summaries),
    ...sentence(
      idle.length > 0,
      `speed: these had time to spare, so that requests per second is the limit of the load or of the machine: ${named(idle)}.`,
    ),
    ...sentence(
      speed.generator !== 'wrk',
      'speed: the load came from autocannon, which tires before a good proxy does.',
    ),
    ...latencyDoubts(speed),
    ...scaleDoubts(speed),
  ];
}

function hasVaried({ cpuMicros }: SpeedSummary): boolean {
  return cpuMicros !== undefined && (cpuMicros.most - cpuMicros.least) / cpuMicros.median > VARIED_RATIO;
}

function sideDoubts(summaries: readonly SpeedSummary[]): string[] {
  const sides = summaries.filter((one) => mainTrial([one]).length === 0);
  const few = new Set(sides.filter((one) => one.rounds < ENOUGH_ROUNDS).map(trialName));
  const names = (list: readonly SpeedSummary[]) => list.map((one) => one.contender).join('; ');
  const doubts = [...Map.groupBy(summaries, trialName)].flatMap(([trial, all]) => {
    const varied = all.filter((one) => sides.includes(one) && hasVaried(one));
    const floor = all.find((one) => one.contender === FLOOR)?.cpuMicros?.median ?? 0;
    const below = all.filter(
      (one) => standsOnFloor(one.contender) && one.cpuMicros !== undefined && one.cpuMicros.median < floor,
    );
    return [
      ...(varied.length > 0
        ? [`speed, ${trial}: processor time varied by more than 15 % between rounds: ${names(varied)}.`]
        : []),
      ...(below.length > 0 ? [`speed, ${trial}: cost less than bare sockets joined in Node: ${names(below)}.`] : []),
    ];
  });
  return few.size === 0 ? doubts : [`speed: fewer than three rounds of ${[...few].join(', ')}.`, ...doubts];
}

function trialName({ bodyBytes, connections }: SpeedSummary): string {
  return bodyBytes > 0 ? `bodies of ${size(bodyBytes)}` : `${connections} connections`;
}

function scaleDoubts({ scale = [], plans = [] }: SpeedSamples): string[] {
  const failed = new Set(voidScaleRounds(scale).map(scaledName));
  const few = scale.length > 0 && new Set(scale.map(({ round }) => round)).size < ENOUGH_ROUNDS;
  const errors = plans.reduce((sum, one) => sum + one.errors, 0);
  return [
    ...(failed.size > 0 ? [`speed, workers and replicas: some numbers are void: ${[...failed].join('; ')}.`] : []),
    ...(few ? ['speed, workers and replicas: fewer than three rounds.'] : []),
    ...(errors > 0 ? [`speed: ${errors} requests were not answered while one of many replicas left and joined.`] : []),
  ];
}

function latencyDoubts({ latencies }: SpeedSamples): string[] {
  const few = latencies.filter(({ requests }) => requests < ENOUGH_LATENCIES).map(({ contender }) => contender);
  return few.length === 0 ? [] : [`speed: latencies of fewer than ${ENOUGH_LATENCIES} requests: ${few.join('; ')}.`];
}
