// `npm run matrix`: plays the fault matrix on a machine that does nothing else, holds each cell to its time and the
// requests beside it to less than twice theirs, and writes the table into lib/README.md.
//
//   npm run matrix -- --rounds 10      more rounds than five

import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { runCommand } from '../bench/command.ts';
import { quantile } from '../bench/statistics.ts';
import { type MatrixStage, openStage } from '../test/end-to-end/fault-matrix/stage.ts';
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

await runCommand('matrix', readWords, ({ rounds }) => run(rounds));

function readWords(words: readonly string[]): string | { rounds: number } {
  const options = { help: { type: 'boolean' }, rounds: { type: 'string', default: '5' } } as const;
  const { values } = parseArgs({ args: [...words], options });
  if (values.help) return 'Usage: npm run matrix -- [--rounds N]\n';
  if (!/^[1-9]\d{0,2}$/.test(values.rounds)) throw new Error(`--rounds takes a number from 1, not ${values.rounds}`);
  return { rounds: Number(values.rounds) };
}

async function run(rounds: number): Promise<void> {
  const stage = await openStage();
  // Code that has not run yet is slow.
  await stage.play();
  const without: number[] = [];
  const beside: number[] = [];
  const faults: string[] = [];
  let cells = 0;
  for (let round = 1; round <= rounds; round++) {
    await spell(stage, without, faults, () => sleep(QUIET_MS));
    const seen = await spell(stage, beside, faults, () => stage.play());
    cells += seen.length;
    for (const played of seen) {
      const { fault, phase, method } = played.cell;
      for (const what of faultsOf(played, GRACE_MS))
        faults.push(`round ${round}: ${fault}, ${phase}, ${method}: ${what}`);
    }
  }
  await stage.close();
  const [withoutMs, besideMs] = [quantile(without, 0.99), quantile(beside, 0.99)];
  if (besideMs >= 2 * withoutMs)
    faults.push('the p99 of the requests beside the faults is twice that without, or more');
  for (const fault of faults) console.error(fault);
  console.log(`matrix: ${cells} cells in ${rounds} rounds, faults: ${faults.length}`);
  console.log(
    `p99 of ${beside.length} requests beside the faults: ${besideMs.toFixed(2)} ms; of ${without.length} without them: ${withoutMs.toFixed(2)} ms`,
  );
  writeFileSync(README, withTable(readFileSync(README, 'utf8')));
  if (faults.length > 0) process.exitCode = 1;
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
