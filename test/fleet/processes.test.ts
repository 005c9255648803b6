import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { isRunning, replicaPid } from '../../bench/harness/faults.ts';
import { startProgram } from '../../bench/harness/program.ts';
import type { Address, ReplicaRef, RuntimeNews } from '../../lib/core/ports.ts';
import { httpProbe } from '../../lib/fleet/health/http-probe.ts';
import { startGuardian } from '../../lib/fleet/runtimes/guardian.ts';
import { createProcessRuntime } from '../../lib/fleet/runtimes/processes.ts';
import { eventually } from '../fixtures/eventually.ts';
import { SCRIPT } from '../fixtures/replica.ts';
import { sampleService } from '../fixtures/sample-runtime.ts';
import { VirtualClock } from '../fixtures/virtual-clock.ts';

const replica = (incarnation: number): ReplicaRef => ({ seat: 1, incarnation, hostname: `r${incarnation}` });
const probe = httpProbe('/heartbeat');
const soon = () => AbortSignal.timeout(5000);
const pathOf = (address: Address) => (address.type === 'unix' ? address.path : '');

async function runtime(environment: NodeJS.ProcessEnv = {}) {
  const processes = createProcessRuntime({ ...sampleService, environment: { ...process.env, ...environment } });
  await processes.begin();
  return processes;
}

t.test('creating one has no effect; one that is ended while it begins leaves nothing', async (t) => {
  const ours = mkdtempSync(join(tmpdir(), 'ringmaster-'));
  const { TMPDIR } = process.env;
  process.env.TMPDIR = ours;
  t.teardown(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
    rmSync(ours, { recursive: true });
  });
  const guardians = () => spawnSync('pgrep', ['-P', String(process.pid), '-f', 'guardian']).stdout.toString();
  const processes = createProcessRuntime(sampleService);
  t.same([readdirSync(ours), guardians()], [[], '']);
  const begun = processes.begin();
  await processes.close();
  await begun;
  t.same(readdirSync(ours), []);
  while (guardians() !== '') await new Promise((resolve) => setTimeout(resolve, 10));
});

t.test('replicas listen on sockets that nobody else may reach', async (t) => {
  const processes = await runtime();
  const address = await processes.start(replica(1), soon());
  await probe(address, soon());
  const directory = dirname(pathOf(address));
  t.equal(statSync(directory).mode & 0o777, 0o700);
  await processes.close();
  t.notOk(existsSync(directory), 'nothing is left on the disk');
  await t.rejects(probe(address, soon()));
});

t.test('the list shows who is there; a stopped one is gone, and stopping it again does no harm', async (t) => {
  const processes = await runtime();
  t.teardown(() => processes.close());
  await Promise.all([processes.start(replica(1), soon()), processes.start(replica(2), soon())]);
  const listed = async () => (await processes.list()).map((one) => one.replica);
  t.same(
    (await listed()).toSorted((a, b) => a.incarnation - b.incarnation),
    [replica(1), replica(2)],
  );
  await processes.stop(replica(1), 1000);
  await processes.stop(replica(1), 1000);
  t.same(await listed(), [replica(2)]);
});

t.test('an exit is told within 100 ms, with its reason', async (t) => {
  const processes = await runtime();
  t.teardown(() => processes.close());
  const address = await processes.start(replica(1), soon());
  const told = new Promise<RuntimeNews>((resolve) => processes.watch(resolve));
  const pid = Number(execFileSync('pgrep', ['-P', String(process.pid), '-f', '-n', SCRIPT]).toString());
  process.kill(pid, 'SIGKILL');
  t.same(await told, { type: 'exited', replica: replica(1), reason: 'killed by SIGKILL' });
  await t.rejects(probe(address, soon()));
});

t.test('one that does not end within the grace is killed', async (t) => {
  const processes = await runtime({ REPLICA_HANG_AFTER: '0' });
  t.teardown(() => processes.close());
  const address = await processes.start(replica(1), soon());
  // A request that never ends keeps the replica from stopping by itself.
  const waiting = probe(address, soon()).catch((error) => error);
  // Nothing reports that the replica has got it.
  await sleep(100);
  const begunMs = performance.now();
  await processes.stop(replica(1), 200);
  t.ok(performance.now() - begunMs >= 199);
  t.ok((await waiting) instanceof Error);
});

t.test('one that ends before it listens fails its start with the reason', async (t) => {
  const processes = createProcessRuntime({
    ...sampleService,
    command: [process.execPath, '/nowhere.ts'],
    environment: { ...process.env, NODE_OPTIONS: '--no-warnings' },
  });
  await processes.begin();
  t.teardown(() => processes.close());
  await t.rejects(processes.start(replica(1), soon()), {
    code: 'start-failed',
    message: /ended before it listened: exit code 1: Error.*Cannot find module '\/nowhere.ts'/,
  });
  t.same(await processes.list(), []);
});

t.test('what a replica says on standard error comes out of ours, as it is', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'ringmaster-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const talker = join(directory, 'talker.mjs');
  writeFileSync(
    talker,
    `import { createServer } from 'node:http';
     console.error('said é');
     createServer(() => process.exit(3)).listen(process.env.PORT);`,
  );
  const balancer = spawn(
    process.execPath,
    [
      '--input-type=module-typescript',
      '--eval',
      `import { createProcessRuntime } from '${new URL('../../lib/fleet/runtimes/processes.ts', import.meta.url)}';
       import { createReplicaOutput } from '${new URL('../../lib/fleet/runtimes/replica-output.ts', import.meta.url)}';
       import { sampleService } from '${new URL('../fixtures/sample-runtime.ts', import.meta.url)}';
       const output = createReplicaOutput('inherit', { stdout: undefined, stderr: process.stderr }, () => {});
       const runtime = createProcessRuntime({ ...sampleService, command: ['node', '${talker}'], output });
       await runtime.begin();
       runtime.watch((news) => { console.log(news.reason); runtime.close(); });
       const { path } = await runtime.start({ seat: 1, incarnation: 1, hostname: 'x' }, AbortSignal.timeout(5000));
       const { request } = await import('node:http');
       request({ socketPath: path }).on('error', () => {}).end();`,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const [out, err] = await Promise.all([text(balancer.stdout), text(balancer.stderr)]);
  t.match(err, /^said é$/m);
  t.equal(out, 'exit code 3: said é\n');
});

t.test('a start that is given up leaves no process', async (t) => {
  const processes = await runtime({ REPLICA_START_DELAY_MS: '60000' });
  t.teardown(() => processes.close());
  await t.rejects(processes.start(replica(1), AbortSignal.timeout(300)));
  t.same(await processes.list(), []);
});

t.test('a start that is given up before there is a process makes none', async (t) => {
  const processes = await runtime();
  t.teardown(() => processes.close());
  const wanted = new AbortController();
  const started = processes.start(replica(1), wanted.signal);
  wanted.abort(new Error('it is no longer wanted'));
  await t.rejects(started, { message: 'it is no longer wanted' });
  t.same(await processes.list(), []);
});

t.test('if the balancer is killed with -9, its replicas, a stopped one too, are gone within a second', async (t) => {
  const balancer = spawn(
    process.execPath,
    [
      '--input-type=module-typescript',
      '--eval',
      `import { createProcessRuntime } from '${new URL('../../lib/fleet/runtimes/processes.ts', import.meta.url)}';
       import { sampleService } from '${new URL('../fixtures/sample-runtime.ts', import.meta.url)}';
       const runtime = createProcessRuntime(sampleService);
       await runtime.begin();
       const start = (incarnation) => runtime.start({ seat: 1, incarnation, hostname: 'x' }, AbortSignal.timeout(5000));
       const [{ path }] = await Promise.all([start(1), start(2)]);
       console.log(path);`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [path] = await once(balancer.stdout, 'data');
  const directory = dirname(String(path).trim());
  const childrenOf = () =>
    execFileSync('pgrep', ['-P', String(balancer.pid), '-f', SCRIPT])
      .toString()
      .trim()
      .split('\n');
  const pids = childrenOf().map(Number);
  t.equal(pids.length, 2);
  process.kill(pids[0] ?? 0, 'SIGSTOP');
  balancer.kill('SIGKILL');
  await eventually('all are gone', () => !pids.some(isRunning) && !existsSync(directory), 1000);
  t.notOk(pids.some(isRunning));
});

t.test('the directory of the sockets is made anew if something removed it, and is not shared', async (t) => {
  const processes = await runtime();
  t.teardown(() => processes.close());
  const first = await processes.start(replica(1), soon());
  const directory = dirname(pathOf(first));
  rmSync(directory, { recursive: true });
  await t.rejects(probe(first, soon()), 'nobody reaches the one that was there');
  const second = await processes.start(replica(2), soon());
  await probe(second, soon());
  t.equal(statSync(directory).mode & 0o777, 0o700);
  rmSync(directory, { recursive: true });
  mkdirSync(directory, { mode: 0o777 });
  chmodSync(directory, 0o777);
  await t.rejects(processes.start(replica(3), soon()), { code: 'start-failed', message: /is not this user’s alone/ });
  rmSync(directory, { recursive: true });
  symlinkSync(tmpdir(), directory);
  await t.rejects(processes.start(replica(4), soon()), { message: /is not this user’s alone/ });
  rmSync(directory);
});

t.test('a directory for temporary files whose name has few characters but many bytes', async (t) => {
  const base = mkdtempSync(join(tmpdir(), 'r-'));
  const long = join(base, 'ü'.repeat(60));
  mkdirSync(long);
  const { TMPDIR } = process.env;
  process.env.TMPDIR = long;
  t.teardown(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
    rmSync(base, { recursive: true });
  });
  const processes = await runtime();
  t.teardown(() => processes.close());
  await probe(await processes.start(replica(1), soon()), soon());
});

t.test('the guardian and the balancer are killed in a row: no replica is left', async (t) => {
  const program = await startProgram(['--replicas', '2']);
  const pids = await Promise.all(['server1', 'server2'].map((name) => replicaPid(program, name)));
  const parent = String(program.process.pid);
  const [guardian] = execFileSync('pgrep', ['-P', parent, '-f', 'ringmaster-guardian']).toString().split('\n');
  process.kill(Number(guardian), 'SIGKILL');
  program.process.kill('SIGKILL');
  await program.exited;
  await eventually('all are gone', () => !pids.some(isRunning), 1000);
  t.notOk(pids.some(isRunning));
});

t.test('a guardian that is killed is followed by another, which guards the same', async (t) => {
  const guarded = spawn('sleep', ['600'], { stdio: 'ignore', detached: true });
  const directory = mkdtempSync(join(tmpdir(), 'ringmaster-'));
  const balancer = spawn(
    process.execPath,
    [
      '--input-type=module-typescript',
      '--eval',
      `import { startGuardian } from '${new URL('../../lib/fleet/runtimes/guardian.ts', import.meta.url)}';
       import { realClock } from '${new URL('../../lib/fleet/clock.ts', import.meta.url)}';
       const guardian = startGuardian('${directory}', realClock);
       guardian.guard(${guarded.pid});
       setInterval(() => undefined, 1000);
       console.log('up');`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(balancer.stdout, 'data');
  const guardian = async (known?: string): Promise<string> => {
    let found = '';
    await eventually('there is another', async () => {
      found = (await text(spawn('pgrep', ['-P', String(balancer.pid), '-f', 'ringmaster-guardian']).stdout)).trim();
      return found !== '' && found !== known;
    });
    return found;
  };
  for (let round = 0, known: string | undefined; round < 2; round++) {
    known = await guardian(known);
    process.kill(Number(known), 'SIGKILL');
    await guardian(known);
  }
  balancer.kill('SIGKILL');
  await once(guarded, 'exit');
  t.equal(guarded.signalCode, 'SIGKILL');
});

t.test('a guardian that cannot be started is tried again later, and nothing else fails', async (t) => {
  const clock = new VirtualClock();
  let waits = 0;
  const sleeps = () => {
    waits += 1;
    return new Promise<void>(() => undefined);
  };
  // No program can be given such a word.
  const guardian = startGuardian('/', { now: () => clock.now(), every: () => () => undefined, sleep: sleeps }, '\0');
  guardian.guard(1);
  t.equal(waits, 1, 'it is tried twice, and then after a while');
  guardian.forget(1);
  guardian.release();
});
