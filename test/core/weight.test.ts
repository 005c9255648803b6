// What requests weigh, and how places are taken where the bound on load is on weights.

import t from 'tap';
import { Ledger, ledgerBytes } from '../../lib/core/request/ledger.ts';
import { weightOf } from '../../lib/core/request/weight.ts';
import { mostInFlight } from '../../lib/core/ring/bounded-load.ts';

const KIB = 1024;
const NONE = Number.POSITIVE_INFINITY;
const alone = () => new Ledger(new ArrayBuffer(ledgerBytes(1)), 0);

t.test('a request weighs one, and one more for each 16 KiB of its body, up to 32 MiB', async (t) => {
  t.same([0, 1, 16 * KIB, 16 * KIB + 1, 1024 * KIB].map(weightOf), [1, 2, 2, 3, 65]);
  t.equal(weightOf(32 * KIB * KIB), 2049);
  t.equal(weightOf(NONE), 2049);
  t.ok(2049 * 1_000_000 < 2 ** 31, 'a million of the heaviest fit into a cell');
});

t.test('the bound counts the weight of the next request', async (t) => {
  t.equal(mostInFlight(1.25, 0, 1 / 3, 1, 24), 10);
  t.equal(mostInFlight(1.25, 24, 1 / 3, 1, 24), 20);
  t.equal(mostInFlight(1.25, 24, 1 / 3, 64, 24), 64, 'at least the floor');
});

t.test('a replica takes a request while what it has weighs less than its part of all, times the factor', async (t) => {
  const ledger = alone();
  const take = (row: number, weight: number) => ledger.take(row, 9, 1.25, 1 / 3, 1, weight);
  t.ok(take(0, 65), 'a heavy one finds a place though it alone is above any part');
  t.notOk(take(0, 1), 'there 65 is more than 1.25 × 66 / 3');
  t.ok(take(1, 1));
  t.notOk(take(0, 65), '65 is more than 1.25 × 131 / 3 still');
  t.ok(take(1, 65), '1 is not');
  t.same([ledger.weight, ledger.weightAt(0), ledger.weightAt(1)], [131, 65, 66]);
  t.same([ledger.inFlight, ledger.inFlightAt(0), ledger.inFlightAt(1)], [3, 1, 2], 'what was refused left nothing');
  ledger.give(1, 65);
  ledger.give(1, 1);
  ledger.give(0, 65);
  t.same([ledger.weight, ledger.weightAt(0), ledger.weightAt(1), ledger.inFlight], [0, 0, 0, 0]);
});

t.test('whatever the weights, the lightest of all replicas has room', async (t) => {
  const ledger = alone();
  // 1, 2049, 1, 513, 33, …: each goes to the first that takes it.
  const weights = [1, 2049, 1, 513, 33, 2, 2049, 2049, 1, 65, 1025, 3, 2049];
  for (const weight of weights) {
    const row = [0, 1, 2, 3].find((one) => ledger.take(one, NONE, 1, 1 / 4, 1, weight));
    t.not(row, undefined);
  }
  const held = [0, 1, 2, 3].map((row) => ledger.weightAt(row));
  t.equal(Math.max(...held) <= ledger.weight / 4 + 2049, true, `${held}`);
});

t.test('the limit on the number of requests holds beside weights', async (t) => {
  const ledger = alone();
  t.ok(ledger.take(0, 1, NONE, 1, 1, 2));
  t.notOk(ledger.take(0, 1, NONE, 1, 1, 2));
  t.same([ledger.inFlight, ledger.weight], [1, 2]);
});

t.test('the floor is in requests without a body', async (t) => {
  const ledger = alone();
  const take = (weight: number) => ledger.take(0, 99, 1.25, 1 / 9, 8, weight);
  t.same([take(1), take(1), take(3), take(3)], [true, true, true, true], 'what is there weighs less than 8');
  t.notOk(take(1), 'and now 8');
});

t.test('what was taken without a weight has none, and the other way round', async (t) => {
  const ledger = alone();
  t.ok(ledger.take(0, 9, 1.25, 1 / 3));
  t.equal(ledger.weight, 0);
  t.ok(ledger.take(0, 9, 1.25, 1 / 3, 1, 65), 'nothing weighs anything there yet');
  ledger.give(0);
  t.same([ledger.inFlight, ledger.weight], [1, 65]);
});

t.test('of a thread that has ended, the weight is given back', async (t) => {
  const memory = new SharedArrayBuffer(ledgerBytes(2));
  const [one, other] = [new Ledger(memory, 0), new Ledger(memory, 1)];
  one.take(3, 9, NONE, 1, 1, 65);
  other.take(3, 9, NONE, 1, 1, 3);
  one.giveBackOf(1);
  t.same([one.weight, one.weightAt(3), one.inFlightAt(3)], [65, 65, 1]);
});
