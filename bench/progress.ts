// What a run prints of how far it is, and how long the rest will take: by estimates made on the reference machine, and
// once a part of them is behind, by how long that took here.

import { secondsOf } from './autoscale.ts';
import { affinityContenders } from './contenders.ts';
import type { Part } from './report.ts';
import type { Plan } from './scenarios.ts';
import { trialsOf } from './speed.ts';
import { spreadTasks } from './spread.ts';

// Seconds that the parts take on the reference machine, for the estimate.
const OVERHEAD_SECONDS = 3;
const SPREAD_SECONDS_PER_RUN = 0.8;
const SECONDS_BETWEEN_TRIALS = 0.1;
const SECONDS_OF_A_BURST = 2;
const CONTENDERS = 11;
const SCALE_CONTENDERS = 6;
const SECONDS_OF_A_CHANGE = 0.1;
// To start what has many replicas.
const SECONDS_OF_MANY = 6;
// To start the engines and to wait for the last answers.
const SECONDS_BESIDE_CONVERSATIONS = 6;

// After so much of the estimate it is known how fast this machine is.
const TELLING_SECONDS = 5;

/** Seconds that a part takes on the reference machine. */
export function estimateSeconds(part: Part, { spread, recovery, overload, autoscale, affinity, speed }: Plan): number {
  switch (part) {
    case 'spread':
      return (
        OVERHEAD_SECONDS +
        spreadTasks(spread).reduce((sum, task) => sum + task.replicas.length, 0) * SPREAD_SECONDS_PER_RUN
      );
    case 'recovery':
      return OVERHEAD_SECONDS + recovery.faults.reduce((sum, fault) => sum + fault.lastsMs, recovery.leadMs) / 1000;
    case 'overload':
      return OVERHEAD_SECONDS + overload.beforeSeconds + overload.overloadSeconds + overload.afterSeconds;
    case 'autoscale':
      return OVERHEAD_SECONDS + secondsOf(autoscale);
    case 'affinity':
      return OVERHEAD_SECONDS + affinityContenders().length * (affinity.seconds + SECONDS_BESIDE_CONVERSATIONS);
    case 'speed': {
      const { warmUpSeconds, steadySeconds } = speed;
      const trials = trialsOf(speed).reduce((sum, trial) => sum + trial.seconds + SECONDS_BETWEEN_TRIALS, 0);
      const steady = steadySeconds === 0 ? 0 : steadySeconds + 2;
      const bursts = speed.burstRounds * SECONDS_OF_A_BURST;
      const scale = speed.scaleRounds * speed.scaleSeconds + warmUpSeconds / 2 + SECONDS_BETWEEN_TRIALS;
      const rejoins = 2 * (2 * speed.rejoins * SECONDS_OF_A_CHANGE + OVERHEAD_SECONDS);
      return (
        OVERHEAD_SECONDS * 2 +
        warmUpSeconds +
        CONTENDERS * (trials + bursts + steady) +
        SCALE_CONTENDERS * scale +
        rejoins +
        SECONDS_OF_MANY
      );
    }
  }
}

/**
 * Prints what is done now, and how long the rest will take.
 * @param now tells a time in ms.
 */
export function createProgress(
  { parts, plan }: { readonly parts: readonly Part[]; readonly plan: Plan },
  print: (line: string) => void = console.log,
  now: () => number = () => performance.now(),
) {
  const totalSeconds = parts.reduce((sum, part) => sum + estimateSeconds(part, plan), 0);
  const startedMs = now();
  let doneSeconds = 0;
  return {
    tell: (what: string, ofPart = 0, part?: Part) => {
      const within = part === undefined ? 0 : estimateSeconds(part, plan) * ofPart;
      const behind = doneSeconds + within;
      const pace = behind < TELLING_SECONDS ? 1 : (now() - startedMs) / 1000 / behind;
      print(`bench: ${what} … about ${spoken(Math.max(1, (totalSeconds - behind) * pace))} left`);
    },
    done: (part: Part) => {
      doneSeconds += estimateSeconds(part, plan);
    },
    finish: () => print(`bench: took ${spoken((now() - startedMs) / 1000)}`),
  };
}

export type Progress = ReturnType<typeof createProgress>;

function spoken(seconds: number): string {
  return seconds < 100 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
