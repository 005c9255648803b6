// What needs a real Swarm: the engine of this machine as a manager (../shared/engine/up --swarm), or the manager at
// SWARM_HOST, as DOCKER_HOST is written, whose nodes can be reached from here.

import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { startProgram } from '../../bench/harness/program.ts';
import { eventually } from '../fixtures/eventually.ts';

const HOST = process.env.SWARM_HOST;
const environment = { ...process.env, ...(HOST === undefined ? {} : { DOCKER_HOST: HOST }) };

function swarmMissing(): string | undefined {
  const none = 'no Docker Engine that manages a Swarm, with the image node:26-slim, answers here';
  const limits = { env: environment, stdio: 'pipe', timeout: 20_000 } as const;
  try {
    const manages = execFileSync('docker', ['info', '--format', '{{.Swarm.ControlAvailable}}'], limits);
    execFileSync('docker', ['image', 'inspect', 'node:26-slim'], limits);
    return manages.toString().trim() === 'true' ? undefined : none;
  } catch {
    return none;
  }
}

async function docker(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('docker', args, { env: environment });
  return stdout.trim();
}

const NAME = `ringmaster-test-${process.pid}`;
// Ends in order, as a service should that is replaced: it answers what it has, and takes no more.
const SERVICE = `const s = require('http').createServer((q, r) => r.end(JSON.stringify({ slot: process.env.SLOT })));
  s.listen(5000); process.on('SIGTERM', () => s.close(() => process.exit()))`;

async function created(t: Test, replicas: number): Promise<void> {
  t.teardown(() => docker('service', 'rm', NAME));
  await docker(
    ...['service', 'create', '--detach', '--quiet', '--no-resolve-image', '--name', NAME, '--replicas', `${replicas}`],
    ...['--publish', 'mode=host,target=5000', '--env', 'SLOT={{.Task.Slot}}', '--update-delay', '1s'],
    ...['--stop-grace-period', '5s', 'node:26-slim', 'node', '-e', SERVICE],
  );
}

const missing = swarmMissing();
const options = missing === undefined ? { timeout: 600_000 } : { skip: missing };

t.test('--upstream swarm: a foreign rolling update fails no request, and moves no key', options, async (t) => {
  await created(t, 3);
  const program = await startProgram(
    [
      ...['--upstream', `swarm:${NAME}`, '--key', 'header:X-Key', '--heartbeat-path', '/'],
      ...['--heartbeat-interval', '500ms', '--queue-timeout', '30s'],
    ],
    HOST === undefined ? {} : { DOCKER_HOST: HOST },
  );
  t.teardown(() => program.stop());
  const names = [1, 2, 3].map((slot) => `${NAME}.${slot}`);
  const serve = async () => program.log.filter(({ event }) => event === 'replica-serving').length >= 3;
  await eventually('all serve', serve, 300_000);
  t.same((await program.hostnames()).toSorted(), names);
  let failed = 0;
  const ask = async (key: number) => {
    const { status, body } = await program.json('/x', { headers: { 'X-Key': `key${key}` } });
    if (status !== 200) failed += 1;
    return Number((body as { slot?: string }).slot);
  };
  const keys = Array.from({ length: 60 }, (_, key) => key);
  const before = await Promise.all(keys.map(ask));
  t.same([...new Set(before)].sort(), [1, 2, 3]);
  const served = () => program.log.filter(({ event }) => event === 'replica-serving').length;
  const atStart = served();
  await docker('service', 'update', '--detach', '--quiet', '--force', NAME);
  let asked = 0;
  const over = AbortSignal.timeout(300_000);
  while (served() < atStart + 3 && !over.aborted) {
    await ask(asked++ % 60);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  t.equal(served(), atStart + 3, 'each slot has a new task');
  t.equal(failed, 0, `of ${asked} requests during the update`);
  t.same(await Promise.all(keys.map(ask)), before);
});

t.test('--upstream swarm: slots that come and go are seats that come and go, at once', options, async (t) => {
  await created(t, 1);
  const program = await startProgram(
    ['--upstream', `swarm:${NAME}:5000`, '--heartbeat-path', '/', '--heartbeat-interval', '500ms'],
    HOST === undefined ? {} : { DOCKER_HOST: HOST },
  );
  t.teardown(() => program.stop());
  const count = (n: number) => async () => (await program.hostnames()).length === n;
  await eventually('one is there', count(1), 300_000);
  await docker('service', 'scale', '--detach', `${NAME}=2`);
  await eventually('two are there', count(2), 300_000);
  await docker('service', 'scale', '--detach', `${NAME}=1`);
  await eventually('one is left', count(1), 300_000);
});
