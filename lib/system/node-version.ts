// Ends the process on a Node that is too old for the rest, before that is loaded. It is the first import of main.ts. A
// Node that does not know TypeScript, such as 20, does not even get here in a checkout.

import { readFileSync } from 'node:fs';

/**
 * Why this version of Node cannot run the program, and what to do; `undefined` if it can.
 * @param needed as in `engines`.
 */
export function tooOld(version: string, needed: string): string | undefined {
  const oldest = needed.replace('>=', '');
  const [[major = 0, minor = 0], [leastMajor = 0, leastMinor = 0]] = [version, oldest].map((one) =>
    one.split('.').map(Number),
  ) as [number[], number[]];
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return undefined;
  return `Node ${oldest} or newer is needed, and this is ${version}: npm start brings its own, https://nodejs.org has it`;
}

const { engines } = JSON.parse(readFileSync(new URL(import.meta.resolve('ringmaster/package.json')), 'utf8'));
const fault = tooOld(process.versions.node, engines.node);
if (fault !== undefined) {
  console.error(`ringmaster: ${fault} (${process.execPath})`);
  process.exit(1);
}
