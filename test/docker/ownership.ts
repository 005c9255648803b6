// Which balancer a fleet, a name and a container belong to.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { containersOf, docker, removeFleet } from '../fixtures/engine.ts';

const FLEET = 'test-owner';
const OTHER = 'test-owner-2';
const MAIN = fileURLToPath(new URL('../../lib/main.ts', import.meta.url));
const argsOf = (fleet: string) => ['--runtime', 'docker', '--fleet', fleet, '--docker-volume', 'ringmaster-test:/data'];

function failedStart(): Promise<{ code: number; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...argsOf(FLEET), '--port', '0', '--log', 'off'], (error, _stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stderr }),
    );
  });
}

async function kill(program: Program): Promise<void> {
  program.process.kill('SIGKILL');
  await program.exited;
}

const isRunning = (name: string) => docker('inspect', '--format', '{{.State.Running}}', name);
const added = (program: Program, hostname: string) =>
  program.json('/add', { method: 'POST', body: JSON.stringify({ n: 1, hostnames: [hostname] }) });

export async function ownership(t: Test): Promise<void> {
  t.teardown(() => Promise.all([removeFleet(FLEET), removeFleet(OTHER)]));
  const first = await startProgram(argsOf(FLEET));
  const names = await first.hostnames();

  await t.test(
    'a fleet that another balancer holds is refused: one clear line, exit code 1, nothing touched',
    async (t) => {
      const before = await containersOf(FLEET);
      const { code, stderr } = await failedStart();
      t.equal(code, 1);
      t.match(stderr, /^ringmaster: the fleet test-owner is held by another balancer that runs: .*--fleet\n$/);
      t.same(await containersOf(FLEET), before);
      t.same(await first.hostnames(), names);
    },
  );

  await t.test(
    'a second fleet begins under other names where the first are taken, and is told whose they are',
    async (t) => {
      const second = await startProgram(argsOf(OTHER));
      t.teardown(() => second.stop());
      const others = await second.hostnames();
      t.ok(
        others.every((name) => /^server_\w+$/.test(name)),
        others.join(),
      );
      const lost = second.log.filter((line) => line.event === 'replica-lost');
      t.match(lost[0], { reason: /server\d is taken by \w+, which belongs to the fleet test-owner: choose another/ });
      const refused = await added(second, 'server1');
      t.match(refused, {
        status: 409,
        body: { message: /belongs to the fleet test-owner: choose another name; nothing/ },
      });
      t.match(await added(second, 'X'), { status: 409, body: { message: /Docker refuses it: .*X/ } });
      t.same(await first.hostnames(), names);
    },
  );

  await t.test('a container of ours that somebody renames is left alone, and its seat gets another', async (t) => {
    await docker('rename', 'server2', 'owner_kept');
    t.teardown(() => docker('rm', '--force', 'owner_kept'));
    await first.logged((line) => line.event === 'replica-lost' && line.hostname === 'server2');
    await first.logged((line) => line.event === 'replica-serving' && line.seat === 2 && line.hostname !== 'server2');
    t.match(await first.logged((line) => line.event === 'container-ignored'), { level: 'warn', name: 'owner_kept' });
    t.equal(await isRunning('owner_kept'), 'true');
    const { code } = await failedStart();
    t.equal(code, 1);
    await kill(first);
    const next = await startProgram([...argsOf(FLEET), '--replica-memory', '200m', '--max-replicas', '3']);
    t.equal((await next.hostnames()).length, 3);
    t.match(await next.logged((line) => line.event === 'adopted-with-other-settings'), {
      level: 'warn',
      has: { memoryBytes: 256 * 2 ** 20 },
      wanted: { memoryBytes: 200 * 2 ** 20 },
    });
    t.match(await added(next, 'more'), { status: 400, body: { message: /nothing can be added now: there are 3/ } });
    await kill(next);
    t.equal(await isRunning('owner_kept'), 'true');
  });

  await t.test(
    'labels that no balancer writes are ignored with a word; after a reboot all are there by name',
    async (t) => {
      const labels = ['places=1', `incarnation=${Number.MAX_SAFE_INTEGER}`, `fleet=${FLEET}`];
      const flags = labels.flatMap((label) => ['--label', `ringmaster.${label}`]);
      await docker('run', '--detach', '--name', 'owner_hostile', ...flags, 'node:26-slim', 'sleep', '600');
      t.teardown(() => docker('rm', '--force', 'owner_hostile'));
      const withPort = ['places=2', 'incarnation=7', `fleet=${FLEET}`, 'port=70000'];
      const more = withPort.flatMap((label) => ['--label', `ringmaster.${label}`]);
      await docker('run', '--detach', '--name', 'owner_port', ...more, 'node:26-slim', 'sleep', '600');
      t.teardown(() => docker('rm', '--force', 'owner_port'));
      const before = (await containersOf(FLEET)).map((line) => line.split(' ')[0] as string);
      const ours = before.filter((name) => !name.startsWith('owner_'));
      await docker('kill', ...ours);
      const again = await startProgram([...argsOf(FLEET), '--replicas', '2']);
      t.teardown(() => again.stop());
      t.same((await again.hostnames()).toSorted(), ours.toSorted());
      await again.logged((line) => line.event === 'container-ignored' && line.name === 'owner_hostile');
      await again.logged((line) => line.event === 'container-ignored' && line.name === 'owner_port');
      for (const name of ['owner_hostile', 'owner_port']) t.equal(await isRunning(name), 'true', name);
    },
  );

  t.test('of two that are started at once, one holds the fleet', async (t) => {
    const started = await Promise.allSettled([startProgram(argsOf(FLEET)), startProgram(argsOf(FLEET))]);
    const programs = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    t.teardown(() => Promise.all(programs.map((program) => program.stop())));
    t.equal(programs.length, 1);
    t.equal((await containersOf(FLEET)).length, 3);
  });
}
