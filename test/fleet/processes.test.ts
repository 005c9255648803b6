import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Address, ReplicaRef, RuntimeNews } from '../../lib/core/ports.ts';
import { realClock } from '../../lib/fleet/clock.ts';
import { httpProbe } from '../../lib/fleet/http-probe.ts';
import { createProcessRuntime } from '../../lib/fleet/processes.ts';
import { isRunning } from '../fixtures/program.ts';

const script = fileURLToPath(new URL('../../replica/main.ts', import.meta.url));
const replica = (incarnation: number): ReplicaRef => ({ seat: 1, incarnation, hostname: `r${incarnation}` });
const probe = httpProbe('/heartbeat');
const soon = () => AbortSignal.timeout(5000);
const pathOf = (address: Address) => (address.type === 'unix' ? address.path : '');

async function runtime(environment: NodeJS.ProcessEnv = {}) {
  return createProcessRuntime({ script, environment: { ...process.env, ...environment }, clock: realClock });
}

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
  t.same(await listed(), [replica(1), replica(2)]);
  await processes.stop(replica(1), 1000);
  await processes.stop(replica(1), 1000);
  t.same(await listed(), [replica(2)]);
});

t.test('an exit is told within 100 ms, with its reason', async (t) => {
  const processes = await runtime();
  t.teardown(() => processes.close());
  const address = await processes.start(replica(1), soon());
  const told = new Promise<RuntimeNews>((resolve) => processes.watch(resolve));
  const pid = Number(execFileSync('pgrep', ['-P', String(process.pid), '-f', '-n', script]).toString());
  const killedMs = performance.now();
  process.kill(pid, 'SIGKILL');
  t.same(await told, { type: 'exited', replica: replica(1), reason: 'killed by SIGKILL' });
  const tookMs = performance.now() - killedMs;
  t.ok(tookMs < 100, `${tookMs} ms`);
  await t.rejects(probe(address, soon()));
});

t.test('one that does not end within the grace is killed', async (t) => {
  const processes = await runtime({ REPLICA_HANG_AFTER: '0' });
  t.teardown(() => processes.close());
  const address = await processes.start(replica(1), soon());
  // A request that never ends keeps the replica from stopping by itself.
  const waiting = probe(address, soon()).catch((error) => error);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const begunMs = performance.now();
  await processes.stop(replica(1), 200);
  t.ok(performance.now() - begunMs >= 199);
  t.ok((await waiting) instanceof Error);
});

t.test('one that ends before it listens fails its start with the reason', async (t) => {
  const processes = await createProcessRuntime({
    script: '/nowhere.ts',
    environment: { ...process.env, NODE_OPTIONS: '--no-warnings' },
    clock: realClock,
  });
  t.teardown(() => processes.close());
  await t.rejects(processes.start(replica(1), soon()), {
    code: 'start-failed',
    message: /ended before it listened: exit code 1: Error: Cannot find module '\/nowhere.ts'$/,
  });
  t.same(await processes.list(), []);
});

t.test('what a replica says on standard error comes out of ours, as it is', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'ringmaster-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const talker = join(directory, 'talker.mjs');
  writeFileSync(talker, "console.error('said é'); console.log('up'); setTimeout(() => process.exit(3), 50);");
  const balancer = spawn(
    process.execPath,
    [
      '--input-type=module-typescript',
      '--eval',
      `import { createProcessRuntime } from '${new URL('../../lib/fleet/processes.ts', import.meta.url)}';
       import { realClock } from '${new URL('../../lib/fleet/clock.ts', import.meta.url)}';
       const runtime = await createProcessRuntime({ script: '${talker}', environment: process.env, clock: realClock });
       runtime.watch((news) => { console.log(news.reason); runtime.close(); });
       await runtime.start({ seat: 1, incarnation: 1, hostname: 'x' }, AbortSignal.timeout(5000));`,
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

t.test('if the balancer is killed with -9, its replicas, a stopped one too, are gone within a second', async (t) => {
  const balancer = spawn(
    process.execPath,
    [
      '--input-type=module-typescript',
      '--eval',
      `import { createProcessRuntime } from '${new URL('../../lib/fleet/processes.ts', import.meta.url)}';
       import { realClock } from '${new URL('../../lib/fleet/clock.ts', import.meta.url)}';
       const runtime = await createProcessRuntime({ script: '${script}', environment: process.env, clock: realClock });
       const start = (incarnation) => runtime.start({ seat: 1, incarnation, hostname: 'x' }, AbortSignal.timeout(5000));
       const [{ path }] = await Promise.all([start(1), start(2)]);
       console.log(path);`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [path] = await once(balancer.stdout, 'data');
  const directory = dirname(String(path).trim());
  const childrenOf = () =>
    execFileSync('pgrep', ['-P', String(balancer.pid), '-f', script])
      .toString()
      .trim()
      .split('\n');
  const pids = childrenOf().map(Number);
  t.equal(pids.length, 2);
  process.kill(pids[0] ?? 0, 'SIGSTOP');
  balancer.kill('SIGKILL');
  await new Promise((resolve) => setTimeout(resolve, 1000));
  for (const pid of pids) t.notOk(isRunning(pid));
  t.notOk(existsSync(directory));
});
