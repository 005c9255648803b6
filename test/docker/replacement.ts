// Containers that end, hang or run out of memory under load, seen from outside of the program.

import type { Test } from 'tap';
import { startLoad } from '../../bench/harness/load.ts';
import { type LogLine, startProgram } from '../../bench/harness/program.ts';
import { containersOf, docker, removeFleet } from '../fixtures/engine.ts';

const FLEET = 'test-replacement';

export async function replacement(t: Test): Promise<void> {
  t.teardown(() => removeFleet(FLEET));
  const args = ['--runtime', 'docker', '--fleet', FLEET, '--docker-volume', 'ringmaster-test:/data'];
  const program = await startProgram(args);
  t.teardown(() => program.stop());
  const lossOf = (hostname: string) =>
    program.logged((line) => line.event === 'replica-lost' && line.hostname === hostname);
  const servingIn = (seat: unknown, after: number) =>
    program.logged(
      (line) => line.event === 'replica-serving' && line.seat === seat && Number(line.incarnation) > after,
    );

  for (const [what, ...command] of [
    ['docker rm -f', 'rm', '--force'],
    ['docker kill', 'kill'],
  ]) {
    t.test(`${what} under load: noticed within 200 ms, replaced within 2 s, no GET lost`, async (t) => {
      const load = startLoad(`${program.url}/home`, 100);
      const victim = (await program.hostnames())[0] as string;
      await docker(...command, victim);
      const doneMs = performance.now();
      const lost = await lossOf(victim);
      t.ok(performance.now() - doneMs < 200, `noticed after ${Math.round(performance.now() - doneMs)} ms`);
      await servingIn(lost.seat, Number(lost.incarnation));
      t.ok(performance.now() - doneMs < 2000, `replaced after ${Math.round(performance.now() - doneMs)} ms`);
      const { failures, sent } = await load.stop();
      t.same(failures, []);
      t.ok(sent > 20);
      const names = await program.hostnames();
      t.equal(names.length, 3);
      t.notOk(names.includes(victim));
    });
  }

  t.test('POST /balancer/kill ends the container, which is found out and replaced', async (t) => {
    const victim = (await program.hostnames())[0] as string;
    const killed = await program.json('/balancer/kill', { method: 'POST', body: JSON.stringify({ hostname: victim }) });
    t.match(killed, { status: 200, body: { message: { killed: victim } } });
    const lost = await lossOf(victim);
    await servingIn(lost.seat, Number(lost.incarnation));
    t.notOk((await containersOf(FLEET)).some((line) => line.startsWith(`${victim} `)));
  });

  t.test('a container that is paused is a hung replica', async (t) => {
    const load = startLoad(`${program.url}/home`, 50);
    const victim = (await program.hostnames())[0] as string;
    await docker('pause', victim);
    t.match(await lossOf(victim), { reason: /no answer to the heartbeat/ });
    const { failures } = await load.stop();
    t.same(failures, []);
  });

  t.test(
    'all starved at once: those that are convicted stay until others serve, and no GET is refused',
    { timeout: 90_000 },
    async (t) => {
      const before = await program.hostnames();
      const told = (event: string, hostname: string) =>
        program.logged((line) => line.event === event && line.hostname === hostname);
      await Promise.all(before.map((hostname) => told('replica-serving', hostname)));
      const load = startLoad(`${program.url}/home`, 50);
      // A warm replica answers even with a hundredth of a processor. These loops leave it almost nothing of that.
      const busy = Array.from({ length: 16 }, () => 'while :; do :; done &').join(' ');
      await Promise.all(before.map((name) => docker('exec', '--detach', name, 'sh', '-c', `${busy} wait`)));
      await docker('update', '--cpus', '0.01', ...before);
      const lost = await Promise.all(before.map(lossOf));
      await Promise.all(lost.map((line) => servingIn(line.seat, Number(line.incarnation))));
      // Ending needs processor time too. A replica that has already ended cannot be updated.
      await docker('update', '--cpus', '1', ...before).catch(() => undefined);
      await Promise.all(before.map((hostname) => told('replica-stopped', hostname)));
      t.same((await load.stop()).failures, []);
      t.equal((await program.hostnames()).length, 3);
      const kept = lossesIn(program.log, before).filter(({ line, othersWell }) => {
        const stays = /it is the last choice until another serves/.test(String(line.reason));
        t.equal(stays, othersWell < 2, `${line.hostname}, with ${othersWell} others that are well`);
        return stays;
      });
      t.ok(kept.length > 0);
      for (const { line } of kept) {
        const next = await servingIn(line.seat, Number(line.incarnation));
        const stopped = await told('replica-stopped', String(line.hostname));
        t.ok(program.log.indexOf(next) < program.log.indexOf(stopped), `${line.hostname} stayed until the next served`);
      }
    },
  );

  t.test('/add and /rm by name are the containers of that name', async (t) => {
    const { body } = await program.json('/add', { method: 'POST', body: '{"n":1,"hostnames":["S5"]}' });
    t.match(body, { message: { N: 4 } });
    t.ok((await containersOf(FLEET)).some((line) => line.startsWith('S5 ')));
    await program.json('/rm', { method: 'DELETE', body: '{"n":1,"hostnames":["S5"]}' });
    t.notOk((await containersOf(FLEET)).some((line) => line.startsWith('S5 ')));
  });

  t.test('a hostname that a foreign container has: 409, and nothing changes', async (t) => {
    const id = await docker('run', '--detach', '--name', 'test_foreign', 'node:26-slim', 'sleep', '600');
    t.teardown(() => docker('rm', '--force', id));
    const before = await program.hostnames();
    const refused = await program.json('/add', { method: 'POST', body: '{"n":2,"hostnames":["S6","test_foreign"]}' });
    t.match(refused, { status: 409, body: { status: 'failure', message: /test_foreign is taken by .* not ours/ } });
    t.same(await program.hostnames(), before);
    t.equal((await containersOf(FLEET)).length, before.length);
  });

  t.test('a container that runs out of memory says so', async (t) => {
    await program.stop();
    const small = [...args, '--replicas', '1', '--replica-memory', '16m', '--start-timeout', '3s'];
    const starved = await startProgram(small);
    t.teardown(() => starved.stop());
    await starved.logged((line) => /out of memory: --replica-memory/.test(String(line.reason)));
  });

  t.test('stopped on purpose, it removes its containers', async (t) => {
    t.same(await containersOf(FLEET), []);
  });
}

/** The last loss of each replica, and how many other seats were held by healthy replicas at that moment. */
function lossesIn(log: readonly LogLine[], hostnames: readonly string[]): { line: LogLine; othersWell: number }[] {
  const well = new Set<unknown>();
  const losses = new Map<unknown, { line: LogLine; othersWell: number }>();
  for (const line of log) {
    const { event, seat, hostname } = line;
    if (event === 'replica-serving' || event === 'replica-cleared') well.add(seat);
    if (event === 'replica-suspected' || event === 'replica-lost') well.delete(seat);
    if (event === 'replica-lost') losses.set(hostname, { line, othersWell: well.size });
  }
  return hostnames.flatMap((hostname) => losses.get(hostname) ?? []);
}
