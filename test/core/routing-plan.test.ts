// A plan is a value: compiling a copy of it gives the same policy.

import t from 'tap';
import { moduloRequests } from '../../lib/core/ring/hashes/modulo.ts';
import { HashRing } from '../../lib/core/ring/ring.ts';
import { compile, planned } from '../../lib/core/routing-plan.ts';

const points = [
  { slot: 1, seat: 7 },
  { slot: 5, seat: 3 },
];

t.test('a plan that was copied makes the policy that the ring itself would make', async (t) => {
  const ring = new HashRing(points, 8);
  const plan = structuredClone({ ring: planned(ring, 4), slots: 8 });
  t.equal(plan.ring.version, 4);
  t.same([...plan.ring.points], [1, 7, 5, 3]);
  const policy = compile(plan, moduloRequests);
  t.equal(policy.ring.digest(), ring.digest());
  t.same(
    [0, 1, 2, 5, 6, 9].map((key) => policy.pick(key, () => true)),
    [7, 7, 3, 3, 7, 7],
  );
});

t.test('a ring without seats is one too', async (t) => {
  const policy = compile({ ring: planned(new HashRing([], 8), 1), slots: 8 }, moduloRequests);
  t.equal(
    policy.pick(1, () => true),
    undefined,
  );
});
