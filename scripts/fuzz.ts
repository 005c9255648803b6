// `npm run fuzz`: broken requests, broken replies and pipelined requests through a running proxy, 100,000 of each.
//
//   npm run fuzz -- --seed 7 --count 1000        others, or fewer
//   npm run fuzz -- replies --seed 7 --from 42 --count 1   one of them again

import { parseArgs } from 'node:util';
import { runSeed } from '../test/fixtures/random.ts';
import { fuzz, KINDS } from '../test/protocol/fuzz/run.ts';

const USAGE = 'Usage: npm run fuzz -- [requests|replies|pipelines] [--seed N] [--from N] [--count N]';
const { values, positionals } = readCommandLine();
const seed = values.seed === undefined ? runSeed() : Number(values.seed);
for (const kind of KINDS) {
  if (positionals.length > 0 && !positionals.includes(kind)) continue;
  const beginMs = performance.now();
  const faults = await fuzz(kind, seed, Number(values.from), Number(values.count));
  for (const fault of faults) console.error(fault);
  const seconds = ((performance.now() - beginMs) / 1000).toFixed(1);
  console.log(`fuzz: ${values.count} ${kind}, seed ${seed}, ${seconds} s, faults: ${faults.length}`);
  if (faults.length > 0) process.exitCode = 1;
}

function readCommandLine() {
  try {
    const given = parseArgs({
      allowPositionals: true,
      options: {
        help: { type: 'boolean', default: false },
        seed: { type: 'string' },
        from: { type: 'string', default: '0' },
        count: { type: 'string', default: '100000' },
      },
    });
    const { seed = '0', from, count } = given.values;
    const isWhole = [seed, from, count].every((written) => /^\d{1,12}$/.test(written));
    const isKnown = given.positionals.every((kind) => KINDS.some((known) => known === kind));
    if (given.values.help || !isWhole || !isKnown) {
      console.log(USAGE);
      process.exit(given.values.help ? 0 : 2);
    }
    return given;
  } catch (error) {
    console.error(`fuzz: ${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}
