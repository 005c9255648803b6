// `npm run bench`: runs what scenarios.ts says, keeps the raw samples and draws the report. Prints what it does and how
// long it will take. How an experiment is run is up to its own file.

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { hashPairFault } from '../lib/core/ring/hashes/table.ts';
import { parseOptions } from '../lib/settings/options.ts';
import { runAffinity } from './affinity.ts';
import { runAutoscale, secondsOf } from './autoscale.ts';
import { runCommand } from './command.ts';
import { affinityContenders, contenderVersions } from './contenders.ts';
import { generatorVersion } from './generator.ts';
import { endOnSignals } from './harness/children.ts';
import { describeEnvironment, watchOthers } from './machine.ts';
import { runOverload } from './overload.ts';
import { runRecovery } from './recovery.ts';
import { drawReport, PARTIAL_OUT, PARTS, type Part, pageIn, WHOLE_OUT, writePart } from './report.ts';
import type { Environment, Runtime, SpreadRun } from './samples.ts';
import { runScale, scaleSteps } from './scale.ts';
import { type Plan, planOf } from './scenarios.ts';
import { runSpeed, speedSteps, trialsOf } from './speed.ts';
import { runSpread, spreadTasks } from './spread.ts';

const HELP = `Usage: npm run bench -- [options]

Runs the experiments on the real program, keeps the samples in bench/results and draws bench/reports/index.html; with any option
below but --out, which leaves something out or changes it, in bench/out/results and bench/out/reports.

  --quick             about three minutes, with fewer samples
  --only PARTS        of spread (A-1, A-2, A-4), recovery (A-3), overload, autoscale, affinity and speed, with commas between
  --hash NAME|PATH    hash pair of A-1, A-2 and A-3; one of your own, such as ./mine.ts, joins the comparison of A-4
  --runtime docker    replicas in containers; speed is always measured with the same backends
  --out DIR           keep samples and report in DIR/results and DIR/reports
  --help              this text

npm run bench:peers installs the proxies from npm that speed is compared with; nginx, haproxy, caddy and the load generator wrk are
taken from the system if they are there. npm run report draws the samples that there are anew; it takes --out too.
`;

interface Request {
  readonly parts: readonly Part[];
  readonly plan: Plan;
  readonly quick: boolean;
  readonly runtime: Runtime;
  /** The folder for samples and report. */
  readonly out: string;
}

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

/** What the command line asks for, or a text to print if that is all. Rejects with what is wrong about it. */
export async function readRequest(words: readonly string[]): Promise<Request | string> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: PARTS.join(',') },
      hash: { type: 'string' },
      runtime: { type: 'string', default: 'process' },
      out: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return HELP;
  const parts = PARTS.filter((part) => values.only.split(',').includes(part));
  const unknown = values.only.split(',').filter((part) => !PARTS.includes(part as Part));
  if (unknown.length > 0) throw new Error(`--only takes ${PARTS.join(', ')}, not ${unknown.join(', ')}`);
  if (values.runtime !== 'process' && values.runtime !== 'docker') {
    throw new Error(`--runtime takes process or docker, not ${values.runtime}`);
  }
  const { quick, hash, runtime } = values;
  if (hash !== undefined) await checkHash(hash);
  const whole = parts.length === PARTS.length && hash === undefined && runtime === 'process' && !quick;
  const out = values.out ?? (whole ? WHOLE_OUT : PARTIAL_OUT);
  return { parts, plan: planOf(quick, hash), quick, runtime, out };
}

// Checks the hash as the program would, but before anything is run.
async function checkHash(hash: string): Promise<void> {
  const { slots, virtualNodes } = parseOptions(['--hash', hash], {});
  if (!hash.includes('/')) return;
  const module = await import(pathToFileURL(resolve(hash)).href);
  const fault = hashPairFault(module, slots, slots, virtualNodes);
  if (fault !== undefined) throw new Error(`--hash ${hash} cannot be used: ${fault}`);
}

function estimateSeconds(part: Part, { spread, recovery, overload, autoscale, affinity, speed }: Plan): number {
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

/** Prints what is done now, and how long the rest will take by the estimates. */
function createProgress({ parts, plan }: Request) {
  const totalSeconds = parts.reduce((sum, part) => sum + estimateSeconds(part, plan), 0);
  const startedMs = performance.now();
  let doneSeconds = 0;
  return {
    tell: (what: string, ofPart = 0, part?: Part) => {
      const within = part === undefined ? 0 : estimateSeconds(part, plan) * ofPart;
      const left = Math.max(0, totalSeconds - doneSeconds - within);
      console.log(`bench: ${what} … ${left < 1 ? 'nearly done' : `${Math.ceil(left)} s left`}`);
    },
    done: (part: Part) => {
      doneSeconds += estimateSeconds(part, plan);
    },
    finish: () => console.log(`bench: took ${Math.round((performance.now() - startedMs) / 1000)} s`),
  };
}

type Progress = ReturnType<typeof createProgress>;

async function runPart(part: Part, { plan, runtime }: Request, environment: Environment, progress: Progress) {
  switch (part) {
    case 'spread': {
      const tasks = spreadTasks(plan.spread);
      const runs: SpreadRun[] = [];
      for (const [index, task] of tasks.entries()) {
        const bound = task.bounded ? ' with the bound on load' : '';
        progress.tell(`spread of ${task.hash}${bound}, N = ${task.replicas.join(', ')}`, index / tasks.length, part);
        runs.push(...(await runSpread(task, runtime)));
      }
      return { environment, hash: plan.spread.hash, runs };
    }
    case 'recovery': {
      progress.tell(`recovery: ${plan.recovery.faults.map(({ kind }) => kind).join(', ')} under load`);
      return { environment, ...(await runRecovery(plan.recovery, runtime)) };
    }
    case 'overload': {
      progress.tell('overload: three times what the replicas can do');
      return { environment, ...(await runOverload(plan.overload)) };
    }
    case 'autoscale': {
      progress.tell('autoscale: up, a plateau, a spike, and down');
      return { environment, ...(await runAutoscale(plan.autoscale)) };
    }
    case 'affinity': {
      const tell = (who: string, ofAll: number) => progress.tell(`affinity: conversations by ${who}`, ofAll, part);
      const versions = { ...environment.versions, ...contenderVersions() };
      return { environment: { ...environment, versions }, ...(await runAffinity(plan.affinity, tell)) };
    }
    case 'speed': {
      const steps = speedSteps(plan.speed) + scaleSteps(plan.speed);
      let step = 0;
      const tell = (what: string) => progress.tell(`speed: ${what}`, step++ / steps, part);
      const versions = { ...environment.versions, ...generatorVersion(), ...contenderVersions() };
      const compared = await runSpeed(plan.speed, tell);
      const { wrong, ...scaled } = await runScale(plan.speed, tell);
      const faults = { ...compared.wrong, ...wrong };
      return { environment: { ...environment, versions }, ...compared, ...scaled, wrong: faults };
    }
  }
}

async function run(request: Request): Promise<void> {
  const progress = createProgress(request);
  const environment = await describeEnvironment(request.quick, request.runtime);
  for (const part of request.parts) {
    const othersSince = watchOthers();
    const samples = await runPart(part, request, environment, progress);
    writePart(request.out, part, { ...samples, environment: { ...samples.environment, ...othersSince() } });
    progress.done(part);
  }
  await drawReport(request.out);
  progress.finish();
  console.log(`bench: the report is ${pageIn(request.out)}`);
}

if (import.meta.main) {
  endOnSignals();
  await runCommand('bench', readRequest, run);
}
