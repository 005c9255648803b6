// Several balancers that follow one list: `npm run simulate -- --balancers` plays ten with a thousand replicas and a
// million keys.

import t from 'tap';
import { playBalancers, spreadOf, type Terms } from './balancers/several.ts';

const TERMS: Terms = {
  ...{ balancers: 4, replicas: 60, keys: 20_000, slots: 4096, virtualNodes: 16, lookEveryMs: 500 },
  seed: Number(process.env.SEED ?? 20_261_127),
};

t.test('balancers dispute at most the keys that a change moves, and agree when each has looked once', async (t) => {
  const outcomes = [...playBalancers(TERMS)];
  t.equal(outcomes.length, 5);
  for (const { scenario, moved, disputedAtMost, disputedOnAverage, agreedAfterMs } of outcomes) {
    t.ok(agreedAfterMs <= TERMS.lookEveryMs, `${scenario}: ${agreedAfterMs} ms`);
    // Several lists that are seen in part may dispute a key that comes back to where it was, but no more than all move.
    t.ok(disputedAtMost <= moved, `${scenario}: ${disputedAtMost} disputed, ${moved} moved`);
    t.ok(disputedOnAverage <= disputedAtMost, scenario);
  }
  const by = new Map(outcomes.map((one) => [one.scenario, one]));
  const joins = by.get('one joins')?.moved ?? 0;
  t.ok(joins > 0 && joins < 2 / 61, `one of 61 takes its part: ${joins}`);
  t.equal(by.get('a tenth is replaced, one each 100 ms')?.moved, 0, 'a seat keeps its keys');
  t.equal(by.get('a tenth is replaced, one each 100 ms')?.disputedAtMost, 0);
  const leave = by.get('a tenth leaves at once')?.moved ?? 0;
  t.ok(leave > 0.05 && leave < 0.15, `only what the tenth had: ${leave}`);
});

t.test('the spread is that of one balancer: all have the same ring', async (t) => {
  const { maxOverMean, deviation } = spreadOf(TERMS);
  t.ok(maxOverMean < 1.4 && deviation < 0.15, `${maxOverMean}, ${deviation}`);
});
