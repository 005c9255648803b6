// `npm run fuzz`: broken requests and broken replies through a running proxy, 100,000 of each.
//
//   npm run fuzz -- --seed 7 --count 1000        others, or fewer
//   npm run fuzz -- replies --seed 7 --from 42 --count 1   one of them again

import { parseArgs } from 'node:util';
import { runSeed } from '../test/fixtures/random.ts';
import { fuzz, type Kind } from '../test/protocol/fuzz/run.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    from: { type: 'string', default: '0' },
    count: { type: 'string', default: '100000' },
  },
});
const seed = values.seed === undefined ? runSeed() : Number(values.seed);
for (const kind of ['requests', 'replies'] as const satisfies Kind[]) {
  if (positionals.length > 0 && !positionals.includes(kind)) continue;
  const beginMs = performance.now();
  const faults = await fuzz(kind, seed, Number(values.from), Number(values.count));
  for (const fault of faults) console.error(fault);
  const seconds = ((performance.now() - beginMs) / 1000).toFixed(1);
  console.log(`fuzz: ${values.count} broken ${kind}, seed ${seed}, ${seconds} s, faults: ${faults.length}`);
  if (faults.length > 0) process.exitCode = 1;
}
