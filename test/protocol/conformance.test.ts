import t from 'tap';
import { ALL_CASES } from './cases/all.ts';
import { httpProxy, ringmaster } from './contenders.ts';
import { playAll } from './run.ts';

// The real program, in lots: each has its own process and its own replicas.
const LOTS = 3;

t.test('what HTTP/1.1 asks of a proxy', async (t) => {
  for (const { one, faults } of await playAll(ringmaster, ALL_CASES, LOTS)) {
    t.same(faults, [], `duty ${one.duty}: ${one.name}`);
  }
});

t.test('the cases can fail: a proxy that is known to get it wrong does so in each duty', async (t) => {
  const known = ALL_CASES.filter((one) => SEEN_TO_FAIL.has(one.name));
  t.equal(known.length, SEEN_TO_FAIL.size, 'each is a case');
  for (const { one, faults } of await playAll(httpProxy, known, LOTS)) {
    t.not(faults.length, 0, `duty ${one.duty}: ${one.name}`);
  }
});

const SEEN_TO_FAIL = new Set([
  'refused: Transfer-Encoding: gzip, chunked',
  '103 is passed on, before the final reply is there',
]);
