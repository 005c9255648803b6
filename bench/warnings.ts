// The doubts about a run, as sentences: what a reader has to know before trusting a chart. Pure; shown above the charts and printed at
// the end of a run.

import type { Environment, Results } from './samples.ts';
import { mainTrial, speedSummaries, voidRounds } from './summaries.ts';

const BUSY_RATIO = 0.1;
const VARIED_RATIO = 0.15;
const IDLE_CORE_RATIO = 0.9;
const STALLED_MS = 100;
const STALLED_REQUESTS = 5;
const ENOUGH_ROUNDS = 3;
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
    ...speedDoubts(results),
  ];
}

function environmentDoubts({ busyRatio, changed, commit, quick }: Environment): string[] {
  return [
    ...(busyRatio > BUSY_RATIO
      ? [`other programs used ${Math.round(busyRatio * 100)} % of the processor just before the run.`]
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

function speedDoubts({ speed }: Results): string[] {
  if (speed === undefined) return [];
  const main = mainTrial(speedSummaries(speed));
  const varied = main.filter(({ cpuMicros }) => {
    return cpuMicros !== undefined && (cpuMicros.most - cpuMicros.least) / cpuMicros.median > VARIED_RATIO;
  });
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
    ...sentence(
      idle.length > 0,
      `speed: these had time to spare, so that requests per second is the limit of the load or of the machine: ${named(idle)}.`,
    ),
    ...sentence(
      speed.generator !== 'wrk',
      'speed: the load came from autocannon, which tires before a good proxy does.',
    ),
  ];
}
