// `npm run simulate -- --balancers`: ten balancers that follow one list of a thousand replicas, with a million keys, on
// a virtual clock. It prints the tables of .github/BEYOND-ONE-MACHINE.md; `--seed N` plays other times at which each
// balancer looks.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { followersOf, playBalancers, spreadOf, type Terms } from '../test/simulation/balancers/several.ts';

const LARGE: Omit<Terms, 'seed'> = {
  balancers: 10,
  replicas: 1000,
  keys: 1_000_000,
  slots: 65_536,
  virtualNodes: 16,
  lookEveryMs: 500,
};
const MIB = 2 ** 20;

/** Prints what becomes of the keys while a change of the fleet reaches one balancer after the other. */
export function printBalancers(seed: number): void {
  const terms = { ...LARGE, seed };
  const bytes = bytesOfEach(terms);
  const { maxOverMean, deviation } = spreadOf(terms);
  console.log(`balancers: ${terms.balancers}, replicas: ${terms.replicas}, keys: ${terms.keys}, seed ${seed}`);
  console.log(`spread: largest over mean ${maxOverMean.toFixed(3)}, standard deviation ${percent(deviation)}`);
  console.log(`memory of fleet and ring: ${(bytes / MIB).toFixed(2)} MiB for each balancer\n`);
  console.log('| change | keys that move | keys disputed at most | on average until all agree | all agree after |');
  console.log('| --- | --- | --- | --- | --- |');
  for (const { scenario, moved, disputedAtMost, disputedOnAverage, agreedAfterMs } of playBalancers(terms)) {
    const parts = [moved, disputedAtMost, disputedOnAverage].map(percent).join(' | ');
    console.log(`| ${scenario} | ${parts} | ${agreedAfterMs.toFixed(0)} ms |`);
  }
}

// What is left after a collection, of a few balancers more.
function bytesOfEach(terms: Terms): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const used = () => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  // What all have in common, such as the layout, is made with the first.
  const kept: object[] = [...followersOf({ ...terms, balancers: 1 })];
  const before = used();
  kept.push(...followersOf(terms));
  const each = (used() - before) / terms.balancers;
  return kept.length === terms.balancers + 1 ? each : Number.NaN;
}

function percent(part: number): string {
  return `${(100 * part).toFixed(3)} %`;
}
