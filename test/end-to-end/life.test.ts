// How the program begins and ends.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { WebSocket } from 'ws';
import { isRunning, replicaPid } from '../../bench/harness/faults.ts';
import { startProgram } from '../../bench/harness/program.ts';
import { eventually } from '../fixtures/eventually.ts';
import { connectRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';
import { socketService } from '../fixtures/sockets.ts';

const MAIN = fileURLToPath(new URL('../../lib/main.ts', import.meta.url));

async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, [MAIN, ...args])) };
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string };
  }
}

t.test('a wrong option: exit code 2 and one line that names it, its bounds and what was given', async (t) => {
  t.match(await run('--port', '70000'), {
    code: 2,
    stdout: '',
    stderr: 'ringmaster: --port takes a whole number from 0 to 65535, not "70000"\n',
  });
  t.match(await run('--colour', 'red'), {
    code: 2,
    stderr: 'ringmaster: unknown option --colour; --help lists them\n',
  });
  t.match(await run('--trust-proxy', 'loopback,10.0.0.0/33'), {
    code: 2,
    stderr: /^ringmaster: --trust-proxy takes addresses, networks .*, not "loopback,10.0.0.0\/33"\n$/,
  });
});

t.test('--help and --version answer and exit with 0', async (t) => {
  t.match(await run('--help'), { code: 0, stdout: /--heartbeat-interval TIME\n.*\s+.*500ms/ });
  t.equal((await run('-h')).stdout, (await run('--help')).stdout);
  t.match(await run('--version'), { code: 0, stdout: /^\d+\.\d+\.\d+\n$/ });
});

t.test('a port in use: exit code 1, one clear line, and no replica left', async (t) => {
  const other = await scriptedReplica(() => undefined);
  t.teardown(() => other.close());
  const { code, stderr } = await run('--port', String(other.port));
  t.equal(code, 1);
  t.equal(
    stderr,
    `ringmaster: port ${other.port} on 127.0.0.1 is in use: end what uses it, or choose another with --port\n`,
  );
  t.match(await run('--port', '0', '--admin-port', String(other.port)), {
    code: 1,
    stderr: `ringmaster: port ${other.port} on 127.0.0.1 is in use: end what uses it, or choose another with --admin-port\n`,
  });
  t.match(await run('--port', '0', '--admin-port', '6000', '--admin-host', '192.0.2.1'), {
    code: 1,
    stderr: /^ringmaster: --admin-port and --admin-host cannot be listened on: .*EADDRNOTAVAIL.*\n$/,
  });
});

t.test('a hash of one’s own is used, or refused with the reason', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-hash-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const good = join(directory, 'mine.ts');
  await writeFile(
    good,
    'export const requestSlot = (key: number): number => 0;\nexport const virtualNodeSlot = (seat: number): number => 100 * seat;\n',
  );
  const program = await startProgram(['--hash', good]);
  t.teardown(() => program.stop());
  for (let count = 0; count < 5; count++) t.match((await program.json('/home')).body, { message: /server1$/ });
  const bad = join(directory, 'bad.mjs');
  await writeFile(bad, 'export const requestSlot = () => "far";\nexport const virtualNodeSlot = (seat) => seat;\n');
  t.match(await run('--hash', bad), {
    code: 2,
    stderr: /bad.mjs is not a hash pair: requestSlot\(100000, 512\) returned far/,
  });
  t.match(await run('--hash', './nowhere.ts'), { code: 2, stderr: /--hash .\/nowhere.ts cannot be loaded/ });
});

t.test('SIGTERM: open requests finish, replicas are stopped, exit code 0', async (t) => {
  const program = await startProgram([], { REPLICA_DELAY_MS: '500' });
  const pids = await Promise.all(['server1', 'server2', 'server3'].map((name) => replicaPid(program, name)));
  const idle = await connectRaw(program.port);
  const open = program.json('/home');
  // Once these are answered, the request before them has arrived too.
  for (let count = 0; count < 3; count++) await program.json('/rep');
  program.process.kill('SIGTERM');
  await program.logged((line) => line.event === 'closing');
  await t.rejects(fetch(`${program.url}/home`), 'no new connection');
  t.equal((await open).status, 200);
  t.equal(await program.exited, 0);
  await idle.closed;
  for (const pid of pids) t.notOk(isRunning(pid));
});

t.test('requests that outlast the grace are cut', async (t) => {
  const program = await startProgram(['--grace', '300ms'], { REPLICA_HANG_AFTER: '8', REPLICA_ONLY: 'server1' });
  const stuck = Array.from({ length: 40 }, () => fetch(`${program.url}/home`).catch((error) => error));
  for (let count = 0; count < 3; count++) await program.json('/rep');
  program.process.kill('SIGTERM');
  // Anything that hangs would delay the exit for ever.
  t.equal(await program.exited, 0);
  await Promise.all(stuck);
});

t.test('SIGTERM with a WebSocket open: it works until the grace is over, and is closed then', async (t) => {
  const service = await socketService();
  t.teardown(() => service.close());
  const program = await startProgram([
    '--upstream',
    `127.0.0.1:${service.port}`,
    '--heartbeat-path',
    'off',
    '--grace',
    '1s',
  ]);
  const socket = new WebSocket(`ws://127.0.0.1:${program.port}/`);
  await once(socket, 'open');
  program.process.kill('SIGTERM');
  await program.logged((line) => line.event === 'closing');
  socket.send('one more');
  t.equal(String((await once(socket, 'message'))[0]), 'one more');
  await once(socket, 'close');
  t.equal(await program.exited, 0);
});

t.test('a second signal exits at once', async (t) => {
  const program = await startProgram([], { REPLICA_DELAY_MS: '60000' });
  const open = fetch(`${program.url}/home`).catch(() => undefined);
  for (let count = 0; count < 3; count++) await program.json('/rep');
  program.process.kill('SIGINT');
  await program.logged((line) => line.event === 'closing');
  // Signals at once count as one, since a terminal and npm both send them. The program's clock decides, so this waits.
  await sleep(300);
  program.process.kill('SIGINT');
  // An orderly end has another exit code.
  t.equal(await program.exited, 130);
  await open;
});

t.test('kill -9 of the balancer: its replicas do not outlive it', async (t) => {
  const program = await startProgram();
  const pids = await Promise.all(['server1', 'server2', 'server3'].map((name) => replicaPid(program, name)));
  const [, socket = ''] = /LISTEN=unix:([^\0]+)/.exec(readFileSync(`/proc/${pids[0]}/environ`, 'utf8')) ?? [];
  t.ok(existsSync(dirname(socket)));
  process.kill(pids[1] ?? 0, 'SIGSTOP');
  program.process.kill('SIGKILL');
  await program.exited;
  await eventually('all are gone', () => !pids.some(isRunning) && !existsSync(dirname(socket)));
});

t.test('whoever read the log has gone: it goes on, quietly, and ends when it is told to', async (t) => {
  const program = await startProgram(['--replicas', '1']);
  program.process.stderr?.destroy();
  await program.json('/rm', { method: 'DELETE', body: '{"n":1}' });
  await fetch(`${program.url}/home`);
  const pid = program.process.pid as number;
  const ticks = () => Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[13]);
  const before = ticks();
  // Processor time can only be counted while time passes.
  await sleep(1000);
  t.ok(ticks() - before < 30, `${ticks() - before} ticks of CPU in a second of nothing`);
  program.process.kill('SIGTERM');
  t.equal(await program.exited, 0);
});

t.test('SIGTERM while a change is made: it is answered, and no kept connection holds up the end', async (t) => {
  const program = await startProgram(['--replicas', '1', '--grace', '1h'], { REPLICA_START_DELAY_MS: '500' });
  const client = await connectRaw(program.port);
  client.send('POST /add HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n{"n":1}');
  await program.logged((line) => line.event === 'replica-starting' && line.hostname !== 'server1');
  program.process.kill('SIGTERM');
  await client.until(/^HTTP\/1.1 /);
  t.equal(await program.exited, 0);
});

t.test('a fleet that is empty from the start says so', async (t) => {
  const program = await startProgram(['--replicas', '0']);
  t.teardown(() => program.stop());
  const body = { message: '<Error> no replica: there is none in this fleet', status: 'failure' };
  t.match(
    [await program.json('/home'), await program.json('/balancer/ready')],
    [
      { status: 503, body },
      { status: 503, body },
    ],
  );
});

t.test('SIGTERM while an /add waits for what does not come up: it is told so, and is not waited for', async (t) => {
  const hangs = { REPLICA_ONLY: 'S9', REPLICA_START_DELAY_MS: '3600000' };
  const program = await startProgram(['--replicas', '1', '--grace', '1h'], hangs);
  const adding = program.json('/add', { method: 'POST', body: '{"n":1,"hostnames":["S9"]}' });
  await program.logged((line) => line.event === 'replica-starting' && line.hostname === 'S9');
  const behind = program.json('/add', { method: 'POST', body: '{"n":1,"hostnames":["S8"]}' });
  await program.json('/rep');
  program.process.kill('SIGTERM');
  const body = { status: 'failure', message: /^<Error> the balancer is shutting down/ };
  t.match(await Promise.all([adding, behind]), [
    { status: 503, body },
    { status: 503, body },
  ]);
  t.equal(await program.exited, 0);
});

t.test('a signal during the start ends it in order', async (t) => {
  const child = spawn(process.execPath, [MAIN, '--port', '0'], {
    env: { ...process.env, REPLICA_START_DELAY_MS: '3000' },
    stdio: 'pipe',
  });
  let log = '';
  while (!log.includes('replica-starting')) log += String(await once(child.stderr, 'data'));
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  t.equal(code, 0);
});

t.test('--upstream: services of others are balanced, watched, and never started or replaced', async (t) => {
  const play = (name: string) => scriptedReplica((socket) => socket.write(reply(`{"by":"${name}"}`)));
  const one = await play('one');
  const two = await play('two');
  const program = await startProgram(['--upstream', `${one.upstream},${two.upstream}`, '--heartbeat-interval', '50ms']);
  t.teardown(() => Promise.all([program.stop(), one.close()]));
  t.same(await program.hostnames(), [one.upstream, two.upstream]);
  const seen = new Set<string>();
  for (let count = 0; count < 30; count++) seen.add(JSON.stringify((await program.json('/x')).body));
  t.equal(seen.size, 2);
  t.match(await program.json('/add', { method: 'POST', body: '{"n":1}' }), {
    status: 400,
    body: { message: /--upstream/ },
  });
  await two.close();
  await program.logged((line) => line.event === 'replica-lost');
  for (let count = 0; count < 10; count++) t.same((await program.json('/x')).body, { by: 'one' });
  t.same(await program.hostnames(), [one.upstream, two.upstream], 'it keeps its place and its name');
});

t.test('--upstream with a service that is not there yet: it listens all the same, and soon', async (t) => {
  const one = await scriptedReplica((socket) => socket.write(reply('{}')));
  const begunMs = performance.now();
  const program = await startProgram(['--upstream', `${one.upstream},127.0.0.1:9`, '--start-timeout', '1h']);
  t.teardown(() => Promise.all([program.stop(), one.close()]));
  t.ok(performance.now() - begunMs < 60_000, `${Math.round(performance.now() - begunMs)} ms`);
  for (let count = 0; count < 5; count++) t.equal((await program.json('/x')).status, 200);
});

t.test('no process that it starts is given what is set for the balancer, the admin token first of all', async (t) => {
  const program = await startProgram([], { RINGMASTER_ADMIN_TOKEN: 'hush4711', RINGMASTER_GRACE: '2s' });
  t.teardown(() => program.stop());
  const children = readdirSync(`/proc/${program.process.pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${program.process.pid}/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean),
  );
  t.equal(children.length, 5, 'three replicas and two guardians');
  for (const pid of children) t.notMatch(readFileSync(`/proc/${pid}/environ`, 'utf8'), /RINGMASTER_(?!SEAT)|hush4711/);
});

t.test('a program that a test has started ends with that test, even one that is killed', async (t) => {
  const fixture = new URL('../../bench/harness/program.ts', import.meta.url).href;
  const hangs = `const { process: child } = await (await import('${fixture}')).startProgram(['--replicas', '1']);
    console.log(child.pid); setInterval(() => undefined, 1000);`;
  const test = spawn(process.execPath, ['--input-type=module', '--eval', hangs], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = Number((await once(test.stdout, 'data'))[0]);
  t.ok(isRunning(pid));
  test.kill('SIGKILL');
  await eventually('it is gone', () => !isRunning(pid));
});
