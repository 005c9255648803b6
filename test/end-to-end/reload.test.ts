// Reloads of the real program: what changes, what is refused, by whom, and how.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { startProgram } from '../../bench/harness/program.ts';
import { fullKey } from '../../lib/settings/file/config-file.ts';
import { defaultOptions } from '../../lib/settings/options.ts';
import { OPTIONS } from '../../lib/settings/table.ts';
import { eventually } from '../fixtures/eventually.ts';
import { otherTexts } from '../fixtures/option-values.ts';

t.setTimeout(300_000);

const hasTerminals = /util-linux/.test(spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout ?? '');
const skip = hasTerminals ? false : 'script of util-linux is not installed';
const MAIN = fileURLToPath(new URL('../../lib/main.ts', import.meta.url));

interface Told {
  readonly message: {
    readonly dryRun?: boolean;
    readonly changed: { option: string; from: string; to: string }[];
    readonly moved?: number | null;
    readonly joins?: string[];
    readonly leaves?: string[];
    readonly weights?: Record<string, number>;
  };
}
type Groups = Record<string, Record<string, unknown>>;

/** A service that names itself in every answer. */
async function startService(t: Test, name: string) {
  const server = http.createServer((_request, response) => response.end(name));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close().closeAllConnections());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function begun(t: Test, first: Groups, args: readonly string[] = []) {
  const directory = mkdtempSync(join(tmpdir(), 'ringmaster-reload-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'ringmaster.json');
  const write = (groups: Groups) => writeFileSync(path, JSON.stringify(groups));
  write(first);
  const program = await startProgram(['--config', path, ...args]);
  t.teardown(() => program.stop());
  const post = async (query = '') => {
    const { status, body } = await program.json(`/balancer/reload${query}`, { method: 'POST' });
    return { status, message: (body as Told).message };
  };
  const reload = async (groups: Groups, query = '') => {
    write(groups);
    return post(query);
  };
  const ring = async () =>
    (await program.json('/balancer/ring')).body as { hash: string; shares: Record<string, number> };
  return { program, path, write, post, reload, ring };
}

for (const workers of ['1', '2']) {
  t.test(`every live option at once, with --workers ${workers}`, async (t) => {
    const [one, two] = [await startService(t, 'one'), await startService(t, 'two')];
    const { program, path, reload, ring } = await begun(t, { replicas: { upstream: [one] } }, ['--workers', workers]);
    const groups: Groups = {};
    const defaults = { ...defaultOptions(), key: [{ type: 'request' }] } as const;
    // Services that others run are not scaled (test/reload/takers.test.ts has that one).
    const isLive = (flag: string) => flag !== 'autoscale' && OPTIONS.get(flag)?.changes === 'live';
    const live = [...OPTIONS.keys()].filter(isLive);
    for (const flag of live) {
      const [group = '', key = ''] = fullKey(flag).split('.');
      // What is written there is no business of this checkout.
      const [text = ''] = flag === 'access-log-file' ? [`${path}.access.log`] : otherTexts(flag, defaults);
      groups[group] = { ...groups[group], [key]: /^\d+(\.\d+)?$/.test(text) ? Number(text) : text };
    }
    groups.replicas = { ...groups.replicas, upstream: [one, `${two}*2`] };
    // A cookie can be issued if the key ends with one.
    groups.ring = { ...groups.ring, key: ['header:X-Room', 'cookie:sticky'] };
    const { status, message } = await reload(groups);
    t.equal(status, 200, JSON.stringify(message));
    t.same(message.changed.map(({ option }) => option).sort(), live.map(fullKey).sort());
    t.equal((await ring()).hash, 'modulo');
    t.same(await program.hostnames(), [one, two]);
  });
}

t.test('what changes holds for the next request, with two workers too', async (t) => {
  const service = await startService(t, 'one');
  const file = { replicas: { upstream: service }, messages: {}, ring: {}, service: {} };
  const { program, reload } = await begun(t, file, ['--workers', '2', '--heartbeat-path', '/']);
  const send = (body: string) => fetch(program.url, { method: 'POST', body });
  t.equal((await send('four')).status, 200);
  t.equal((await reload({ ...file, messages: { 'max-body-size': 3 } })).status, 200);
  t.equal((await send('four')).status, 413);
  t.match((await send('x')).headers.get('via'), /ringmaster/);
  t.equal((await reload({ ...file, messages: { via: false } })).status, 200);
  t.notOk((await send('four')).headers.get('via'));
  const explain = () =>
    program.json('/balancer/explain', { method: 'POST', body: '{"path":"/","headers":{"X-Room":"a"}}' });
  t.equal((await explain()).status, 400, 'such a request has no key');
  await reload({ ...file, ring: { key: 'header:X-Room' } });
  t.equal((await explain()).status, 200);
  t.notOk(program.log.some(({ level }) => level === 'debug'));
  await reload({ ...file, service: { log: 'debug' } });
  await fetch(program.url);
  // Of a worker, since the main thread logs no requests.
  t.match(await program.logged(({ level, worker }) => level === 'debug' && worker !== undefined), { level: 'debug' });
});

t.test('services join, leave and get other weights; those of /add and /rm stay as they are', async (t) => {
  const services = await Promise.all(['one', 'two', 'three', 'four'].map((name) => startService(t, name)));
  const [one = '', two = '', three = '', four = ''] = services;
  const withList = (...upstream: string[]) => ({ replicas: { upstream } });
  const { program, reload, ring } = await begun(t, withList(one, two), ['--heartbeat-path', '/']);
  const change = (method: string, path: string, body: unknown) =>
    program.json(path, { method, body: JSON.stringify(body) });
  await change('POST', '/add', { n: 1, addresses: [three] });
  await change('DELETE', '/rm', { n: 1, hostnames: [two] });

  const foreseen = await reload(withList(`${one}*3`, two, four), '?dry-run');
  t.match(foreseen.message, { dryRun: true, joins: [four], leaves: [], weights: { [one]: 3 } });
  t.same(await program.hostnames(), [one, three], 'nothing was done');
  t.equal((await reload(withList(`${one}*3`, two, four))).status, 200);
  t.same(await program.hostnames(), [one, three, four], 'two was removed by hand, and the file says nothing new of it');
  const { shares } = await ring();
  t.ok(Math.abs((shares[one] ?? 0) - 3 / 5) < 0.02, `${shares[one]}`);

  const before = shares[one] ?? 0;
  const leaving = await reload(withList(`${one}*3`, two), '?dry-run');
  t.match(leaving.message, { leaves: [four], joins: [] });
  t.ok((leaving.message.moved ?? 0) > 0.1);
  t.equal((await reload(withList(`${one}*3`, two))).status, 200);
  t.same(await program.hostnames(), [one, three]);
  t.ok(((await ring()).shares[one] ?? 0) > before);
  t.match(await program.logged(({ event }) => event === 'config-reloaded'), {
    changed: [`replicas.upstream ${one},${two} → ${one}*3,${two},${four}`],
  });
});

t.test('a service that does not answer changes nothing', async (t) => {
  const one = await startService(t, 'one');
  const flags = ['--heartbeat-interval', '50ms', '--heartbeat-timeout', '2s'];
  const { program, reload } = await begun(t, { replicas: { upstream: one } }, flags);
  const { status, message } = await reload({
    replicas: { upstream: [one, '127.0.0.1:1'] },
    messages: { 'max-body-size': 1 },
  });
  t.equal(status, 503);
  t.match(message, /127\.0\.0\.1:1 .*nothing was added/);
  t.same(await program.hostnames(), [one]);
  t.equal((await fetch(program.url, { method: 'POST', body: 'four' })).status, 200, 'the limit is as before');
  t.match(await program.logged(({ event }) => event === 'config-refused'), { level: 'error' });
});

t.test('the number of replicas in the file is scaled to, up and down', async (t) => {
  const withCount = (replicas: number) => ({ replicas: { replicas } });
  const { program, reload } = await begun(t, withCount(2));
  t.match((await reload(withCount(3), '?dry-run')).message, { joins: [/^server_/], leaves: [] });
  t.equal((await reload(withCount(3))).status, 200);
  const three = await program.hostnames();
  t.match(three, ['server1', 'server2', /^server_/]);
  await program.json('/add', { method: 'POST', body: '{"n": 1}' });
  t.equal((await reload({ ...withCount(3), ring: { hash: 'mixed' } })).status, 200);
  t.equal((await program.hostnames()).length, 4, 'the file says nothing new');
  t.equal((await reload(withCount(1))).status, 200);
  t.equal((await program.hostnames()).length, 1);
  t.equal((await reload(withCount(1))).status, 200);
});

t.test('what cannot change, and a wrong file, is refused: all of it is told, and nothing changes', async (t) => {
  const { program, path, reload, ring } = await begun(t, { replicas: { replicas: 1 } });
  const settled = await reload({
    replicas: { replicas: 2, 'start-timeout': '5s' },
    ring: { hash: 'modulo', slots: 64 },
    admin: { 'admin-token': 's3cret' },
  });
  t.equal(settled.status, 409);
  t.match(
    settled.message,
    /^<Error> admin\.admin-token .*\nreplicas\.start-timeout 30s → 5s takes a restart: .*\nring\.slots/,
  );
  const wrong = await reload({ rung: {}, ring: { slots: 0 } });
  t.equal(wrong.status, 400);
  t.equal(
    wrong.message as unknown,
    `<Error> ${path}:1:2: unknown group rung: did you mean ring?\n` +
      `${path}:1:28: ring.slots takes a whole number from 1 to 65536, not 0`,
  );
  t.match(await reload({}, '?dryrun'), { status: 400, message: /the query may have dry-run/ });
  t.equal((await reload({ rung: {} }, '?dry-run')).status, 400);
  t.equal((await ring()).hash, 'even');
  t.same(await program.hostnames(), ['server1']);
  const refusals = program.log.filter(({ event }) => event === 'config-refused');
  t.equal(refusals.length, 2, 'a dry run is no refusal');
  t.match(refusals[1], { file: path, reasons: [/unknown group rung/, /ring\.slots takes/] });
  t.notMatch(JSON.stringify(program.log), /s3cret/);
});

t.test('flags and variables of the start still go first', async (t) => {
  const { reload, ring } = await begun(t, { replicas: { replicas: 1 } }, ['--hash', 'mixed']);
  t.same((await reload({ replicas: { replicas: 1 }, ring: { hash: 'modulo' } })).message.changed, []);
  t.equal((await ring()).hash, 'mixed');
});

t.test('whoever may not change the fleet may not reload', async (t) => {
  const { program } = await begun(t, { replicas: { replicas: 1 } }, ['--admin', 'token', '--admin-token', 'x']);
  const ask = (headers: Record<string, string>) =>
    program.json('/balancer/reload', { method: 'POST', headers }).then(({ status }) => status);
  t.equal(await ask({}), 401);
  t.equal(await ask({ Authorization: 'Bearer x' }), 200);
});

t.test('without a file there is nothing to reload', async (t) => {
  const program = await startProgram(['--replicas', '1']);
  t.teardown(() => program.stop());
  t.match(await program.json('/balancer/reload', { method: 'POST' }), {
    status: 409,
    body: { message: /there is no file to read again/ },
  });
});

t.test('SIGHUP reloads where there is a file, again and again, and a wrong one does not end it', async (t) => {
  const { program, write } = await begun(t, { replicas: { replicas: 1 } });
  write({ replicas: { replicas: 2 } });
  program.process.kill('SIGHUP');
  t.match(await program.logged(({ event }) => event === 'config-reloaded'), {
    changed: ['replicas.replicas 1 → 2'],
  });
  t.equal((await program.hostnames()).length, 2);
  write({ replicas: { replicas: 'x' } });
  program.process.kill('SIGHUP');
  await program.logged(({ event }) => event === 'config-refused');
  write({ ring: { hash: 'quadratic' }, replicas: { replicas: 2 } });
  program.process.kill('SIGHUP');
  await program.logged(({ event, changed }) => event === 'config-reloaded' && String(changed).includes('ring.hash'));
  t.equal((await program.hostnames()).length, 2);
});

t.test('a terminal that closes ends it, file or not', { skip }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'ringmaster-reload-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'ringmaster.json');
  writeFileSync(path, '{ "replicas": { "replicas": 0 } }');
  // When `script` is killed, the terminal that it made is gone.
  const command = `exec ${process.execPath} ${MAIN} --config ${path} --port 0`;
  const terminal = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'ignore'] });
  let output = '';
  for await (const bytes of terminal.stdout) {
    output += bytes;
    if (/Ctrl-C\r\n/.test(output)) break;
  }
  const [, url = ''] = /listens on \S*?(http:\/\/[\d.:]+)/.exec(output) ?? [];
  t.equal((await fetch(`${url}/rep`)).status, 200);
  terminal.kill('SIGKILL');
  await once(terminal, 'exit');
  const isGone = () =>
    fetch(`${url}/rep`).then(
      () => false,
      () => true,
    );
  await t.resolves(eventually('it has ended', isGone));
});
