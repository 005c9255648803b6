import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';

const CHILDREN = new URL('../../bench/harness/children.ts', import.meta.url).href;

const PARENT = `
import { spawn } from 'node:child_process';
import { endOnSignals, endWithUs } from '${CHILDREN}';
endOnSignals();
// The child inherits our standard output, so that its end can be seen from outside: nothing holds the pipe any more.
endWithUs(spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: ['ignore', 'inherit', 'ignore'] }));
console.log('begun');
`;

t.test('children end with the process that began them, when it is told to end', async (t) => {
  const parent = spawn(process.execPath, ['--input-type=module', '-e', PARENT], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(parent.stdout, 'data');
  const exited = once(parent, 'exit');
  const closed = once(parent.stdout, 'close');
  parent.kill('SIGTERM');
  t.equal((await exited)[0], 130);
  await closed;
  t.pass('nobody holds its standard output');
});
