import t from 'tap';
import { fuzz, KINDS } from './fuzz/run.ts';

// `npm run fuzz` plays 100,000 of each, different ones each time. Here they are always the same, so that results
// repeat.
const COUNT = 1500;
const seed = Number(process.env.SEED ?? 1);

for (const kind of KINDS) {
  t.test(`${COUNT} cases of ${kind}, seed ${seed}: no crash, no hang, nothing at the wrong end`, async (t) => {
    t.same(await fuzz(kind, seed, 0, COUNT), []);
  });
}
