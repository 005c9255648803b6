import t from 'tap';
import { runSeed } from '../fixtures/random.ts';
import { fuzz } from './fuzz/run.ts';

// `npm run fuzz` plays 100,000 of each.
const COUNT = 1500;
const seed = runSeed();

for (const kind of ['requests', 'replies'] as const) {
  t.test(`${COUNT} broken ${kind}, seed ${seed}: no crash, no hang, nothing at the wrong end`, async (t) => {
    t.same(await fuzz(kind, seed, 0, COUNT), []);
  });
}
