// Replicas that die and hang while requests come in, which is what the fleet is for.

import t from 'tap';
import { isRunning, replicaPid } from '../../bench/harness/faults.ts';
import { startLoad } from '../../bench/harness/load.ts';
import { startProgram } from '../../bench/harness/program.ts';

t.test(
  'kill -9 of a replica under 200 requests per second costs no GET; its exit is noticed, and there are three again',
  async (t) => {
    const program = await startProgram();
    t.teardown(() => program.stop());
    const requests = startLoad(`${program.url}/home`, 200);
    await requests.more(100);
    for (const victim of ['server2', 'server1']) {
      process.kill(await replicaPid(program, victim), 'SIGKILL');
      const lost = await program.logged((line) => line.event === 'replica-lost' && line.hostname === victim);
      t.equal(lost.reason, 'killed by SIGKILL', 'its exit told it, not its heartbeats');
      await program.logged(
        (line) => line.event === 'replica-serving' && line.seat === lost.seat && Number(line.incarnation) > 3,
      );
      const names = await program.hostnames();
      t.equal(names.length, 3);
      t.notOk(names.includes(victim));
      t.match(names.at(-1), /^server_[a-z0-9]+$/);
    }
    const serving = program.log.filter((line) => line.event === 'replica-serving');
    t.equal(serving.length, 5, 'and no other was taken for lost');
    await requests.more(100);
    const { failures } = await requests.stop();
    t.same(failures, []);
  },
);

t.test('a hung replica is out after three heartbeats, and no GET is lost to it', async (t) => {
  const program = await startProgram();
  t.teardown(() => program.stop());
  const pid = await replicaPid(program, 'server3');
  const requests = startLoad(`${program.url}/home`, 50);
  await requests.more(15);
  process.kill(pid, 'SIGSTOP');
  const lost = await program.logged((line) => line.event === 'replica-lost');
  t.match(lost, { level: 'warn', hostname: 'server3', reason: /no answer to the heartbeat within 500 ms/ });
  await program.logged((line) => line.event === 'replica-stopped' && line.hostname === 'server3');
  t.notOk(isRunning(pid), 'it was ended');
  const { failures } = await requests.stop();
  t.same(failures, []);
  t.equal((await program.hostnames()).length, 3);
});

t.test('the keys of a replica come back to its seat when its replacement serves', async (t) => {
  const program = await startProgram(['--key', 'header:x-user']);
  t.teardown(() => program.stop());
  const ask = async (user: string) => {
    const response = await fetch(`${program.url}/home`, { headers: { 'x-user': user } });
    return /Server: (\w+)/.exec(await response.text())?.[1] ?? '';
  };
  const users = Array.from({ length: 60 }, (_, index) => `user${index}`);
  const before = new Map<string, string>();
  for (const user of users) before.set(user, await ask(user));
  t.equal(new Set(before.values()).size, 3);
  process.kill(await replicaPid(program, 'server2'), 'SIGKILL');
  const lost = await program.logged((line) => line.event === 'replica-lost');
  const replacement = await program.logged(
    (line) => line.event === 'replica-serving' && line.seat === lost.seat && line.hostname !== lost.hostname,
  );
  for (const user of users) {
    const expected = before.get(user) === 'server2' ? replacement.hostname : before.get(user);
    if ((await ask(user)) !== expected) t.fail(`${user} moved`);
  }
  t.equal(program.log.filter((line) => line.event === 'ring-changed').length, 1, 'the ring did not change');
});

t.test('a replica that crashes in the middle of a request costs no GET', async (t) => {
  const program = await startProgram([], { REPLICA_ONLY: 'server1', REPLICA_CRASH_AFTER: '3' });
  t.teardown(() => program.stop());
  for (let count = 0; count < 60; count++) t.equal((await program.json('/home')).status, 200);
  t.ok(program.log.some((line) => line.event === 'replica-lost' && line.hostname === 'server1'));
});

t.test('a removed replica finishes the requests that it has', async (t) => {
  const program = await startProgram([], { REPLICA_DELAY_MS: '400' });
  t.teardown(() => program.stop());
  const open = Array.from({ length: 12 }, () => program.json('/home'));
  // Once these are answered, all requests before them have arrived too.
  for (let count = 0; count < 3; count++) await program.json('/rep');
  const removed = await program.json('/rm', { method: 'DELETE', body: '{"n":3}' });
  t.same(removed.body, { message: { N: 0, replicas: [] }, status: 'successful' });
  for (const answer of await Promise.all(open)) t.equal(answer.status, 200);
});
