// `npm run profile`: runs the balancer under load with `node --prof` and prints where the time of each thread went, by
// layer, by file of ours and by function. What the ticks mean is decided in ticks.ts.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startBackends } from '../bench/backend.ts';
import { runCommand } from '../bench/command.ts';
import { driveHard, generatorName } from '../bench/generator.ts';
import { endOnSignals } from '../bench/harness/children.ts';
import { startProgram } from '../bench/harness/program.ts';
import { pinnedTo } from '../bench/machine.ts';
import { parseOptions } from '../lib/settings/options.ts';
import { isOfWorker, type Profile, summariseTicks } from './ticks.ts';

const HELP = `Usage: npm run profile -- [options]

Where the balancer spends its time, in half a minute at most: by layer, by file and by function, for each of its threads.

  --workers N   threads that requests are spread over, or auto; by default 1
  --help        this text
`;

const BALANCER_CORE = 0;
const LOAD_CORE = 1;
const CONNECTIONS = 64;
const WARM_UP_SECONDS = 1;
const SECONDS = 5;
const SHOWN_FUNCTIONS = 12;
const SHOWN_PART = 0.001;
const MAX_PROFILE_BYTES = 2 ** 30;

const HINTS = `
The same by hand, with load of your own; each thread has a file, and that of a worker names lib/worker.ts:
  npm exec -- node --prof lib/main.ts --workers 2 --log off
      then Ctrl-C, and for each: npm exec -- node --prof-process isolate-0x….log

For a flame graph:
  npm exec -- node --cpu-prof --cpu-prof-dir=profile lib/main.ts --log off
      then load it, stop it with Ctrl-C, and open the .cpuprofile in https://www.speedscope.app or in the Performance panel
      of Chrome's developer tools
  npm exec -- perf record -g -- node --perf-basic-prof lib/main.ts --log off
      on Linux, system calls included; then perf script and https://www.brendangregg.com/flamegraphs.html`;

const say = (text: string) => console.log(text);
const row = (part: number, name: string) => say(`  ${(part * 100).toFixed(1).padStart(5)} %  ${name}`);

endOnSignals();
await runCommand('profile', readWords, takeProfile);

function readWords(words: readonly string[]): string | { readonly workers: number } {
  const options = { workers: { type: 'string', default: '1' }, help: { type: 'boolean' } } as const;
  const { workers, help } = parseArgs({ args: [...words], options }).values;
  return help ? HELP : { workers: parseOptions(['--workers', workers], {}).workers };
}

async function takeProfile({ workers }: { readonly workers: number }): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'ringmaster-profile-'));
  try {
    // V8 writes a file for each thread, and puts what tells them apart in front of the name.
    await load(['--prof', `--logfile=${join(directory, 'v8.log')}`], workers);
    say('profile: reading the ticks …');
    const profiles = readdirSync(directory).map((name) => readProfile(join(directory, name)));
    for (const profile of profiles.filter(isOfWorker)) print('A worker', profile);
    for (const profile of profiles.filter((one) => !isOfWorker(one))) print('The main thread', profile);
    say(HINTS);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

// Replicas would share a core with the balancer, so backends on the other core stand in for them, over Unix sockets as
// well.
async function load(nodeFlags: readonly string[], workers: number): Promise<void> {
  const backends = await startBackends(LOAD_CORE);
  try {
    const upstream = ['--upstream', backends.unix.join(','), '--heartbeat-path', 'off'];
    const options = ['--log', 'off', '--workers', String(workers), ...upstream];
    // On one core several workers would only take turns.
    const before = workers === 1 ? pinnedTo(BALANCER_CORE) : [];
    const program = await startProgram(options, {}, { before, nodeFlags });
    say(
      `profile: ${generatorName()} asks over ${CONNECTIONS} connections for ${SECONDS} s, and ${backends.what} answers …`,
    );
    try {
      await driveHard(`${program.url}/`, CONNECTIONS, WARM_UP_SECONDS, LOAD_CORE);
      const result = await driveHard(`${program.url}/`, CONNECTIONS, SECONDS, LOAD_CORE);
      say(`profile: ${Math.round(result.requests / result.seconds)} requests a second, ${result.errors} errors`);
    } finally {
      await program.stop();
    }
  } finally {
    await backends.stop();
  }
}

function readProfile(logFile: string): Profile {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--prof-process', '--preprocess', logFile], {
    encoding: 'utf8',
    maxBuffer: MAX_PROFILE_BYTES,
  });
  if (status !== 0) throw new Error(`the ticks cannot be read: ${stderr}`);
  return JSON.parse(stdout);
}

function print(thread: string, profile: Profile): void {
  const { ticks, layers, files, functions } = summariseTicks(profile);
  say(`\n${thread}: where the time went, start included, in ${ticks} ticks of a millisecond:`);
  for (const { part, name } of layers) row(part, name);
  say('\nBy file of ours: with what it calls in Node, V8 and the kernel (its own lines alone)');
  for (const { part, ownPart, name } of files.filter((file) => file.part > SHOWN_PART))
    row(part, `(${(ownPart * 100).toFixed(1)} %)  ${name}`);
  say('\nFunctions of ours that take most themselves:');
  for (const { part, name } of functions.slice(0, SHOWN_FUNCTIONS)) row(part, name);
}
