// SIGHUP: the real program.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { startProgram } from '../fixtures/program.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const MAIN = fileURLToPath(new URL('../../lib/main.ts', import.meta.url));

t.test('SIGHUP ends it in order: what is open is answered, exit code 0', async (t) => {
  const asked = Promise.withResolvers<() => void>();
  const service = await scriptedReplica((socket) => asked.resolve(() => socket.write(reply('{}'))));
  t.teardown(() => service.close());
  const program = await startProgram(['--upstream', service.upstream, '--heartbeat-path', 'off']);
  const open = program.json('/slow');
  const answer = await asked.promise;
  program.process.kill('SIGHUP');
  await program.logged((line) => line.event === 'closing');
  answer();
  t.equal((await open).status, 200);
  t.equal(await program.exited, 0);
});

t.test('under nohup it outlives its terminal', async (t) => {
  // What nohup makes of a terminal's standard input; Node forgets what nohup says of the signal.
  const child: ChildProcess = spawn(process.execPath, [MAIN, '--port', '0', '--replicas', '0'], {
    stdio: [openSync('/dev/null', 'w'), 'pipe', 'pipe'],
  });
  let output = '';
  child.stderr?.resume();
  for await (const bytes of child.stdout ?? []) {
    output += bytes;
    if (/stop: Ctrl-C\n/.test(output)) break;
  }
  const [, url = ''] = /listens on (\S+)/.exec(output) ?? [];
  child.kill('SIGHUP');
  t.equal((await fetch(`${url}/rep`)).status, 200);
  child.kill('SIGTERM');
  t.equal((await once(child, 'exit'))[0], 0);
});
