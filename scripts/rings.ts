// How evenly each hash pair spreads and what it moves, over all 900,000 request ids: the table of lib/README.md. `node
// scripts/rings.ts` prints it; scripts/tidy.ts checks that the document has the same.

import { hash } from 'node:crypto';
import { buildRing, type HashPair, modulo } from '../lib/core/ring/hashes/hash-pair.ts';
import { HASH_NAMES, hashPair } from '../lib/core/ring/hashes/table.ts';
import type { HashRing } from '../lib/core/ring/ring.ts';

const SLOTS = 512;
const VIRTUAL_NODES = 9;
const SIZES = Array.from({ length: 31 }, (_, index) => index + 2);

/** A table in Markdown with a row for each number of seats and a column for each pair. */
export function ringsTable(): string {
  const pairs = HASH_NAMES.map((name) =>
    hashPair(name, SLOTS, VIRTUAL_NODES, (algorithm, text) => hash(algorithm, text, 'buffer')),
  );
  const requests = pairs.map(requestsBySlot);
  const rows = SIZES.map((seats) => {
    const cells = pairs.map((pair, index) => describeRing(pair, requests[index] as Float64Array, seats));
    return `| ${seats} | ${cells.join(' | ')} |`;
  });
  return [
    `| N | ${HASH_NAMES.map((name) => `\`${name}\``).join(' | ')} |`,
    `| --- |${' --- |'.repeat(HASH_NAMES.length)}`,
    ...rows,
  ].join('\n');
}

// The part of all request ids that goes to each slot.
function requestsBySlot(pair: HashPair): Float64Array {
  const parts = new Float64Array(SLOTS);
  for (let id = 100_000; id <= 999_999; id++) {
    const slot = modulo(pair.requestSlot(id, SLOTS), SLOTS);
    parts[slot] = (parts[slot] as number) + 1 / 900_000;
  }
  return parts;
}

function describeRing(pair: HashPair, requests: Float64Array, seats: number): string {
  const numbers = Array.from({ length: seats }, (_, index) => index + 1);
  const ringOf = (set: readonly number[]) =>
    buildRing(new Map(set.map((seat) => [seat, seat])), pair, SLOTS, VIRTUAL_NODES);
  const ring = ringOf(numbers);
  const loads = new Float64Array(seats);
  requests.forEach((part, slot) => {
    const seat = ring.owner(slot) as number;
    loads[seat - 1] = (loads[seat - 1] as number) + part * seats;
  });
  const deviation = Math.sqrt(loads.reduce((sum, load) => sum + (load - 1) ** 2, 0) / seats);
  const joined = movedPart(requests, ring, ringOf([...numbers, seats + 1]));
  const lost = numbers.map((one) => movedPart(requests, ring, ringOf(numbers.filter((seat) => seat !== one))));
  const lostMean = lost.reduce((a, b) => a + b, 0) / seats;
  return `${Math.max(...loads).toFixed(3)}, ${percent(deviation)}, ${percent(joined)}, ${percent(lostMean)}`;
}

function movedPart(requests: Float64Array, before: HashRing, after: HashRing): number {
  return requests.reduce((sum, part, slot) => (before.owner(slot) === after.owner(slot) ? sum : sum + part), 0);
}

function percent(part: number): string {
  return `${(part * 100).toFixed(1)} %`;
}

if (import.meta.main) console.log(ringsTable());
