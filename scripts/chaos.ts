// `npm run chaos`: the real program under load while faults befall it, by a plan that a seed decides. What clients got
// and what replicas did is written down, and judged when the load is over. Exit code 1 if a promise was broken.
//
//   npm run chaos -- --seed 7 --minutes 10 --workers 2
//   npm run chaos -- --judge DIR      judges a history again that was kept

import { parseArgs } from 'node:util';
import { runCommand } from '../bench/command.ts';
import { costsOf, costTable, isFailure } from '../bench/harness/chaos/costs.ts';
import { type Happening, readHistory } from '../bench/harness/chaos/history.ts';
import { judge } from '../bench/harness/chaos/judge.ts';
import { type ChaosResult, type ChaosTerms, limitsOf, playChaos } from '../bench/harness/chaos/play.ts';
import { describeRest } from '../bench/harness/chaos/rest.ts';
import { removeTraces } from '../bench/harness/chaos/stage.ts';
import { endOnSignals } from '../bench/harness/children.ts';

const HELP = `Usage: npm run chaos -- [options]

Runs the real program under load, with a fault every second, and judges what clients got and replicas did.
With docker a container takes seconds to start and a killed engine up to 20, so faults come every 3 seconds.

  --minutes N              how long, 5 by default; parts of a minute are fine
  --seed N                 decides the load and the faults; drawn by default
  --workers N              threads of the program, 1 by default
  --replicas N             4 by default, at least 4
  --runtime docker         replicas in containers; process by default
  --rate N                 requests a second, 150 by default
  --every SECONDS          mean time from one fault to the next; 1 by default, 3 with docker
  --whole-within SECONDS   how long the fleet may take to be whole again; 30 by default, 60 with docker
  --keep                   keeps what was written down, also if nothing is wrong with it
  --judge DIR              runs nothing, and judges what is kept there
  --help                   this text

Exit code 0: all promises were kept; 1: one was not, or something was left over; 2: a wrong option.
`;

const MOST_SHOWN = 10;
const EVENTS_SHOWN = 12;
// A seat that failed again and again while the engine was gone waits for 30 s before the next start.
const USUAL_SECONDS = { process: { every: 1, wholeWithin: 30 }, docker: { every: 3, wholeWithin: 60 } } as const;

type Request = { readonly terms: ChaosTerms; readonly keep: boolean; readonly kept: string | undefined };

function readWords(words: readonly string[]): string | Request {
  const { values } = parseArgs({
    args: [...words],
    options: {
      minutes: { type: 'string', default: '5' },
      seed: { type: 'string' },
      workers: { type: 'string', default: '1' },
      replicas: { type: 'string', default: '4' },
      runtime: { type: 'string', default: 'process' },
      rate: { type: 'string', default: '150' },
      every: { type: 'string' },
      'whole-within': { type: 'string' },
      keep: { type: 'boolean', default: false },
      judge: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return HELP;
  const { runtime } = values;
  if (runtime !== 'process' && runtime !== 'docker') {
    throw new Error(`--runtime takes process or docker, not ${runtime}`);
  }
  const number = (name: 'minutes' | 'every' | 'whole-within', most: number, otherwise?: number) => {
    const value = Number(values[name] ?? otherwise);
    if (value > 0 && value <= most) return value;
    throw new Error(`--${name} takes a number up to ${most}, not ${values[name]}`);
  };
  const usual = USUAL_SECONDS[runtime];
  const whole = (name: 'workers' | 'replicas' | 'rate', least: number, most: number) => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new Error(`--${name} takes a whole number from ${least} to ${most}, not ${values[name]}`);
  };
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
  if (!Number.isInteger(seed) || seed < 0) throw new Error(`--seed takes a whole number, not ${values.seed}`);
  const terms: ChaosTerms = {
    ...{ seed, runtime, workers: whole('workers', 1, 64), replicas: whole('replicas', 4, 64) },
    ...{ rate: whole('rate', 1, 20_000), lengthMs: number('minutes', 24 * 60) * 60_000 },
    ...{ everyMs: number('every', 3600, usual.every) * 1000 },
    wholeWithinMs: number('whole-within', 3600, usual.wholeWithin) * 1000,
  };
  return { terms, keep: values.keep, kept: values.judge };
}

async function runChaos({ terms, keep, kept }: Request): Promise<void> {
  if (kept !== undefined) {
    judgeAgain(kept, terms);
    return;
  }
  console.log(`chaos: seed ${terms.seed}, ${terms.lengthMs / 60_000} minutes, ${terms.rate} requests a second`);
  const result = await playChaos(terms, (words) => console.log(`chaos: ${words}`));
  const isWell = result.convictions.length === 0 && result.leaks.length === 0;
  tellResult(result);
  if (isWell && !keep) await removeTraces(result);
  else console.log(`chaos: all that was written down is in ${result.directory}`);
  if (isWell) return;
  console.log(`chaos: it was seed ${terms.seed}; this plays it again:\n  ${again(terms)}`);
  process.exitCode = 1;
}

function tellResult({ history, convictions, leaks, misses, before, after }: ChaosResult): void {
  for (const line of costTable(costsOf(history))) console.log(`  ${line}`);
  const failed = history.asked.filter(isFailure).length;
  console.log(`chaos: ${history.asked.length} requests, ${failed} failed, all in all`);
  console.log(`chaos: at rest before: ${describeRest(before)}`);
  console.log(`chaos: at rest after:  ${describeRest(after)}`);
  for (const miss of misses) console.log(`chaos: not done: ${miss}`);
  for (const leak of leaks) console.log(`chaos: LEFT OVER ${leak}`);
  const [first] = convictions;
  if (first === undefined) {
    console.log('chaos: no promise was broken');
    return;
  }
  for (const { rule, words } of convictions.slice(0, MOST_SHOWN)) console.log(`chaos: BROKEN ${rule}: ${words}`);
  if (convictions.length > MOST_SHOWN) console.log(`chaos: and ${convictions.length - MOST_SHOWN} more`);
  console.log('chaos: what happened before the first of them:');
  for (const line of lastBefore(history.happenings, first.atMs)) console.log(`  ${line}`);
}

function lastBefore(happenings: readonly Happening[], atMs: number): string[] {
  const begins = (one: Happening) => (one.is === 'fault' ? one.beganMs : one.atMs);
  return happenings
    .filter((one) => begins(one) <= atMs)
    .sort((a, b) => begins(a) - begins(b))
    .slice(-EVENTS_SHOWN)
    .map((one) => {
      const { is, ...rest } = one;
      return `${((begins(one) - atMs) / 1000).toFixed(3)} s  ${is} ${JSON.stringify(rest)}`;
    });
}

function again({ seed, lengthMs, workers, replicas, runtime, rate, everyMs, wholeWithinMs }: ChaosTerms): string {
  const length = `--minutes ${lengthMs / 60_000} --every ${everyMs / 1000}`;
  return `npm run chaos -- --seed ${seed} ${length} --workers ${workers} --replicas ${replicas} --runtime ${runtime} --rate ${rate} --whole-within ${wholeWithinMs / 1000}`;
}

function judgeAgain(directory: string, terms: ChaosTerms): void {
  const history = readHistory(directory);
  const convictions = judge(history, limitsOf(terms));
  for (const line of costTable(costsOf(history))) console.log(`  ${line}`);
  for (const { rule, words } of convictions) console.log(`chaos: BROKEN ${rule}: ${words}`);
  console.log(`chaos: ${history.asked.length} requests, ${convictions.length} promises broken`);
  if (convictions.length > 0) process.exitCode = 1;
}

endOnSignals();
await runCommand('chaos', readWords, runChaos);
