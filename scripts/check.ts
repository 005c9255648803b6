// `npm run check`: format and lint, types, tidiness and tests, one after the other. All run even if one fails; the exit
// code is then 1.

import { spawnSync } from 'node:child_process';

const STEPS: readonly [name: string, command: string, ...args: string[]][] = [
  ['format and lint', 'biome', 'ci', '--error-on-warnings', '.'],
  ['types', 'tsc'],
  ['types of the dashboard', 'tsc', '-p', 'lib/admin/dashboard'],
  ['tidiness', 'node', 'scripts/tidy.ts'],
  ['tests', 'node', 'scripts/test.ts'],
];

const failed: string[] = [];
for (const [name, command, ...args] of STEPS) {
  console.log(`check: ${name}`);
  // npm puts node_modules/.bin first into the PATH.
  if (spawnSync(command, args, { stdio: 'inherit' }).status !== 0) failed.push(name);
}
console.log(failed.length === 0 ? 'check: all is well' : `check: failed: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;
