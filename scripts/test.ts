// `npm test`: says how many files of tests there are and how long they took the last time, and runs them. On a terminal
// tap shows what it does; anywhere else, such as in CI, only failures and how far it is (test/quiet-reporter.ts).

import { spawn } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
/** Holds the minutes that all tests took here. */
const TOOK = join(ROOT, '.tap/.ringmaster-minutes');
/** What they take on a machine with two cores. */
const USUAL_MINUTES = 15;

const args = process.argv.slice(2);
if (args.length === 0) {
  const files = globSync('test/**/*.test.ts', { cwd: ROOT }).length;
  console.error(
    `test: ${files} files, about ${minutesBefore()} minutes; one of them: npm test -- test/core/ring.test.ts`,
  );
}
const isQuiet = process.stdout.isTTY !== true && !args.some((arg) => /^(-R|--reporter)/.test(arg));
const reporter = isQuiet ? ['--reporter=./test/quiet-reporter.ts'] : [];
const started = performance.now();
// A signal from the terminal reaches tap too, which ends its tests and then itself.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
const child = spawn('tap', [...reporter, ...args], { stdio: 'inherit', cwd: ROOT });
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('error', (error) => {
  console.error(`test: ${error.message}: npm test finds tap, and installs it`);
  process.exitCode = 1;
});
child.on('exit', (code, signal) => {
  if (code === 0 && args.length === 0) {
    mkdirSync(dirname(TOOK), { recursive: true });
    writeFileSync(TOOK, String(Math.max(1, Math.round((performance.now() - started) / 60_000))));
  }
  process.exitCode = code ?? 1;
  if (signal !== null) console.error(`test: tap was ended by ${signal}`);
});

function minutesBefore(): number {
  try {
    return Number(readFileSync(TOOK, 'utf8')) || USUAL_MINUTES;
  } catch {
    return USUAL_MINUTES;
  }
}
