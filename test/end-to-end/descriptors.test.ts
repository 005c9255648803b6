// Running out of file descriptors, by clients that only wait or by a lowered limit, must cost the fleet nothing.

import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import net, { type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { replicaPid } from '../../bench/harness/faults.ts';
import { freePort } from '../../bench/harness/ports.ts';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { askOnce, stopNewest, upgrade } from '../../bench/harness/upgrades.ts';

interface Idler {
  readonly socket: Socket;
  text: string;
}

const REFUSAL = /^HTTP\/1\.1 503 .*there are \d+ connections already/s;

async function startLimited(t: Test, descriptors: number, options: readonly string[] = []) {
  const adminPort = await freePort();
  const program = await startProgram(['--admin-port', String(adminPort), ...options], {}, { descriptors });
  t.teardown(() => program.stop());
  const admin = async (method: string, path: string, body?: unknown) => {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
    const response = await fetch(`http://127.0.0.1:${adminPort}${path}`, init);
    return { status: response.status, body: await response.json() };
  };
  return { program, admin };
}

/** Opens `count` connections. Resolves when all are open and all but `most` were told that there are too many. */
async function idle(t: Test, program: Program, count: number, most: number): Promise<Idler[]> {
  const idlers: Idler[] = [];
  t.teardown(() => {
    for (const { socket } of idlers) socket.destroy();
  });
  const told = () => idlers.filter((one) => one.text !== '').length;
  await new Promise<void>((resolve, reject) => {
    for (let number = 0; number < count; number++) {
      const idler = connect(program);
      idlers.push(idler);
      idler.socket.on('error', reject);
      idler.socket.on('data', () => told() === count - most && resolve());
    }
  });
  return idlers;
}

function connect({ port }: Program): Idler {
  const idler: Idler = { socket: net.connect(port, '127.0.0.1'), text: '' };
  idler.socket.on('data', (bytes) => {
    idler.text += bytes;
  });
  return idler;
}

async function get(idler: Idler): Promise<string> {
  idler.text = '';
  idler.socket.write('GET /home HTTP/1.1\r\nHost: x\r\n\r\n');
  while (!/\}$/.test(idler.text)) await new Promise((resolve) => idler.socket.once('data', resolve));
  return idler.text;
}

const pids = (program: Program, names: readonly string[]) =>
  Promise.all(names.map((name) => replicaPid(program, name)));

for (const [descriptors, clients] of [
  [256, 456],
  [1024, 1124],
] as const) {
  t.test(`${clients} idle clients of a process with ${descriptors} descriptors cost no replica`, async (t) => {
    const { program, admin } = await startLimited(t, descriptors);
    const { possible } = await program.logged((line) => line.event === 'max-connections-lowered');
    const before = await pids(program, ['server1', 'server2']);
    const idlers = await idle(t, program, clients, possible as number);
    const refused = idlers.filter((one) => one.text !== '');
    for (const { text } of refused) if (!REFUSAL.test(text)) t.fail(text);

    const admitted = idlers.filter((one) => !refused.includes(one));
    for (const answer of await Promise.all(admitted.map(get))) if (!/200 OK/.test(answer)) t.fail(answer);

    // Heartbeats go on, and replicas can be started.
    process.kill(await replicaPid(program, 'server3'), 'SIGSTOP');
    const lost = await program.logged((line) => line.event === 'replica-lost');
    t.match(lost, { hostname: 'server3', reason: /no answer to the heartbeat/ });
    await program.logged((line) => line.event === 'replica-serving' && line.seat === 3 && line.hostname !== 'server3');
    t.match(await admin('POST', '/add', { n: 1, hostnames: ['S4'] }), { status: 200, body: { message: { N: 4 } } });
    t.same(await pids(program, ['server1', 'server2']), before);
    const blamed = program.log.filter(({ event }) => event === 'replica-lost' || event === 'replica-suspected');
    t.ok(blamed.every((line) => line.hostname === 'server3'));
    t.match(await get(admitted[0] as Idler), /200 OK/);
  });
}

t.test('the largest number of clients at work leaves descriptors for the rest', async (t) => {
  const { program } = await startLimited(t, 256);
  const { possible } = await program.logged((line) => line.event === 'max-connections-lowered');
  const idlers = await idle(t, program, (possible as number) + 40, possible as number);
  const admitted = idlers.filter((one) => one.text === '');
  for (let round = 0; round < 10; round++) {
    for (const answer of await Promise.all(admitted.map(get))) if (!/200 OK/.test(answer)) t.fail(answer);
  }
  const open = readdirSync(`/proc/${program.process.pid}/fd`).length;
  t.ok(open <= 256 - 64, `${open} descriptors`);
  t.same(
    program.log.filter((line) => line.event === 'replica-suspected'),
    [],
  );
});

t.test('the start says which maximum cannot be had, and what to do', async (t) => {
  // Each worker more needs some of its own.
  const { program } = await startLimited(t, 1024, ['--workers', '1']);
  t.match(await program.logged((line) => line.event === 'max-connections-lowered'), {
    level: 'warn',
    wanted: 10_000,
    reason: /^this process may have 1024 open files, .* allow 25584 \(ulimit -n\), or set --max-connections to \d+$/,
  });
  const modest = await startProgram(['--max-connections', '50'], {}, { descriptors: 1024 });
  await modest.stop();
  t.notOk(modest.log.some((line) => line.event === 'max-connections-lowered'));
});

t.test(
  'without a descriptor left no replica is suspected; one that ends is started as soon as there is one',
  async (t) => {
    const program = await startProgram(['--heartbeat-interval', '50ms']);
    t.teardown(() => program.stop());
    const { pid } = program.process;
    const limitTo = (soft: number) => execFileSync('prlimit', [`--nofile=${soft}:`, '--pid', String(pid)]);
    const before = await pids(program, ['server1', 'server2']);
    const kept = connect(program);
    t.teardown(() => kept.socket.destroy());
    await get(kept);
    await program.logged((line) => line.event === 'listening');

    limitTo(3);
    await program.logged((line) => line.event === 'heartbeat-impossible');
    const answer = await get(kept);
    // The answer comes over a connection that was kept, or it is the error.
    t.match(answer, /200 OK|503 Service Unavailable.*this process has no file descriptor left \(EMFILE\)/s);
    process.kill(await replicaPid(program, 'server3'), 'SIGKILL');
    const failed = (line: { event: string }) =>
      line.event === 'replica-lost' && 'reason' in line && /EMFILE/.test(String(line.reason));
    t.match(await program.logged(failed), {
      reason: 'it could not be started: this process has no file descriptor left (EMFILE)',
    });

    limitTo(1000);
    await program.logged((line) => line.event === 'replica-serving' && line.seat === 3 && line.hostname !== 'server3');
    t.match(await get(kept), /200 OK/);
    t.same(await pids(program, ['server1', 'server2']), before);
    const blamed = program.log.filter(({ event }) => event === 'replica-lost' || event === 'replica-suspected');
    t.ok(blamed.every((line) => line.seat === 3));
    t.same(
      program.log.filter((line) => line.event === 'uncaught'),
      [],
    );
  },
);

t.test('without a descriptor left no replica that was taken over in an upgrade counts as ended', async (t) => {
  const program = await startProgram(['--replicas', '2']);
  t.teardown(() => stopNewest(program));
  const { pid } = await upgrade(program);
  const limitTo = (soft: number) => execFileSync('prlimit', [`--nofile=${soft}:`, '--pid', String(pid)]);
  limitTo(3);
  await program.logged(({ event }) => event === 'heartbeat-impossible');
  // It looks once a second whether they still run, and tells nobody.
  await sleep(2500);
  limitTo(1000);
  t.equal((await askOnce(program, 'GET', '/home')).status, 200);
  t.same(
    program.log.filter(({ event }) => event === 'replica-lost'),
    [],
  );
});
