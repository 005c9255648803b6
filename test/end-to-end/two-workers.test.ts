// Plays the end-to-end tests in which it matters how requests reach replicas once more, over two workers. All of them
// would double their time: `RINGMASTER_WORKERS=2 npm test` plays all tests of the program so.

import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { endWithUs } from '../../bench/harness/children.ts';

// The longest first. They mostly wait, for a heartbeat or a limit of time.
const FILES = [
  'upstreams',
  'faults',
  'slow-together',
  'changes',
  'sessions',
  'contract',
  'health-checks',
  'poison',
  'late',
];
const AT_ONCE = 3;

const isDone = process.env.RINGMASTER_WORKERS !== undefined && 'all tests are played over several workers already';

t.test('over two workers the program does what it does over one', { skip: isDone, timeout: 600_000 }, async (t) => {
  const left = [...FILES];
  const play = async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      const { exitCode, output } = await run(name);
      t.equal(exitCode, 0, name);
      if (exitCode !== 0) t.comment(output);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, play));
});

async function run(name: string): Promise<{ exitCode: number | null; output: string }> {
  const file = fileURLToPath(new URL(`${name}.test.ts`, import.meta.url));
  const env = { ...process.env, RINGMASTER_WORKERS: '2', TAP_TIMEOUT: '600' };
  const child = endWithUs(spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'inherit'] }));
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const [output, exitCode] = await Promise.all([text(child.stdout), exited]);
  return { exitCode, output };
}
