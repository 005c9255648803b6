// `npm run soak`: an hour of load at half of what the machine can do, with a fault every 10 s, and how memory,
// descriptors and times go meanwhile. Keeps the samples and draws the report.

import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { soakSlopes } from '../bench/charts/soak.ts';
import { runCommand } from '../bench/command.ts';
import { endOnSignals } from '../bench/harness/children.ts';
import { describeEnvironment, watchOthers } from '../bench/machine.ts';
import { drawReport, PARTIAL_OUT, pageIn, WHOLE_OUT, writePart } from '../bench/report.ts';
import { runSoak, type SoakTerms } from '../bench/soak.ts';

const WHOLE_MINUTES = 60;

const HELP = `Usage: npm run soak -- [options]

Loads the real program with half of what this machine can do, with a fault every few seconds, and draws how memory, descriptors
and times go. Keeps the samples in bench/results, or with --minutes below ${WHOLE_MINUTES} in bench/out.

  --minutes N       how long, ${WHOLE_MINUTES} by default
  --seed N          decides the load and the faults; 1 by default
  --workers N       threads of the program, 1 by default
  --every SECONDS   from one fault, and one look, to the next on average; 10 by default
  --out DIR         keeps samples and report in DIR/results and DIR/reports
  --help            this text
`;

interface Request {
  readonly terms: SoakTerms;
  readonly out: string;
}

function readWords(words: readonly string[]): string | Request {
  const { values } = parseArgs({
    args: [...words],
    options: {
      minutes: { type: 'string', default: String(WHOLE_MINUTES) },
      seed: { type: 'string', default: '1' },
      workers: { type: 'string', default: '1' },
      every: { type: 'string', default: '10' },
      out: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return HELP;
  const number = (name: 'minutes' | 'seed' | 'workers' | 'every', least: number, most: number) => {
    const value = Number(values[name]);
    if (value >= least && value <= most) return value;
    throw new Error(`--${name} takes a number from ${least} to ${most}, not ${values[name]}`);
  };
  const minutes = number('minutes', 0.5, 24 * 60);
  const everyMs = number('every', 1, 600) * 1000;
  const lengthMs = minutes * 60_000;
  if (lengthMs < 6 * everyMs) throw new Error('--minutes has to leave time for six faults');
  const [seed, workers] = [Math.floor(number('seed', 0, 2 ** 31)), Math.floor(number('workers', 1, 64))];
  const out = values.out === undefined ? (minutes < WHOLE_MINUTES ? PARTIAL_OUT : WHOLE_OUT) : resolve(values.out);
  return { terms: { seed, lengthMs, everyMs, workers, replicas: 4 }, out };
}

async function soak({ terms, out }: Request): Promise<void> {
  const environment = await describeEnvironment(terms.lengthMs < WHOLE_MINUTES * 60_000, 'process');
  const othersSince = watchOthers();
  const samples = await runSoak(terms, (words) => console.log(`soak: ${words}`));
  const whole = { environment: { ...environment, ...othersSince() }, ...samples };
  writePart(out, 'soak', whole);
  for (const { title, words } of soakSlopes(whole)) console.log(`soak: ${title}: ${words}`);
  await drawReport(out);
  console.log(`soak: the report is ${pageIn(out)}`);
  if (samples.wrong === 0) return;
  console.log(`soak: ${samples.wrong} replies belonged to other requests`);
  process.exitCode = 1;
}

endOnSignals();
await runCommand('soak', readWords, soak);
