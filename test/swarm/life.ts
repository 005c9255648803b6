// A balancer whose replicas are services of a Swarm: changes of the fleet, a crash, a roll, and a balancer that was
// killed with -9 and started again.

import type { Test } from 'tap';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { eventually } from '../fixtures/eventually.ts';
import { crash, removeServices, SWARM_ENVIRONMENT, servicesOf, swarm } from '../fixtures/swarm.ts';

const FLEET = 'test-swarm-life';
const SERVICE = `const s = require('http').createServer((q, r) => r.end(JSON.stringify({ by: process.env.SERVER_ID })));
  s.listen(process.env.PORT); process.on('SIGTERM', () => s.close(() => process.exit()))`;
const OPTIONS = [
  ...['--runtime', 'swarm', '--fleet', FLEET, '--docker-image', 'node:26-slim', '--docker-port', '5000'],
  ...['--swarm-constraint', 'node.platform.os==linux', '--heartbeat-path', '/', '--grace', '3s'],
  ...['--key', 'header:X-User', '--start-timeout', '60s'],
];
const COMMAND = ['--', 'node', '-e', SERVICE];
const start = (...more: string[]) => startProgram([...OPTIONS, ...more, ...COMMAND], SWARM_ENVIRONMENT);

async function ownerOf({ json }: Program, key: number): Promise<string> {
  const { status, body } = await json('/x', { headers: { 'X-User': `user${key}` } });
  return status === 200 ? (body as { by: string }).by : `status ${status}`;
}

async function owners(program: Program): Promise<string[]> {
  const all: string[] = [];
  for (let key = 0; key < 60; key++) all.push(await ownerOf(program, key));
  return all;
}

const change = (program: Program, method: string, path: string, body: object) =>
  program.json(path, { method, body: JSON.stringify(body) });

async function allServe({ json }: Program): Promise<void> {
  const whole = async () => {
    const { absent } = (await json('/balancer/ring')).body as { absent: Record<string, string> };
    return Object.keys(absent).length === 0;
  };
  await eventually('all serve', whole, 120_000);
}

async function kill(program: Program): Promise<void> {
  program.process.kill('SIGKILL');
  await program.exited;
}

export async function life(t: Test): Promise<void> {
  t.teardown(() => removeServices(FLEET));
  const first = await start();
  await allServe(first);
  t.same(await servicesOf(FLEET), ['server1', 'server2', 'server3']);

  await t.test('/add and /rm are services that come and go', async (t) => {
    t.match(await change(first, 'POST', '/add', { n: 1, hostnames: ['S4'] }), { status: 200 });
    t.ok((await servicesOf(FLEET)).includes('S4'));
    t.match(await change(first, 'POST', '/add', { n: 1, hostnames: ['S.4'] }), {
      status: 409,
      body: { message: /the Swarm refuses it: .*nothing was added/ },
    });
    t.match(await change(first, 'DELETE', '/rm', { n: 1, hostnames: ['S4'] }), { status: 200 });
    t.same(await servicesOf(FLEET), ['server1', 'server2', 'server3']);
  });

  await t.test('one that crashes is replaced in its seat, and no key of the others moves', async (t) => {
    const before = await owners(first);
    await crash('server2');
    const { hostname } = await first.logged(
      ({ event, seat, hostname }) => event === 'replica-serving' && seat === 2 && hostname !== 'server2',
      AbortSignal.timeout(60_000),
    );
    t.same(
      await owners(first),
      before.map((owner) => (owner === 'server2' ? hostname : owner)),
    );
    const gone = async () => !(await servicesOf(FLEET)).includes('server2');
    await eventually('what is left of it is taken away', gone, 30_000);
  });

  await t.test('a roll replaces each, and fails no request', async (t) => {
    const names = await first.hostnames();
    let failed = 0;
    let asked = 0;
    let goesOn = true;
    const asking = (async () => {
      for (; goesOn; asked++) if ((await ownerOf(first, asked % 60)).startsWith('status')) failed += 1;
    })();
    const rolled = await change(first, 'POST', '/balancer/roll', {});
    t.match(rolled, { status: 200, body: { message: { phase: 'done' } } });
    goesOn = false;
    await asking;
    t.equal(failed, 0, `of ${asked} requests`);
    const after = await first.hostnames();
    t.equal(after.length, 3);
    t.notOk(after.some((name) => names.includes(name)));
  });

  await t.test('a fleet that a balancer holds is refused to another', async (t) => {
    await t.rejects(start(), { message: /the fleet test-swarm-life is held by another balancer/ });
  });

  await t.test('a balancer that was killed finds its replicas, and what another has begun goes', async (t) => {
    const [services, names, before] = [await servicesOf(FLEET), await first.hostnames(), await owners(first)];
    await kill(first);
    const labels = ['places=1', 'incarnation=5', `fleet=${FLEET}`].flatMap((one) => ['--label', `ringmaster.${one}`]);
    await swarm(
      ...['service', 'create', '--detach', '--quiet', '--no-resolve-image', '--name', 'test-stray', ...labels],
      ...['node:26-slim', 'sleep', '600'],
    );
    const second = await start('--replica-memory', '200m');
    t.teardown(() => second.stop());
    await allServe(second);
    // After a roll the order is that of the replicas that there are.
    t.same((await second.hostnames()).toSorted(), names.toSorted());
    t.same(await owners(second), before);
    t.notOk(second.log.some(({ event }) => event === 'replica-starting'));
    t.match(await second.logged(({ event }) => event === 'adopted-with-other-settings'), {
      has: { memoryBytes: 256 * 2 ** 20 },
      wanted: { memoryBytes: 200 * 2 ** 20 },
    });
    const strayGone = async () => !(await servicesOf(FLEET)).includes('test-stray');
    await eventually('the stray is removed', strayGone, 60_000);
    t.same(await servicesOf(FLEET), services);
  });
  t.same(await servicesOf(FLEET), [], 'a balancer that ends leaves nothing');
}
