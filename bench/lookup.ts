// Measures what one lookup in the ring costs: the slot of a key, the binary search, and the walk past a seat that takes
// no requests; also what hashing a text key costs. Rings of 10, 100 and 1,000 seats take turns in one process, and the
// result is the median of the rounds.

import { hash } from 'node:crypto';
import { buildRing } from '../lib/core/ring/hashes/hash-pair.ts';
import { HASH_NAMES, type HashName, hashPair } from '../lib/core/ring/hashes/table.ts';
import { hashText } from '../lib/core/ring/hashes/text.ts';
import { type RingPolicy, ringPolicy } from '../lib/core/ring/policy.ts';

const SEATS = [10, 100, 1000];
const SLOTS = 65_536;
const VIRTUAL_NODES = 9;
const LOOKUPS = 1_000_000;
const ROUNDS = 15;

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] as number;

function policyOf(name: HashName, seats: number): RingPolicy {
  const pair = hashPair(name, SLOTS, VIRTUAL_NODES, (algorithm, text) => hash(algorithm, text, 'buffer'));
  const places = new Map(Array.from({ length: seats }, (_, index) => [index + 1, index + 1]));
  return ringPolicy(buildRing(places, pair, SLOTS, VIRTUAL_NODES), pair);
}

// Every tenth seat takes no requests, so that there are walks.
const accept = (seat: number) => seat % 10 !== 0;

function nanosecondsPerLookup(policy: RingPolicy): number {
  let key = 12_345;
  let sum = 0;
  const begin = performance.now();
  for (let lookup = 0; lookup < LOOKUPS; lookup++) {
    // Keys that no branch predictor can guess, by a linear congruential generator (Numerical Recipes).
    key = (Math.imul(key, 1_664_525) + 1_013_904_223) >>> 0;
    sum += policy.pick(key, accept) ?? 0;
  }
  const elapsedMs = performance.now() - begin;
  if (sum === 0) throw new Error('no lookup found a seat');
  return (elapsedMs * 1e6) / LOOKUPS;
}

function bytesPerNanosecond(length: number): number {
  // The conversion through bytes makes each key one flat string, as those read from a socket are.
  const text = (index: number) => Buffer.from(String(index).padEnd(length, 'abcdefghij')).toString('latin1');
  const texts = Array.from({ length: 1000 }, (_, index) => text(index));
  let sum = 0;
  const begin = performance.now();
  for (let repeat = 0; repeat < 200; repeat++) for (const text of texts) sum += hashText(text);
  const elapsedMs = performance.now() - begin;
  if (sum === 0) throw new Error('every hash was 0');
  return (200 * texts.length * length) / (elapsedMs * 1e6);
}

console.log(
  `ns per lookup, M = ${SLOTS}, K = ${VIRTUAL_NODES}: median (least) of ${ROUNDS} rounds of ${LOOKUPS} lookups\n`,
);
console.log(`${'hash'.padEnd(12)}${SEATS.map((seats) => `${seats} seats`.padStart(18)).join('')}      1,000 over 10`);
for (const name of HASH_NAMES) {
  if (name === 'sha256-md5') continue;
  const policies = SEATS.map((seats) => policyOf(name, seats));
  const rounds = Array.from({ length: ROUNDS }, () => policies.map(nanosecondsPerLookup));
  const columns = SEATS.map((_, index) => rounds.map((round) => round[index] as number));
  const cells = columns.map((column) =>
    `${median(column).toFixed(1)} (${Math.min(...column).toFixed(1)})`.padStart(18),
  );
  const growth = median(columns.at(-1) as number[]) / median(columns[0] as number[]);
  console.log(`${name.padEnd(12)}${cells.join('')}${growth.toFixed(2).padStart(19)}`);
}
console.log('\nhash of a text key, bytes per ns:');
for (const length of [8, 32, 128]) {
  console.log(
    `  ${String(length).padStart(3)} bytes: ${median(Array.from({ length: ROUNDS }, () => bytesPerNanosecond(length))).toFixed(2)}`,
  );
}
