// SIGHUP, and environment variables that have nothing to do with ringmaster, with the real program.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { startProgram } from '../../bench/harness/program.ts';
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
  // This is what nohup makes of a terminal's standard input. That nohup ignores SIGHUP is lost, since Node resets it.
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

t.test('variables of a Kubernetes service are passed over with a word, misspelt ones with a better one', async (t) => {
  const service = await scriptedReplica((socket) => socket.write(reply('{}')));
  t.teardown(() => service.close());
  const program = await startProgram(['--upstream', service.upstream, '--heartbeat-path', 'off'], {
    RINGMASTER_PORT: 'tcp://10.0.0.1:5000',
    RINGMASTER_SERVICE_HOST: '10.0.0.1',
    RINGMASTER_PORT_5000_TCP_ADDR: '10.0.0.1',
    RINGMASTER_ADMIN_PORT: 'tcp://10.0.0.2:5001',
    RINGMASTER_GRACE: '',
    RINGMASTER_REPLICS: '7',
    RINGMASTER_SECRET_THING: 's3cret',
  });
  t.teardown(() => program.stop());
  const said = program.log.filter((line) => line.event === 'variable-ignored');
  t.same(said.map((line) => [line.level, line.variable]).sort(), [
    ['warn', 'RINGMASTER_ADMIN_PORT'],
    ['warn', 'RINGMASTER_PORT'],
    ['warn', 'RINGMASTER_REPLICS'],
    ['warn', 'RINGMASTER_SECRET_THING'],
  ]);
  t.match(said.find((line) => line.variable === 'RINGMASTER_PORT')?.reason, /Kubernetes/);
  t.match(said.find((line) => line.variable === 'RINGMASTER_REPLICS')?.reason, /did you mean RINGMASTER_REPLICAS\?/);
  t.notMatch(JSON.stringify(said), /s3cret/);
});
