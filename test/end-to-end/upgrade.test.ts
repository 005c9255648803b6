// Upgrades of the real program: what its clients and its replicas see of it, and what comes of one that fails.

import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { askInside } from '../../bench/harness/chaos/stage.ts';
import { isRunning } from '../../bench/harness/faults.ts';
import { startLastingLoad } from '../../bench/harness/lasting-load.ts';
import { freePort } from '../../bench/harness/ports.ts';
import { type Program, type ProgramStart, startProgram } from '../../bench/harness/program.ts';
import { askOnce, endOfBefore, stopNewest, upgrade } from '../../bench/harness/upgrades.ts';
import { eventually } from '../fixtures/eventually.ts';
import { connectRaw } from '../fixtures/raw-client.ts';

const MAIN = fileURLToPath(new URL('../../lib/main.ts', import.meta.url));
const SERVICE = fileURLToPath(new URL('../../bench/harness/chatty-service.js', import.meta.url));
const skip = process.platform !== 'linux' && 'an upgrade takes Linux';

async function start(t: Test, options: readonly string[], how: ProgramStart = {}): Promise<Program> {
  const args = ['--replicas', '2', '--heartbeat-path', '/', ...options, '--', process.execPath, SERVICE];
  const program = await startProgram(args, {}, how);
  t.teardown(() => stopNewest(program));
  return program;
}

const ASK = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

/** The processes of the replicas that take requests. */
async function replicaPids(program: Program): Promise<string[]> {
  const pids = new Set<string>();
  for (let count = 0; count < 40; count++) {
    const { text } = await askOnce(program, 'GET', '/');
    pids.add(/of process (\d+)/.exec(text)?.[1] ?? text);
  }
  return [...pids].sort();
}

for (const workers of ['1', '2']) {
  t.test(`clients of all kinds lose nothing over upgrades, workers: ${workers}`, { skip }, async (t) => {
    const program = await start(t, ['--grace', '1s', '--replica-output', 'off', '--workers', workers]);
    const [pids, fleet] = [await replicaPids(program), await askOnce(program, 'GET', '/rep')];
    const load = startLastingLoad(program.port, { newPerSecond: 60, kept: 16, streams: 5, sockets: 2 });
    await load.allServed();
    for (let count = 0; count < 2; count++) {
      const { before, replicas } = await upgrade(program);
      t.equal(replicas, 2);
      await load.allServed();
      t.match(await endOfBefore(program, before), { lost: 0, phase: 'ended' });
    }
    const { faults, refused, reset, failed } = await load.stop();
    t.same({ faults, refused, reset, failed }, { faults: [], refused: 0, reset: 0, failed: 0 });
    t.same(await replicaPids(program), pids, 'no replica was started');
    t.same(await askOnce(program, 'GET', '/rep'), fleet);
    t.equal(program.log.filter(({ event }) => event === 'replica-starting').length, 2);
  });
}

t.test('the process before ends its connections in order, each in its own time', { skip }, async (t) => {
  const program = await start(t, ['--grace', '5s']);
  const { port } = program;
  const [kept, silent, half, idle] = await Promise.all(Array.from({ length: 4 }, () => connectRaw(port)));
  if (kept === undefined || silent === undefined || half === undefined || idle === undefined) throw new Error();
  for (const client of [kept, idle]) {
    client.send(ASK);
    await client.until(/of process \d+$/);
  }
  half.send(ASK.slice(0, 10));
  const stream = await new Promise<http.IncomingMessage>((resolve) =>
    http.get({ port, host: '127.0.0.1', path: '/events', agent: false }, resolve),
  );
  let events = 0;
  stream.on('data', () => {
    events += 1;
  });
  const streamEnded = new Promise<boolean>((resolve) => stream.once('close', () => resolve(stream.complete)));
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  await new Promise((resolve) => socket.once('open', resolve));
  const echo = (text: string) =>
    new Promise<string>((resolve) => {
      socket.once('message', (data) => resolve(data.toString()));
      socket.send(text);
    });
  const { before, connections } = await upgrade(program);
  // The one that asked for the upgrade is the seventh.
  t.equal(connections, 7);
  const seen = events;
  for (const [client, text] of [
    [kept, ASK],
    [silent, ASK],
    [half, ASK.slice(10)],
  ] as const)
    client.send(text);
  for (const { closed } of [kept, silent, half]) {
    const { text, reset } = await closed;
    t.match(text, /Connection: close\r\n.*of process \d+$/s);
    t.notOk(reset);
  }
  t.equal(await echo('still there'), 'still there');
  await eventually('events come', () => events > seen);
  const socketEnded = new Promise<number>((resolve) => socket.once('close', resolve));
  t.ok(await streamEnded, 'the stream ends in order when the grace is over');
  t.equal(await socketEnded, 1006);
  t.same(await idle.closed, { text: idle.text, reset: false });
  t.match(await endOfBefore(program, before), { connections: 7, lost: 0, phase: 'ended' });
  t.equal(await program.exited, 0);
});

for (const workers of ['1', '2']) {
  t.test(`a change that comes to the process before is made all the same, workers: ${workers}`, { skip }, async (t) => {
    const program = await start(t, ['--grace', '5s', '--workers', workers]);
    const clients = await Promise.all(Array.from({ length: 3 }, () => connectRaw(program.port)));
    for (const client of clients) {
      client.send('GET /rep HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await client.until(/"successful"}$/);
    }
    const { before } = await upgrade(program);
    const [add, refused, look] = clients;
    const body = '{"n":1,"hostnames":["server7"]}';
    const head = `POST /add HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n`;
    add?.send(`${head}\r\n${body}`);
    t.match(
      (await add?.closed)?.text,
      /\r\n\r\n{"message":{"N":3,"replicas":\["server1","server2","server7"\]}[^{]*}$/,
    );
    refused?.send(`${head}Origin: http://evil.example\r\n\r\n${body}`);
    t.match((await refused?.closed)?.text, /HTTP\/1.1 403 .*a page of another origin/s);
    look?.send('GET /rep HTTP/1.1\r\nHost: localhost\r\n\r\n');
    t.match((await look?.closed)?.text, /server7/);
    t.match(await endOfBefore(program, before), { lost: 0, phase: 'ended' });
    t.same(await program.hostnames(), ['server1', 'server2', 'server7']);
  });
}

t.test('if the process before is killed while it ends, only what it had is lost', { skip }, async (t) => {
  const program = await start(t, ['--grace', '1h']);
  const pids = await replicaPids(program);
  const idle = await connectRaw(program.port);
  idle.send(ASK);
  await idle.until(/of process \d+$/);
  const { before } = await upgrade(program);
  await eventually('it tells of its end', async () => {
    const { text } = await askOnce(program, 'GET', '/balancer/upgraded');
    return JSON.parse(text).message?.left === 1;
  });
  process.kill(before, 'SIGKILL');
  t.match(await endOfBefore(program, before), { lost: 1, phase: 'killed' });
  await idle.closed;
  t.same(await replicaPids(program), pids);
});

t.test('a request that outlasts the grace is lost, and counted', { skip }, async (t) => {
  const program = await start(t, ['--grace', '200ms']);
  const client = await connectRaw(program.port);
  client.send('GET /endless HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.until(/begun/);
  const { before } = await upgrade(program);
  await client.closed;
  t.match(await endOfBefore(program, before), { lost: 1 });
});

t.test('replicas belong to the next process: output, faults, changes, and its own end', { skip }, async (t) => {
  const program = await start(t, ['--grace', '1s', '--replica-output', 'prefix', '--replica-listen', 'socket']);
  const pids = await replicaPids(program);
  for (let count = 0; count < 2; count++) {
    const { before } = await upgrade(program);
    await endOfBefore(program, before);
  }
  const lines = () =>
    program
      .output()
      .split('\n')
      .filter((line) => line.includes(`of ${pids[0]}`));
  const seen = lines().length;
  await eventually('what a replica writes is shown', () => lines().length > seen + 2);
  const numbers = lines().map((line) => Number(/line (\d+) of/.exec(line)?.[1]));
  t.same(
    numbers,
    numbers.map((_, index) => index + 1),
    'no line is missing, and none is broken',
  );

  t.equal((await program.call('POST', '/add', { n: 1, hostnames: ['server9'] })).status, 200);
  process.kill(Number(pids[0]), 'SIGKILL');
  const lost = await program.logged(({ event }) => event === 'replica-lost');
  t.match(lost, { reason: /it ended/ });
  await eventually('another one is there', async () => (await replicaPids(program)).length === 3);
  const after = await replicaPids(program);
  t.notOk(after.includes(pids[0] as string));
  t.ok(after.includes(pids[1] as string));
  t.equal((await program.hostnames()).length, 3);
  const { status } = await program.call('DELETE', '/rm', { n: 1, hostnames: ['server9'] });
  t.equal(status, 200);

  const all = (await replicaPids(program)).map(Number);
  const newest = program.log.findLast(({ event }) => event === 'replaced')?.pid as number;
  const directory = directoryOf(all[0] as number);
  t.ok(existsSync(directory));
  process.kill(newest, 'SIGKILL');
  await eventually('the guardians have ended all replicas', () => !all.some(isRunning));
  await eventually('and removed the directory', () => !existsSync(directory));
});

t.test('an orderly end of the next process ends the replicas, and nothing is left', { skip }, async (t) => {
  const program = await startProgram(['--replicas', '2', '--grace', '1s']);
  const before = program.pid;
  const { pid } = await upgrade(program);
  await endOfBefore(program, before);
  const guardians = childrenOf(pid);
  await stopNewest(program);
  await eventually('all have ended', () => ![pid, ...guardians].some(isRunning));
  t.equal(guardians.length, 2);
});

t.test('a next process that fails, hangs or does not fit costs nothing', { skip }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-upgrade-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const script = join(directory, 'main.ts');
  const write = (text: string) => writeFile(script, text);
  const real = `import ${JSON.stringify(MAIN)};`;
  await write(real);
  const program = await start(t, ['--start-timeout', '2s'], { command: [process.execPath, script] });
  const pids = await replicaPids(program);
  const refusal = async (what: string, status: number, message: RegExp) => {
    const answer = await askOnce(program, 'POST', '/balancer/upgrade');
    t.equal(answer.status, status, what);
    t.match(JSON.parse(answer.text).message, message);
    t.same(await replicaPids(program), pids, what);
  };
  const says = (messages: string) =>
    write(`process.on('message', () => undefined); for (const type of [${messages}]) process.send({ type });`);
  await write('process.exit(3);');
  await refusal('it ends', 503, /the next process ended with exit code 3: this one goes on/);
  await write('throw new Error();');
  await refusal('it throws', 503, /ended with exit code 1/);
  await write('setInterval(() => undefined, 1000);');
  const hanging = refusal('it hangs', 503, /did not begin within 2000 ms: this one goes on/);
  await program.logged(({ event, pid }) => event === 'upgrade-begun' && isRunning(pid as number));
  await refusal('two at a time', 409, /an upgrade is under way/);
  await hanging;
  await says("'loaded', 'ready'");
  await askOnce(program, 'POST', '/balancer/upgrade').then(({ status }) => t.equal(status, 503));
  await write(
    `process.argv.splice(2, 0, '--host', '127.0.0.2');${real.replace('import ', 'await import(').replace(';', ');')}`,
  );
  await refusal('other settings', 503, /cannot take over: --host changes from 127.0.0.1 to 127.0.0.2/);
  await write(`process.argv.splice(2, 0, '--nonsense');${real.replace('import ', 'await import(').replace(';', ');')}`);
  await refusal('wrong options', 503, /cannot take over: unknown option --nonsense/);
  t.equal(program.log.filter(({ event }) => event === 'replica-lost').length, 0);

  // After all that, it still knows its replicas, and can be upgraded.
  await write(real);
  const { before } = await upgrade(program);
  await endOfBefore(program, before);
  t.same(await replicaPids(program), pids);
});

t.test('while the next process hangs, a replica that dies is replaced and changes are made', { skip }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-upgrade-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const script = join(directory, 'main.ts');
  await writeFile(script, `import ${JSON.stringify(MAIN)};`);
  const program = await start(t, ['--start-timeout', '1h'], { command: [process.execPath, script] });
  const pids = await replicaPids(program);
  await writeFile(script, 'setInterval(() => undefined, 1000);');
  const asked = askOnce(program, 'POST', '/balancer/upgrade').catch(() => undefined);
  const { pid } = await program.logged(({ event }) => event === 'upgrade-begun');
  process.kill(Number(pids[0]), 'SIGKILL');
  await eventually('another one is there', async () => {
    const now = await replicaPids(program);
    return now.length === 2 && !now.includes(pids[0] as string);
  });
  t.equal((await program.call('POST', '/add', { n: 1 })).status, 200);
  process.kill(pid as number, 'SIGKILL');
  await asked;
});

t.test('a worker that ends while the next process loads takes that one with it at once', { skip }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-upgrade-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const script = join(directory, 'main.ts');
  await writeFile(script, `import ${JSON.stringify(MAIN)};`);
  const inside = new URL('../../bench/harness/chaos/inside.js', import.meta.url).href;
  const args = ['--replicas', '2', '--workers', '2', '--start-timeout', '1h'];
  const command = [process.execPath, '--import', inside, script];
  const program = await startProgram(args, { CHAOS_DIR: directory }, { command });
  t.teardown(() => program.stop());
  await writeFile(script, 'setInterval(() => undefined, 1000);');
  const asked = askOnce(program, 'POST', '/balancer/upgrade').catch(() => undefined);
  const { pid } = await program.logged(({ event }) => event === 'upgrade-begun');
  await eventually('a worker ends', () =>
    askInside(join(directory, `inside-${program.pid}-1`), 'throw').then(() => true),
  );
  // It holds the listeners of that worker, where nobody would ever be served.
  await eventually('it is ended', () => !isRunning(pid as number));
  await program.logged(({ event }) => event === 'worker-replaced');
  for (let count = 0; count < 40; count++) t.equal((await askOnce(program, 'GET', '/rep')).status, 200);
  await program.stop();
  await asked;
});

t.test('the command says how it went; SIGUSR2 and an admin socket in the file system do too', { skip }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-upgrade-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const path = join(directory, 'admin.sock');
  const program = await start(t, ['--grace', '1s', '--admin-socket', path]);
  const run = (...args: string[]) => promisify(execFile)(process.execPath, [MAIN, 'upgrade', ...args]);
  const { stdout } = await run('--admin-socket', path);
  t.match(stdout, /^process \d+ has taken over from \d+: 2 replicas, 32 sockets\n/);
  t.match(stdout, /process \d+ has ended: (\d+) of \1 connections? in order, lost: 0\n$/);
  const first = program.log.findLast(({ event }) => event === 'replaced')?.pid as number;
  process.kill(first, 'SIGUSR2');
  t.match(await endOfBefore(program, first), { lost: 0, phase: 'ended' });
  t.ok(existsSync(path), 'the socket is still there');
  const again = await run('--admin-socket', path);
  t.match(again.stdout, /lost: 0\n$/);
  await t.rejects(run('--port', String(program.port)), { code: 1, stderr: /no ringmaster that can be upgraded/ });
  await t.rejects(run('--port', '9'), { code: 1, stderr: /no balancer answers at 127.0.0.1:9 .*--admin-socket/ });
  const newest = program.log.findLast(({ event }) => event === 'replaced')?.pid as number;
  await stopNewest(program);
  await eventually('it has ended', () => !isRunning(newest));
  t.notOk(existsSync(path), 'and is removed in the end');
});

t.test('the admin port and the token that was drawn stay', { skip }, async (t) => {
  const adminPort = await freePort();
  const program = await start(t, ['--grace', '1s', '--admin-port', String(adminPort), '--admin', 'token']);
  const [, token = ''] = /admin token\W+([\w-]{32})/.exec(program.output()) ?? [];
  const admin = (method: string, path: string, headers: Record<string, string>, body?: string) =>
    fetch(`http://127.0.0.1:${adminPort}${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
  t.equal((await admin('POST', '/balancer/upgrade', {})).status, 401);
  const args = ['upgrade', '--admin-port', String(adminPort), '--admin-token', token];
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...args]);
  t.match(stdout, /lost: 0\n$/);
  t.equal((await admin('POST', '/add', {}, '{"n":1}')).status, 401);
  const added = await admin('POST', '/add', { Authorization: `Bearer ${token}` }, '{"n":1,"weights":[3]}');
  t.equal(added.status, 200);
  // The next one is told of a weight too.
  const again = await promisify(execFile)(process.execPath, [MAIN, ...args]);
  t.match(again.stdout, /3 replicas.*lost: 0\n$/s);
  const ring = (await (await admin('GET', '/balancer/ring', {})).json()) as { points: { seat: number }[] };
  const { points } = ring;
  t.ok(points.filter(({ seat }) => seat === 3).length > points.filter(({ seat }) => seat === 1).length);
});

t.test('no process that it starts inherits its sockets, and its environment tells nothing', { skip }, async (t) => {
  const program = await start(t, ['--grace', '1s']);
  const { pid, before } = await upgrade(program);
  await endOfBefore(program, before);
  const [inode = ''] = listeningInodes(program.port);
  t.ok(socketsOf(pid).includes(inode));
  await program.call('POST', '/add', { n: 1 });
  for (const child of childrenOf(pid)) {
    t.notOk(socketsOf(child).includes(inode), `${child} has no socket of the balancer`);
    t.notMatch(readFileSync(`/proc/${child}/environ`, 'utf8'), /RINGMASTER_UPGRADE|NODE_CHANNEL/);
  }
});

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number),
  );
}

function linksOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

function socketsOf(pid: number): string[] {
  return linksOf(pid).map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? '');
}

// Of sockets that listen at that port of 127.0.0.1.
function listeningInodes(port: number): string[] {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1] === local && fields[3] === '0A')
    .map((fields) => fields[9] as string);
}

// Where a replica's socket is.
function directoryOf(pid: number): string {
  const [, path = ''] = /\0PORT=([^\0]+)/.exec(readFileSync(`/proc/${pid}/environ`, 'utf8')) ?? [];
  return dirname(path);
}

t.test('a replica that is removed after an upgrade finishes what the process before has there', { skip }, async (t) => {
  const service = fileURLToPath(new URL('../../bench/harness/bounded-service.js', import.meta.url));
  const args = ['--replicas', '1', '--grace', '30s', '--', process.execPath, service];
  const program = await startProgram(args, { SERVICE_MS: '4000' });
  t.teardown(() => stopNewest(program));
  const asked = askOnce(program, 'POST', '/');
  const inFlight = /^ringmaster_requests_in_flight\S* 1$/m;
  const metrics = () => askOnce(program, 'GET', '/balancer/metrics');
  await eventually('the replica has the request', async () => inFlight.test((await metrics()).text));
  await upgrade(program);
  t.equal((await askOnce(program, 'DELETE', '/rm', '{"n": 1}')).status, 200);
  t.match(await asked, { status: 200, text: /^Hello from Server/ });
});
