// --upstream swarm: over a service that somebody else runs.

import type { Test } from 'tap';
import { startProgram } from '../../bench/harness/program.ts';
import { eventually } from '../fixtures/eventually.ts';
import { SWARM_ENVIRONMENT, swarm } from '../fixtures/swarm.ts';

const NAME = `ringmaster-test-${process.pid}`;
// Ends in order, as a service should that is replaced: it answers what it has, and takes no more.
const SERVICE = `const s = require('http').createServer((q, r) => r.end(JSON.stringify({ slot: process.env.SLOT })));
  s.listen(5000); process.on('SIGTERM', () => s.close(() => process.exit()))`;

async function created(t: Test, replicas: number): Promise<void> {
  t.teardown(() => swarm('service', 'rm', NAME));
  await swarm(
    ...['service', 'create', '--detach', '--quiet', '--no-resolve-image', '--name', NAME, '--replicas', `${replicas}`],
    ...['--publish', 'mode=host,target=5000', '--env', 'SLOT={{.Task.Slot}}', '--update-delay', '1s'],
    ...['--stop-grace-period', '5s', 'node:26-slim', 'node', '-e', SERVICE],
  );
}

export async function upstream(t: Test): Promise<void> {
  t.test('--upstream swarm: a foreign rolling update fails no request, and moves no key', async (t) => {
    await created(t, 3);
    const program = await startProgram(
      [
        ...['--upstream', `swarm:${NAME}`, '--key', 'header:X-Key', '--heartbeat-path', '/'],
        ...['--heartbeat-interval', '500ms', '--queue-timeout', '30s'],
      ],
      SWARM_ENVIRONMENT,
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
    await swarm('service', 'update', '--detach', '--quiet', '--force', NAME);
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

  t.test('--upstream swarm: slots that come and go are seats that come and go, at once', async (t) => {
    await created(t, 1);
    const program = await startProgram(
      ['--upstream', `swarm:${NAME}:5000`, '--heartbeat-path', '/', '--heartbeat-interval', '500ms'],
      SWARM_ENVIRONMENT,
    );
    t.teardown(() => program.stop());
    const count = (n: number) => async () => (await program.hostnames()).length === n;
    await eventually('one is there', count(1), 300_000);
    await swarm('service', 'scale', '--detach', `${NAME}=2`);
    await eventually('two are there', count(2), 300_000);
    await swarm('service', 'scale', '--detach', `${NAME}=1`);
    await eventually('one is left', count(1), 300_000);
  });
}
