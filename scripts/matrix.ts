// `npm run matrix`: plays the fault matrix on a machine that does nothing else, holds each cell to its time and the
// requests beside it to less than twice theirs, writes the table into lib/README.md, and draws the report.
//
//   npm run matrix -- --rounds 10      more rounds than five

import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { runCommand } from '../bench/command.ts';
import { describeEnvironment, watchOthers } from '../bench/machine.ts';
import { drawReport, PARTIAL_OUT, pageIn, WHOLE_OUT, writePart } from '../bench/report.ts';
import type { MatrixCell } from '../bench/samples.ts';
import { quantile } from '../bench/statistics.ts';
import { CELLS } from '../test/end-to-end/fault-matrix/cells.ts';
import { type MatrixStage, openStage, type Played } from '../test/end-to-end/fault-matrix/stage.ts';
import { withTable } from '../test/end-to-end/fault-matrix/table.ts';
import { faultsOf } from '../test/end-to-end/fault-matrix/verdict.ts';

const README = new URL('../lib/README.md', import.meta.url);
// What a cell may take beyond what it has to wait for: two looks at the limits, and work.
const GRACE_MS = 500;
const PER_SECOND = 200;
// As long as the cells take together.
const QUIET_MS = 10_000;
// Between two spells, for what the one before has left to be over.
const REST_MS = 500;

const WHOLE_ROUNDS = 5;

const HELP = `Usage: npm run matrix -- [options]

Plays 96 faults of connections to replicas, holds each to its outcome and its time, and draws the report. Keeps what was seen in
bench/results, or with --rounds below ${WHOLE_ROUNDS} in bench/out.

  --rounds N   how often each is played, ${WHOLE_ROUNDS} by default
  --out DIR    keeps what was seen, and the report, in DIR/results and DIR/reports
  --help       this text
`;

interface Request {
  readonly rounds: number;
  readonly out: string;
}

await runCommand('matrix', readWords, run);

function readWords(words: readonly string[]): string | Request {
  const options = {
    help: { type: 'boolean' },
    rounds: { type: 'string', default: String(WHOLE_ROUNDS) },
    out: { type: 'string' },
  } as const;
  const { values } = parseArgs({ args: [...words], options });
  if (values.help) return HELP;
  if (!/^[1-9]\d{0,2}$/.test(values.rounds)) throw new Error(`--rounds takes a number from 1, not ${values.rounds}`);
  const rounds = Number(values.rounds);
  const out = values.out === undefined ? (rounds < WHOLE_ROUNDS ? PARTIAL_OUT : WHOLE_OUT) : resolve(values.out);
  return { rounds, out };
}

async function run({ rounds, out }: Request): Promise<void> {
  const environment = await describeEnvironment(rounds < WHOLE_ROUNDS, 'process');
  const othersSince = watchOthers();
  const stage = await openStage();
  // Code that has not run yet is slow.
  await stage.play();
  const without: number[] = [];
  const beside: number[] = [];
  const faults: string[] = [];
  const played: Played[] = [];
  for (let round = 1; round <= rounds; round++) {
    await spell(stage, without, faults, () => sleep(QUIET_MS));
    const seen = await spell(stage, beside, faults, () => stage.play());
    played.push(...seen);
    for (const one of seen) {
      const { fault, phase, method } = one.cell;
      for (const what of faultsOf(one, GRACE_MS)) faults.push(`round ${round}: ${fault}, ${phase}, ${method}: ${what}`);
    }
  }
  await stage.close();
  const [withoutMs, besideMs] = [quantile(without, 0.99), quantile(beside, 0.99)];
  if (besideMs >= 2 * withoutMs)
    faults.push('the p99 of the requests beside the faults is twice that without, or more');
  for (const fault of faults) console.error(fault);
  console.log(`matrix: ${played.length} cells in ${rounds} rounds, faults: ${faults.length}`);
  console.log(
    `p99 of ${beside.length} requests beside the faults: ${besideMs.toFixed(2)} ms; of ${without.length} without them: ${withoutMs.toFixed(2)} ms`,
  );
  writeFileSync(README, withTable(readFileSync(README, 'utf8')));
  const seen = {
    environment: { ...environment, ...othersSince() },
    rounds,
    cells: summaryOf(played),
    besideMs,
    withoutMs,
  };
  writePart(out, 'matrix', seen);
  await drawReport(out);
  console.log(`matrix: the report is ${pageIn(out)}`);
  if (faults.length > 0) process.exitCode = 1;
}

function summaryOf(played: readonly Played[]): MatrixCell[] {
  return CELLS.map((cell) => {
    const rounds = played.filter((one) => one.cell === cell);
    const { fault, phase, method } = cell;
    const outcomes = [...new Set(rounds.map(({ outcome }) => String(outcome)))];
    const lateMs = Math.round(Math.max(...rounds.map(({ tookMs, leastMs }) => tookMs - leastMs)));
    return { fault, phase, method, outcomes, lateMs };
  });
}

async function spell<T>(stage: MatrixStage, times: number[], faults: string[], work: () => Promise<T>): Promise<T> {
  const stop = stage.bystanders(PER_SECOND);
  const result = await work();
  const { tookMs, failures } = await stop();
  times.push(...tookMs);
  faults.push(...failures.map((failure) => `a request beside the faults: ${failure}`));
  await sleep(REST_MS);
  return result;
}
