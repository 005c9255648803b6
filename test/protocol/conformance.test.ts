import t from 'tap';
import { ALL_CASES } from './cases/all.ts';
import { httpProxy, ringmaster, ringmasterOfTwo } from './contenders.ts';
import { playAll } from './run.ts';

// Plays the cases in lots, each with a process and replicas of its own.
const LOTS = 3;

for (const contender of [ringmaster, ringmasterOfTwo]) {
  t.test(`what HTTP/1.1 asks of a proxy: ${contender.name}`, async (t) => {
    for (const { one, faults } of await playAll(contender, ALL_CASES, LOTS)) {
      t.same(faults, [], `duty ${one.duty}: ${one.name}`);
    }
  });
}

// `npm run conformance` says who fails which case. Here a few of each duty show that the cases do not let everything
// pass.
t.test('the cases can fail: http-proxy, which is known to get these wrong, does', async (t) => {
  const known = ALL_CASES.filter((one) => SEEN_TO_FAIL.includes(one.name));
  t.same(known.map((one) => one.name).sort(), [...SEEN_TO_FAIL].sort());
  t.same([...new Set(known.map((one) => one.duty))], [1, 2, 3, 4, 5, 6, 7, 8]);
  for (const { one, faults } of await playAll(httpProxy, known, LOTS)) {
    t.not(faults.length, 0, `duty ${one.duty}: ${one.name}`);
  }
});

const SEEN_TO_FAIL: readonly string[] = [
  'a chunked body of DELETE stays framed',
  '204 has no length',
  '102 is passed on',
  'Via is added',
  'refused: two equal Host fields',
  'a name of every token character survives',
  'a final answer instead of 100 reaches the client, which sends no body',
  'Upgrade in HTTP/1.0 is ignored',
  'PUT is tried at the other replica',
  'a body over the limit is a 413',
  'a refusal is a failure envelope with a request id',
];
