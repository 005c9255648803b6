// `npm run bench`: runs what scenarios.ts says, keeps the raw samples and draws the report. Prints what it does and how
// long it will take. How an experiment is run is up to its own file.

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { hashPairFault } from '../lib/core/ring/hashes/table.ts';
import { parseOptions } from '../lib/settings/options.ts';
import { runAffinity } from './affinity.ts';
import { runAutoscale } from './autoscale.ts';
import { runCommand } from './command.ts';
import { contenderVersions } from './contenders.ts';
import { generatorVersion } from './generator.ts';
import { endOnSignals } from './harness/children.ts';
import { describeEnvironment, watchOthers } from './machine.ts';
import { runOverload } from './overload.ts';
import { createProgress, type Progress } from './progress.ts';
import { runRecovery } from './recovery.ts';
import {
  drawReport,
  PARTIAL_OUT,
  PARTS,
  type Part,
  pageIn,
  readParts,
  readStyle,
  STYLE_HELP,
  STYLE_OPTIONS,
  type Style,
  WHOLE_OUT,
  writePart,
} from './report.ts';
import type { Environment, Runtime, SpreadRun } from './samples.ts';
import { runScale, scaleSteps } from './scale.ts';
import { type Plan, planOf } from './scenarios.ts';
import { runSpeed, speedSteps } from './speed.ts';
import { runSpread, spreadTasks } from './spread.ts';

const HELP = `Usage: npm run bench -- [options]

Runs the experiments on the real program, keeps the samples in bench/results and draws bench/reports/index.html; with any option
below but --out, which leaves something out or changes it, in bench/out/results and bench/out/reports.

  --quick             fewer samples, in a few minutes in place of half an hour
  --only PARTS        of spread (A-1, A-2, A-4), recovery (A-3), overload, autoscale, affinity and speed, with commas between;
                      the report is about those alone
  --hash NAME|PATH    hash pair of A-1, A-2 and A-3; one of your own, such as ./mine.ts, joins the comparison of A-4
  --runtime docker    replicas in containers; speed is always measured with the same backends
${STYLE_HELP}
  --out DIR           keep samples and report in DIR/results and DIR/reports
  --help              this text

npm run bench:peers installs the proxies from npm that speed is compared with; nginx, haproxy, caddy and the load generator wrk are
taken from the system if they are there. npm run report draws the samples that there are anew, with
the same options for how the report looks.
`;

interface Request {
  readonly parts: readonly Part[];
  readonly plan: Plan;
  readonly quick: boolean;
  readonly runtime: Runtime;
  /** The folder for samples and report. */
  readonly out: string;
  /** Whether it is a run of everything, whose report has the soak of before too. */
  readonly whole: boolean;
  readonly style: Style;
  /** The user's own file with a hash, if there is one. */
  readonly ownHash: string | undefined;
}

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
      ...STYLE_OPTIONS,
      help: { type: 'boolean', default: false, short: 'h' },
    },
  });
  if (values.help) return HELP;
  const parts = readParts(values.only, PARTS);
  const style = readStyle(values);
  if (values.runtime !== 'process' && values.runtime !== 'docker') {
    throw new Error(`--runtime takes process or docker, not ${values.runtime}`);
  }
  const { quick, hash, runtime } = values;
  if (hash !== undefined) await checkHash(hash);
  const isStyled = [values.title, values.names, values.format].some((value) => value !== undefined);
  const whole = parts.length === PARTS.length && hash === undefined && runtime === 'process' && !quick && !isStyled;
  const out = values.out ?? (whole ? WHOLE_OUT : PARTIAL_OUT);
  const ownHash = hash?.includes('/') ? hash : undefined;
  return { parts, plan: planOf(quick, hash), quick, runtime, out, whole, style, ownHash };
}

// Checks the hash as the program would, but before anything is run.
async function checkHash(hash: string): Promise<void> {
  const { slots, virtualNodes } = parseOptions(['--hash', hash], {});
  if (!hash.includes('/')) return;
  const module = await import(pathToFileURL(resolve(hash)).href);
  const fault = hashPairFault(module, slots, slots, virtualNodes);
  if (fault !== undefined) throw new Error(`--hash ${hash} cannot be used: ${fault}`);
}

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
  const environment = await describeEnvironment(request.quick, request.runtime, request.ownHash);
  for (const part of request.parts) {
    const othersSince = watchOthers();
    const samples = await runPart(part, request, environment, progress);
    writePart(request.out, part, { ...samples, environment: { ...samples.environment, ...othersSince() } });
    progress.done(part);
  }
  const { out, parts, whole, style } = request;
  await drawReport(out, whole ? {} : { parts, style });
  progress.finish();
  console.log(`bench: the report is ${pageIn(out)}`);
}

if (import.meta.main) {
  endOnSignals();
  await runCommand('bench', readRequest, run);
}
