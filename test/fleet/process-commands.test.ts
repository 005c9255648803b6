// Commands that know nothing of us, as replicas: where they listen, what they are given, and what becomes of all that
// they start.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { isRunning } from '../../bench/harness/faults.ts';
import type { Address, ReplicaRef, RuntimeNews } from '../../lib/core/ports.ts';
import { createProcessRuntime, type ProcessRuntimeOptions } from '../../lib/fleet/runtimes/processes.ts';
import { createReplicaOutput } from '../../lib/fleet/runtimes/replica-output.ts';
import { eventually } from '../fixtures/eventually.ts';
import { sampleService } from '../fixtures/sample-runtime.ts';

const replica = (incarnation: number): ReplicaRef => ({ seat: 7, incarnation, hostname: `r${incarnation}` });
const soon = () => AbortSignal.timeout(60_000);

// Tells what it was given.
const TELLS = `require('http').createServer((request, response) => response.end(JSON.stringify({
  argv: process.argv.slice(1), cwd: process.cwd(), pid: process.pid, env: process.env,
}))).listen(process.env.PORT, process.env.LISTENS_ON)`;

async function begun(t: Test, options: Partial<ProcessRuntimeOptions> & Pick<ProcessRuntimeOptions, 'command'>) {
  const runtime = createProcessRuntime({ ...sampleService, variables: new Map(), listens: 'port', ...options });
  await runtime.begin();
  t.teardown(() => runtime.close());
  return runtime;
}

interface Told {
  readonly argv: string[];
  readonly cwd: string;
  readonly pid: number;
  readonly env: Record<string, string>;
}

async function ask(address: Address): Promise<Told> {
  const place = address.type === 'unix' ? { socketPath: address.path } : { host: address.host, port: address.port };
  const request = http.get({ ...place, agent: false });
  const [response] = await once(request, 'response');
  let text = '';
  for await (const bytes of response) text += bytes;
  return JSON.parse(text);
}

t.test('it listens on a port of its own and is given what it needs to know', async (t) => {
  const cwd = realpathSync(mkdtempSync(join(tmpdir(), 'ringmaster-')));
  t.teardown(() => rmSync(cwd, { recursive: true }));
  const runtime = await begun(t, {
    command: [process.execPath, '-e', TELLS, '{port}', 'x{id}', '{seat}', '{socket}'],
    environment: { PATH: process.env.PATH, PORT: 'theirs', HOST: 'machine', COMMON: '{port}' },
    variables: new Map([
      ['MINE', '{id}:{port}'],
      ['COMMON', 'over'],
    ]),
    cwd,
  });
  const address = await runtime.start(replica(1), soon());
  const port = String((address as { port: number }).port);
  const told = await ask(address);
  t.match(address, { type: 'tcp', host: '127.0.0.1' });
  t.same(told.argv, [port, 'xr1', '7', '{socket}']);
  t.equal(told.cwd, cwd);
  t.match(told.env, {
    ...{ PORT: port, HOST: '127.0.0.1', SERVER_ID: 'r1', RINGMASTER_SEAT: '7' },
    ...{ MINE: `r1:${port}`, COMMON: 'over' },
  });
});

t.test('HOST may be set for all of them', async (t) => {
  const runtime = await begun(t, {
    command: [process.execPath, '-e', TELLS],
    variables: new Map([['HOST', '0.0.0.0']]),
  });
  t.equal((await ask(await runtime.start(replica(1), soon()))).env.HOST, '0.0.0.0');
});

t.test('PATH may be set for all of them, and need not lead to what is run in front of the command', async (t) => {
  const runtime = await begun(t, {
    command: [process.execPath, '-e', TELLS],
    variables: new Map([['PATH', '/nowhere']]),
  });
  t.equal((await ask(await runtime.start(replica(1), soon()))).env.PATH, '/nowhere');
});

t.test('with a socket, PORT is its path, which Node’s listen takes', async (t) => {
  const runtime = await begun(t, { command: [process.execPath, '-e', TELLS, '{socket}'], listens: 'socket' });
  const address = await runtime.start(replica(1), soon());
  const told = await ask(address);
  t.match(address, { type: 'unix', path: told.env.PORT });
  t.same(told.argv, [told.env.PORT]);
});

t.test('one that makes a directory in the place of its socket only fails itself', async (t) => {
  const runtime = await begun(t, {
    command: [process.execPath, '-e', 'require("fs").mkdirSync(process.env.PORT); process.exit(4)'],
    listens: 'socket',
  });
  for (const incarnation of [1, 2]) {
    await t.rejects(runtime.start(replica(incarnation), soon()), { message: /exit code 4/ });
  }
  await runtime.close();
});

t.test('one that listens on `localhost` may mean either address of this machine', async (t) => {
  const runtime = await begun(t, {
    command: [process.execPath, '-e', TELLS],
    environment: { ...process.env, LISTENS_ON: '::1' },
  });
  const address = await runtime.start(replica(1), soon());
  t.match(address, { type: 'tcp', host: '::1' });
  t.same((await runtime.list())[0]?.address, address);
});

t.test('many at a time never get the same port, even if none listens yet', async (t) => {
  const runtime = await begun(t, { command: ['sleep', '600'] });
  const wanted = new AbortController();
  const starts = Array.from({ length: 30 }, (_, index) => runtime.start(replica(index), wanted.signal));
  await eventually('all are there', async () => (await runtime.list()).length === 30);
  const ports = (await runtime.list()).map(({ address }) => (address as { port: number }).port);
  t.equal(new Set(ports).size, 30);
  wanted.abort(new Error('enough'));
  const results = await Promise.allSettled(starts);
  t.ok(results.every((one) => one.status === 'rejected' && one.reason.message === 'enough'));
  t.same(await runtime.list(), []);
});

t.test('one that ends before it listens fails its start, and its end is told once, as that', async (t) => {
  const runtime = await begun(t, { command: ['sh', '-c', 'echo fatal: no luck >&2; exit 3'] });
  runtime.watch((news) => t.fail(`told: ${news.type}`));
  await t.rejects(runtime.start(replica(1), soon()), {
    code: 'start-failed',
    message: 'it ended before it listened: exit code 3: fatal: no luck',
  });
  t.same(await runtime.list(), []);
});

t.test('one that ends after it listened is told with what went wrong, not with any line that it wrote', async (t) => {
  const code = `console.log('listening');
    require('net').createServer((socket) => socket.on('data', (said) => { console.log(String(said)); process.exit(3); }))
      .listen(process.env.PORT)`;
  const output = createReplicaOutput('off', { stdout: process.stdout, stderr: process.stderr }, () => {});
  const runtime = await begun(t, { command: [process.execPath, '-e', code], output });
  const reasons: string[] = [];
  runtime.watch((news) => news.type === 'exited' && reasons.push(news.reason));
  for (const said of ['hello', 'Error: no luck']) {
    const { port } = (await runtime.start(replica(reasons.length + 1), soon())) as { port: number };
    const socket = net.connect(port, '127.0.0.1', () => socket.end(said)).on('error', () => undefined);
    const before = reasons.length;
    await eventually('its end is told', () => reasons.length > before);
  }
  t.same(reasons, ['exit code 3', 'exit code 3: Error: no luck']);
});

t.test('a program that is not there: nothing begins', async (t) => {
  const runtime = createProcessRuntime({ ...sampleService, command: ['node-x'] });
  await t.rejects(runtime.begin(), { code: 'start-failed', message: 'node-x: no such program' });
  await runtime.close();
});

/** A shell in front of a server, in the way that npm and many others start one. */
const BEHIND_A_SHELL = ['sh', '-c', `"$0" -e "$1" & wait`, process.execPath, TELLS] as const;

t.test('the whole group is stopped, with and without grace', async (t) => {
  const runtime = await begun(t, { command: [...BEHIND_A_SHELL] });
  for (const graceMs of [0, 60_000]) {
    const { pid } = await ask(await runtime.start(replica(1), soon()));
    await runtime.stop(replica(1), graceMs);
    t.notOk(isRunning(pid));
    t.same(await runtime.list(), []);
  }
});

t.test('what a program has left in its group ends when it does', async (t) => {
  const runtime = await begun(t, { command: [...BEHIND_A_SHELL] });
  const told = new Promise<RuntimeNews>((resolve) => runtime.watch(resolve));
  const { pid } = await ask(await runtime.start(replica(1), soon()));
  const parent = Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  process.kill(parent, 'SIGKILL');
  t.match(await told, { type: 'exited', reason: 'killed by SIGKILL' });
  await eventually('the server is gone too', () => !isRunning(pid));
  await eventually('nothing is listed', async () => (await runtime.list()).length === 0);
});

t.test('with a grace, the rest of the group may finish after its program; then it is killed', async (t) => {
  const stubborn = `process.on('SIGTERM', () => undefined); ${TELLS}`;
  const runtime = await begun(t, { command: ['sh', '-c', `"$0" -e "$1" & wait`, process.execPath, stubborn] });
  const { pid } = await ask(await runtime.start(replica(1), soon()));
  const begunMs = performance.now();
  await runtime.stop(replica(1), 300);
  t.ok(performance.now() - begunMs >= 299);
  t.notOk(isRunning(pid));
});

t.test('if the balancer is killed with -9, what programs have started goes with them', async (t) => {
  const balancer = spawn(
    process.execPath,
    [
      '--input-type=module-typescript',
      '--eval',
      `import { createProcessRuntime } from '${new URL('../../lib/fleet/runtimes/processes.ts', import.meta.url)}';
       import { sampleService } from '${new URL('../fixtures/sample-runtime.ts', import.meta.url)}';
       const command = ${JSON.stringify(BEHIND_A_SHELL)};
       const runtime = createProcessRuntime({ ...sampleService, command, variables: new Map(), listens: 'port' });
       await runtime.begin();
       const { port } = await runtime.start({ seat: 1, incarnation: 1, hostname: 'x' }, AbortSignal.timeout(60000));
       console.log(port);`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [port] = await once(balancer.stdout, 'data');
  const { pid } = await ask({ type: 'tcp', host: '127.0.0.1', port: Number(port) });
  t.ok(isRunning(pid));
  balancer.kill('SIGKILL');
  await eventually('it is gone', () => !isRunning(pid));
});
