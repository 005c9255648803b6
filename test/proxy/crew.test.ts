// How long the next worker waits when one has ended again and again.

import t from 'tap';
import { lapsesAfter, waitAfter } from '../../lib/proxy/workers/crew.ts';

t.test('one that ends soon, again and again, has each next one wait twice as long, up to 5 s', async (t) => {
  const waits: number[] = [];
  for (let lapses = 0; waits.length < 9; waits.push(waitAfter(lapses))) lapses = lapsesAfter(lapses, 9999);
  t.same(waits, [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
});

t.test('one that lasted begins anew', async (t) => {
  t.equal(lapsesAfter(7, 10_000), 0);
  t.equal(waitAfter(0), 0);
});
