// A balancer in a program: the real one, with the sample service and with services that the test plays.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { BalancerError, type BalancerOptions, createBalancer, type LogEntry } from '../../lib/ringmaster.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const LIBRARY = new URL('../../lib/ringmaster.ts', import.meta.url).href;

t.setTimeout(120_000);

async function directoryFor(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'library-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A balancer over services that answer with their numbers. */
async function overServices(t: Test, count: number, options: BalancerOptions = {}) {
  const services = await Promise.all(
    Array.from({ length: count }, (_, index) => scriptedReplica((socket) => socket.write(reply(String(index))))),
  );
  const upstream = services.map((service) => service.upstream);
  const balancer = await createBalancer({ port: 0, upstream, heartbeatPath: 'off', ...options });
  t.teardown(async () => {
    await balancer.close();
    for (const service of services) service.close();
  });
  return balancer;
}

t.test('from the start to the end, with the sample service', async (t) => {
  const balancer = await createBalancer({
    port: 0,
    replicas: 2,
    key: (request) => request.headers['x-tenant'],
  });
  t.teardown(() => balancer.close());
  const told: string[] = [];
  balancer.on('added', ({ hostname }) => told.push(`added ${hostname}`));
  balancer.on('removed', ({ hostname }) => told.push(`removed ${hostname}`));
  t.same(balancer.replicas(), [], 'nothing is there before the start');

  const listening = once(balancer, 'listening');
  const { port, url } = await balancer.start();
  t.same(await listening, [{ port, url }]);
  t.same(await balancer.start(), { port, url }, 'it is begun once');
  t.same(told.toSorted(), ['added server1', 'added server2']);

  const ask = async (tenant: string) => (await fetch(`${url}/home`, { headers: { 'X-Tenant': tenant } })).text();
  for (const tenant of ['acme', 'zeta', 'ann']) {
    const [first, ...others] = await Promise.all([ask(tenant), ask(tenant), ask(tenant)]);
    t.same(others, [first, first]);
    const { replica, key } = await balancer.explain(tenant);
    t.match(first, `Hello from Server: ${replica}"`);
    t.equal((await balancer.explain({ headers: { 'X-Tenant': tenant } })).key, key);
  }

  const five = await balancer.add({ hostnames: ['S5'], weights: [2] });
  t.match(five, [{ hostname: 'server1' }, { hostname: 'server2' }, { hostname: 'S5', weight: 2, state: 'serving' }]);
  t.equal((await balancer.add(1)).length, 4);
  t.same((await (await fetch(`${url}/balancer/ring`)).json()) as unknown, await balancer.ring());
  const left = await balancer.remove({ hostnames: ['S5', 'server2'] });
  t.notMatch(left, [{ hostname: 'S5' }]);
  t.ok(told.includes('removed S5'));
  await t.rejects(balancer.remove({ hostnames: ['S5'] }), { code: 'bad-body', message: /there is no S5/ });

  const [victim] = balancer.replicas();
  const replaced = once(balancer, 'replaced');
  const lost = once(balancer, 'lost');
  process.kill(victim?.pid ?? 0, 'SIGKILL');
  t.match(await lost, [{ hostname: victim?.hostname }, /SIGKILL/]);
  t.match(await replaced, [
    { seat: victim?.seat, state: 'serving' },
    { hostname: victim?.hostname, seat: victim?.seat },
  ]);

  const pids = balancer.replicas().map(({ pid = 0 }) => pid);
  const closed = once(balancer, 'closed');
  await balancer[Symbol.asyncDispose]();
  await closed;
  for (const pid of pids) t.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  await t.rejects(fetch(url));
});

t.test('several in one process know nothing of each other', async (t) => {
  const balancers = await Promise.all([overServices(t, 1), overServices(t, 1), overServices(t, 2)]);
  const urls = await Promise.all(balancers.map((balancer) => balancer.start()));
  t.equal(new Set(urls.map(({ port }) => port)).size, 3);
  await balancers[0]?.close();
  t.equal((await fetch(urls[1]?.url ?? '')).status, 200);
  t.equal(balancers[2]?.replicas().length, 2);
});

t.test('hash functions decide the slots', async (t) => {
  const balancer = await overServices(t, 2, {
    key: 'header:x-slot',
    slots: 8,
    maxReplicas: 2,
    virtualNodes: 1,
    hash: { requestSlot: () => 5, virtualNodeSlot: (place) => (place === 2 ? 5 : 0) },
  });
  const { url } = await balancer.start();
  t.equal(await (await fetch(url)).text(), '1');
  t.match(await balancer.ring(), { hash: 'own', points: [{ slot: 0 }, { slot: 5 }] });
});

t.test('a key function that fails: a 500 for that request, and the balancer’s own endpoints go on', async (t) => {
  const entries: LogEntry[] = [];
  const balancer = await overServices(t, 1, {
    log: (entry) => entries.push(entry),
    key: ({ url, headers }) => {
      if (url === '/promise') return Promise.resolve('a') as unknown as string;
      return (headers.cookie as string).slice(1);
    },
  });
  const { url } = await balancer.start();
  const failed = await fetch(`${url}/a`);
  t.equal(failed.status, 500);
  t.match(await failed.json(), { message: /the key function threw: / });
  t.match(await (await fetch(`${url}/promise`)).text(), /the key function returned a promise, not a text/);
  t.equal((await fetch(`${url}/a`, { headers: { cookie: 'ab' } })).status, 200);
  t.equal((await fetch(`${url}/rep`)).status, 200);
  t.match(
    entries.find(({ event }) => event === 'request-refused'),
    { level: 'error', url: '/a', reason: /the key function threw/ },
  );
});

t.test('an access log of its own, which it opens anew when it likes', async (t) => {
  const directory = await directoryFor(t);
  const accessLogFile = join(directory, 'access.log');
  const balancer = await overServices(t, 1, { accessLog: 'all', accessLogFile });
  const { url } = await balancer.start();
  await (await fetch(`${url}/1`)).text();
  await rename(accessLogFile, `${accessLogFile}.1`);
  await balancer.reopenAccessLog();
  await (await fetch(`${url}/2`)).text();
  await balancer.close();
  const files = await Promise.all([`${accessLogFile}.1`, accessLogFile].map((file) => readFile(file, 'utf8')));
  const lines = files.join('').trimEnd().split('\n');
  t.same(
    lines.map((line) => JSON.parse(line).target),
    ['/1', '/2'],
  );
  const wrong = await overServices(t, 1, { accessLog: 'all', accessLogFile: directory });
  await t.rejects(wrong.start(), { code: 'log-failed', message: /^accessLogFile cannot be opened: EISDIR/ });
});

t.test('a log function gets the level that it asks for', async (t) => {
  const events: string[] = [];
  const balancer = await overServices(t, 1, { log: { level: 'debug', write: ({ event }) => events.push(event) } });
  const { url } = await balancer.start();
  await fetch(`${url}/a?token=s3cret`);
  await balancer.close();
  t.ok(events.includes('request') && events.includes('closed'), events.join(' '));
});

t.test('what cannot be is a BalancerError that names the option', async (t) => {
  const other = await scriptedReplica(() => undefined);
  t.teardown(() => other.close());
  const balancer = await overServices(t, 1, { port: other.port });
  await t.rejects(balancer.start(), BalancerError);
  await t.rejects(balancer.start(), {
    code: 'listen-failed',
    message: `port ${other.port} on 127.0.0.1 is in use: end what uses it, or choose another with port`,
  });
});

t.test('closed before or while it starts, it does not listen', async (t) => {
  const balancer = await overServices(t, 1);
  const starting = balancer.start();
  await balancer.close();
  await t.rejects(starting, { code: 'closing' });
  const other = await overServices(t, 1);
  await other.close();
  await other.close();
  await t.rejects(other.start(), { code: 'closing' });
  await t.rejects(other.add(1), BalancerError);
  await balancer.close();
  const third = await overServices(t, 1);
  await third.start();
  await third.close();
  await t.rejects(third.start(), { code: 'closing' }, 'where it listened is no answer any more');
});

t.test('what is no change of the fleet is refused in words', async (t) => {
  const balancer = await overServices(t, 1);
  await balancer.start();
  for (const wrong of [undefined, null, 'S5', ['S5'], { hostname: ['S5'] }, { hostnames: 'S5' }]) {
    const code = 'bad-body';
    await t.rejects(balancer.remove(wrong as unknown as number), { code, message: /^remove takes a number, or/ });
  }
  for (const wrong of [undefined, null, 'S5', ['S5']])
    await t.rejects(balancer.add(wrong as unknown as number), { code: 'bad-body', message: /^add takes a number, or/ });
  t.equal(balancer.replicas().length, 1);
});

t.test('it says nothing, handles no signal, and keeps nothing alive once it is closed', async (t) => {
  const directory = await directoryFor(t);
  await writeFile(join(directory, 'package.json'), '{"type":"module"}');
  const code = `
    import { createBalancer } from '${LIBRARY}';
    const before = process.eventNames().flatMap((name) => process.listeners(name)).length;
    for (const workers of [1, 2]) {
      await using balancer = await createBalancer({ port: 0, replicas: 1, workers, keepScale: true });
      const { url } = await balancer.start();
      if ((await fetch(url + '/home')).status !== 200) throw new Error('it does not serve');
      await balancer.add(1);
    }
    const fails = await createBalancer({ port: 0, command: ['sh', '-c', 'echo no luck >&2; exit 3'] });
    const reason = await fails.start().catch((error) => error.message);
    if (!/exit code 3: no luck$/.test(reason)) throw new Error('not the reason: ' + reason);
    const after = process.eventNames().flatMap((name) => process.listeners(name)).length;
    if (after !== before) throw new Error('listeners of the process are left');`;
  await writeFile(join(directory, 'program.ts'), code);
  // It ends by itself.
  const run = promisify(execFile)(process.execPath, ['program.ts'], {
    cwd: directory,
    env: { ...process.env, TMPDIR: directory },
    timeout: 60_000,
  });
  t.same(await run, { stdout: '', stderr: '' });
  t.same((await readdir(directory)).toSorted(), ['data', 'package.json', 'program.ts']);
});

t.test('a listener or a log function that throws does not harm the balancer', async (t) => {
  const directory = await directoryFor(t);
  await writeFile(join(directory, 'package.json'), '{"type":"module"}');
  const code = `
    import { createBalancer } from '${LIBRARY}';
    const thrown = new Set();
    process.on('uncaughtException', (error) => thrown.add(error.message));
    const write = () => { throw new Error('log'); };
    await using balancer = await createBalancer({ port: 0, replicas: 2, log: { level: 'debug', write } });
    balancer.on('added', () => { throw new Error('added'); });
    const { url } = await balancer.start();
    console.log((await fetch(url + '/home')).status, balancer.replicas().map(({ state }) => state).join(), ...thrown);`;
  await writeFile(join(directory, 'program.ts'), code);
  const run = promisify(execFile)(process.execPath, ['program.ts'], { cwd: directory, timeout: 60_000 });
  t.same(await run, { stdout: '200 serving,serving log added\n', stderr: '' });
});

t.test('a command that ends at once: the error says why, and nothing is written', async (t) => {
  const code = `
    import { createBalancer } from ${JSON.stringify(LIBRARY)};
    const command = [process.execPath, '-e', 'console.error("no such table"); process.exit(3)'];
    const balancer = await createBalancer({ port: 0, replicas: 1, command });
    await balancer.start().catch((error) => console.log(error.code, error.message));`;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code]);
  t.match(stdout, /^start-failed no replica came up: .*exit code 3: no such table/);
  t.equal(stderr, '');
});
