// Services that somebody else runs: busy, restarting, absent, or asked in the wrong way. They cannot be replaced, so
// they are judged more patiently than our own replicas.

import { mkdtemp, rm } from 'node:fs/promises';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../../bench/harness/ports.ts';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { openEvents } from '../fixtures/event-source.ts';

const QUICK = ['--heartbeat-interval', '50ms', '--heartbeat-timeout', '100ms'];

interface Service {
  readonly name: string;
  readonly port: number;
  /** Requests that came, without heartbeats. */
  readonly asked: string[];
  /** While true, nothing is answered, as by a server with one thread that is busy. */
  busy: boolean;
  /** Answers all requests that wait, and ends `busy`. */
  release(): void;
  close(): Promise<void>;
}

/** @param answer is the status of heartbeats; other requests get 200. */
async function service(t: Test, answer = 200, port = 0): Promise<Service> {
  const waiting: (() => void)[] = [];
  const asked: string[] = [];
  const reply = (request: IncomingMessage, response: ServerResponse) =>
    response.writeHead(request.url === '/heartbeat' ? answer : 200).end('{"by":"service"}');
  const server = http.createServer((request, response) => {
    request.resume();
    if (request.url !== '/heartbeat') asked.push(`${request.method} ${request.url}`);
    if (one.busy) waiting.push(() => reply(request, response));
    else reply(request, response);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const { port: bound } = server.address() as AddressInfo;
  const one: Service = {
    name: `127.0.0.1:${bound}`,
    port: bound,
    asked,
    busy: false,
    release: () => {
      one.busy = false;
      for (const give of waiting.splice(0)) give();
    },
    close: async () => {
      server.closeAllConnections();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
  t.teardown(() => one.close());
  return one;
}

async function start(t: Test, services: readonly { readonly name: string }[], ...options: string[]) {
  const program = await startProgram(['--upstream', services.map(({ name }) => name).join(','), ...QUICK, ...options]);
  t.teardown(() => program.stop());
  return program;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

t.test('what runs at a busy service goes on when its heartbeats are missed; new requests go elsewhere', async (t) => {
  const [busy, other] = [await service(t), await service(t)];
  const program = await start(t, [busy, other], '--key', 'header:x-key');
  const send = async (method: string, key: string) => {
    const response = await fetch(`${program.url}/${key}`, { method, headers: { 'x-key': key } });
    return response.status;
  };
  const keys = Array.from({ length: 20 }, (_, index) => `key${index}`);
  for (const key of keys) await send('GET', key);
  const mine = keys.filter((key) => busy.asked.includes(`GET /${key}`));
  t.ok(mine.length > 1 && mine.length < 20);
  busy.asked.length = 0;
  other.asked.length = 0;

  busy.busy = true;
  const [first = '', second = ''] = mine;
  const running = [send('POST', first), send('GET', second)];
  const lost = await program.logged((line) => line.event === 'replica-lost');
  t.match(lost, { hostname: busy.name, reason: 'no answer to the heartbeat within 100 ms' });
  for (const key of keys) t.equal(await send('GET', key), 200);
  t.equal(busy.asked.length, 2, 'it got nothing new');
  t.equal(other.asked.length, 20, 'nothing of what ran there was run again');

  busy.release();
  t.same(await Promise.all(running), [200, 200]);
  await program.logged(
    (line) => line.event === 'replica-serving' && program.log.indexOf(line) > program.log.indexOf(lost),
  );
  t.equal(await send('GET', first), 200);
  t.ok(busy.asked.includes(`GET /${first}`), 'its keys are its own again');
});

t.test('an event stream of a busy service goes on', async (t) => {
  let say = (_text: string) => {};
  let busy = false;
  const server = http.createServer((request, response) => {
    if (request.url === '/events') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
      say = (text) => response.write(text);
    } else if (!busy) response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.closeAllConnections());
  const program = await start(
    t,
    [{ name: `127.0.0.1:${(server.address() as AddressInfo).port}` }],
    '--fail-open',
    'off',
  );
  const { body } = await fetch(`${program.url}/events`);
  busy = true;
  await program.logged((line) => line.event === 'replica-lost');
  say('data: still here\n\n');
  const { value } = (await body?.getReader().read()) ?? {};
  t.equal(Buffer.from(value ?? []).toString(), 'data: still here\n\n');
  server.close();
});

t.test('when all checks fail, requests go on to those that were the last to be well', async (t) => {
  const [one, two] = [await service(t), await service(t)];
  const program = await start(t, [one, two]);
  one.busy = true;
  two.busy = true;
  const opened = await program.logged((line) => line.event === 'failing-open');
  t.match(opened, { level: 'warn', to: [one.name, two.name] });
  const events = await openEvents(`${program.url}/balancer/events`);
  t.teardown(() => events.close());
  t.equal((await events.until('snapshot')).fleet.failsOpen, true, 'so says the dashboard');
  t.match((await program.json('/balancer/ring')).body, { failsOpen: true, absent: { [one.name]: /^down: no answer/ } });
  t.equal((await program.json('/balancer/ready')).status, 200);
  const answers = Array.from({ length: 6 }, () => program.json('/x'));
  while (one.asked.length + two.asked.length < 6) await turn();
  one.release();
  two.release();
  for (const answer of await Promise.all(answers)) t.equal(answer.status, 200);
  await program.logged((line) => line.event === 'failing-open-ended');
  await events.until('fleet', ({ failsOpen }) => failsOpen === false);
  t.equal(program.log.filter((line) => line.event === 'failing-open').length, 1, 'said once');
});

t.test('--fail-open off: then there is no replica, and the answer says why', async (t) => {
  const one = await service(t);
  const program = await start(t, [one], '--fail-open', 'off', '--queue-timeout', '200ms');
  one.busy = true;
  await program.logged((line) => line.event === 'replica-lost');
  const message = `<Error> no replica: ${one.name} down: no answer to the heartbeat within 100 ms`;
  t.same(await program.json('/x'), { status: 503, body: { message, status: 'failure' } });
  t.equal((await program.json('/balancer/ready')).status, 503);
  t.notOk(program.log.some((line) => line.event === 'failing-open'));
});

t.test('what was not sent waits while the only service restarts: none is lost', async (t) => {
  const first = await service(t);
  const program = await start(t, [first]);
  await first.close();
  const answers = Array.from({ length: 40 }, () => program.json('/x', { method: 'POST', body: 'vote' }));
  // Requests and heartbeats both find it out.
  await program.logged((line) => line.event === 'replica-lost');
  answers.push(program.json('/x', { method: 'POST', body: 'vote' }));
  const second = await service(t, 200, first.port);
  for (const { status } of await Promise.all(answers)) t.equal(status, 200);
  t.equal(second.asked.length, 41, 'each came once');
});

t.test('a service that stays away: who waits is told why in time, and later ones at once', async (t) => {
  const one = await service(t);
  const program = await start(t, [one], '--queue-timeout', '300ms');
  await one.close();
  const answer = await program.json('/x', { method: 'POST', body: 'vote' });
  t.match(answer, {
    status: 503,
    body: { message: /could not be reached: connect ECONNREFUSED|no replica: .* down: / },
  });
});

t.test('kill -9 of the only replica costs no request that was not sent', async (t) => {
  const program = await startProgram(['--replicas', '1']);
  t.teardown(() => program.stop());
  await program.json('/balancer/kill', { method: 'POST', body: '{"hostname":"server1"}' });
  const answers = await Promise.all(Array.from({ length: 10 }, () => program.json('/home')));
  for (const { status } of answers) t.equal(status, 200);
});

t.test('a service that answers 404 to the heartbeat is named at once, with what may help', async (t) => {
  const one = await service(t, 404);
  // On a busy machine an answer may take longer than the short time that the other tests give it.
  const beats = ['--heartbeat-interval', '50ms', '--heartbeat-timeout', '30s'];
  const program = await startProgram(['--upstream', one.name, ...beats, '--queue-timeout', '60s']);
  t.teardown(() => program.stop());
  const reason = 'it answers 404 to /heartbeat: is it there? --heartbeat-path / or tcp';
  const why = `${one.name} down: ${reason}`;
  t.match(program.output(), `no replica: ${why}\nstop: Ctrl-C\n`);
  t.notMatch(program.output(), /try: curl/);
  t.match(
    program.log.find((line) => line.event === 'replica-down'),
    {
      level: 'warn',
      hostname: one.name,
      reason,
    },
  );
  const message = `<Error> no replica: ${why}`;
  t.same(await program.json('/x'), { status: 503, body: { message, status: 'failure' } }, 'without a wait');
  t.same(await program.json('/balancer/ready'), { status: 503, body: { message, status: 'failure' } });
  const source = await openEvents(`${program.url}/balancer/events`);
  t.teardown(() => source.close());
  t.match(await source.until('snapshot'), {
    fleet: { seats: [{ replica: one.name, state: 'down', reason }] },
  });
});

t.test('one that is not there is named at once; when it comes it is served', async (t) => {
  const port = await freePort();
  const name = `127.0.0.1:${port}`;
  const program = await start(t, [{ name }]);
  t.match(program.output(), new RegExp(`no replica: ${name} down: connect ECONNREFUSED`));
  t.match(await program.json('/x'), { status: 503, body: { message: /down: connect ECONNREFUSED/ } });
  await service(t, 200, port);
  await program.logged((line) => line.event === 'replica-serving');
  t.equal((await program.json('/x')).status, 200);
  t.same(await program.json('/balancer/ready'), { status: 200, body: { message: 'ready', status: 'successful' } });
});

t.test('what counts as health, and by which Host, is up to --heartbeat-status and --heartbeat-host', async (t) => {
  const hosts: (string | undefined)[] = [];
  const server = http.createServer((request, response) => {
    hosts.push(request.headers.host);
    response.writeHead(301, { Location: '/' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const name = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const program = await start(t, [{ name }], '--heartbeat-status', '200-399', '--heartbeat-host', 'shop.example');
  await program.logged((line) => line.event === 'replica-serving');
  t.equal(hosts[0], 'shop.example');
});

t.test('--heartbeat-path tcp asks for nothing but a connection', async (t) => {
  const one = await service(t, 404);
  const program = await start(t, [one], '--heartbeat-path', 'tcp');
  t.equal((await program.json('/x')).status, 200);
  await one.close();
  await program.logged((line) => line.event === 'replica-lost');
});

t.test('answers with 5xx again and again are said, though the heartbeats are good', async (t) => {
  const server = http.createServer((request, response) =>
    response.writeHead(request.url === '/heartbeat' ? 200 : 500).end('{}'),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const name = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const program = await start(t, [{ name }]);
  const events = await openEvents(`${program.url}/balancer/events`);
  t.teardown(() => events.close());
  await events.until('snapshot');
  for (let count = 0; count < 20; count++) await program.json('/x');
  t.match(await program.logged((line) => line.event === 'replica-errs'), { level: 'warn', hostname: name });
  t.match((await program.json('/balancer/ring')).body, { erring: [name] });
  await events.until('fleet', ({ log }) =>
    log.some((entry: { what: string; replica: string }) => entry.what === 'erring' && entry.replica === name),
  );
});

/** Makes a change and resolves with status and body. */
const change = (program: Program, method: 'POST' | 'DELETE', path: string, body: unknown) =>
  program.json(path, { method, body: JSON.stringify(body) });
const repOf = (...replicas: string[]) => ({
  status: 200,
  body: { message: { N: replicas.length, replicas }, status: 'successful' },
});
const sharesOf = async (program: Program) =>
  ((await program.json('/balancer/ring')).body as { shares: Record<string, number> }).shares;

t.test('services are added and removed while it runs, by name or by address, with weights', async (t) => {
  const [one, two, three, four] = [await service(t), await service(t), await service(t), await service(t)];
  const program = await start(t, [{ name: `${one.name}*3` }, two]);
  t.same(await program.json('/rep'), repOf(one.name, two.name));
  const shares = await sharesOf(program);
  t.ok((shares[one.name] ?? 0) > 2.5 * (shares[two.name] ?? 1), 'host:port*3 has three times as much');

  const add = { n: 2, hostnames: ['app3'], addresses: [three.name, four.name], weights: [2] };
  const after = repOf(one.name, two.name, 'app3', four.name);
  const dry = await change(program, 'POST', '/add?dry-run', add);
  t.match(dry, { status: 200, body: { message: { N: 4, dryRun: true, replicas: after.body.message.replicas } } });
  t.equal(three.asked.length, 0);
  t.same(await program.json('/rep'), repOf(one.name, two.name), 'nothing was done');
  t.same(await change(program, 'POST', '/add', add), after);
  t.same(await change(program, 'POST', '/add', add), after, 'once more changes nothing');
  const grown = await sharesOf(program);
  t.ok((grown.app3 ?? 0) > 1.5 * (grown[four.name] ?? 1));
  while (three.asked.length === 0 || four.asked.length === 0) t.equal((await program.json('/x')).status, 200);

  t.same(
    await change(program, 'DELETE', '/rm?only-named', { n: 1, hostnames: [four.name] }),
    repOf(one.name, two.name, 'app3'),
  );
  four.asked.length = 0;
  for (let count = 0; count < 20; count++) await program.json('/x');
  t.equal(four.asked.length, 0);
  t.match((await change(program, 'DELETE', '/rm', { n: 2 })).body, { message: { N: 1 } });
  t.same(await change(program, 'DELETE', '/rm', { n: 9 }), repOf());
  t.match(await program.json('/x'), { status: 503, body: { message: /there is none in this fleet/ } });
  t.same(await change(program, 'POST', '/add', { n: 1, addresses: [two.name] }), repOf(two.name));
  t.equal((await program.json('/x')).status, 200);
});

t.test('one that is added takes the lowest free seat, and no key of the others moves', async (t) => {
  const all = await Promise.all([1, 2, 3, 4].map(() => service(t)));
  const [one, two, three, four] = all as [Service, Service, Service, Service];
  const program = await start(t, [one, two, three], '--key', 'header:x-key');
  const keys = Array.from({ length: 60 }, (_, index) => `key${index}`);
  const owners = async () => {
    for (const each of all) each.asked.length = 0;
    for (const key of keys) await fetch(`${program.url}/${key}`, { headers: { 'x-key': key } });
    return keys.map((key) => all.findIndex((each) => each.asked.includes(`GET /${key}`)));
  };
  const before = await owners();
  await change(program, 'DELETE', '/rm?only-named', { n: 1, hostnames: [two.name] });
  const without = await owners();
  before.forEach((owner, index) => {
    if (owner !== 1) t.equal(without[index], owner);
  });
  await change(program, 'POST', '/add', { n: 1, hostnames: ['app4'], addresses: [four.name] });
  t.same(
    await owners(),
    before.map((owner) => (owner === 1 ? 3 : owner)),
    'it has what the one had whose seat it takes',
  );
});

t.test('requests in flight at a service that is removed are answered', async (t) => {
  const [one, two] = [await service(t), await service(t)];
  const program = await start(t, [one, two], '--heartbeat-path', 'tcp');
  one.busy = true;
  const answers = Array.from({ length: 6 }, () => program.json('/x', { method: 'POST', body: 'vote' }));
  while (one.asked.length === 0) await turn();
  const removing = change(program, 'DELETE', '/rm', { n: 1, hostnames: [one.name] });
  await program.logged((line) => line.event === 'replica-leaving');
  t.equal((await program.json('/x')).status, 200);
  one.release();
  for (const { status } of await Promise.all(answers)) t.equal(status, 200);
  t.same(await removing, repOf(two.name));
  await program.logged((line) => line.event === 'replica-stopped');
  t.equal(one.asked.length + two.asked.length, 7, 'each came once');
});

t.test('a service that is not there, or not well, is not added; what it takes is said soon', async (t) => {
  const [one, sick] = [await service(t), await service(t, 404)];
  const program = await start(t, [one]);
  const port = await freePort();
  const add = (address: string) => change(program, 'POST', '/add', { n: 1, hostnames: ['app2'], addresses: [address] });
  t.match(await add(`127.0.0.1:${port}`), {
    status: 503,
    body: { message: /^<Error> app2 passed no heartbeat within 450 ms: connect ECONNREFUSED .*; nothing was added$/ },
  });
  t.match(await add(sick.name), {
    status: 503,
    body: {
      message:
        '<Error> app2 passed no heartbeat: it answers 404 to /heartbeat: is it there? --heartbeat-path / or tcp; nothing was added',
    },
  });
  t.same(await program.json('/rep'), repOf(one.name));
  t.equal(sick.asked.length, 0);
  const late = await service(t, 200, port);
  t.same(await add(late.name), repOf(one.name, 'app2'));
});

t.test('one that was added is watched as the others are: down, and back under its name', async (t) => {
  const [one, two] = [await service(t), await service(t)];
  const program = await start(t, [one]);
  await change(program, 'POST', '/add', { n: 1, hostnames: ['app2'], addresses: [two.name] });
  await two.close();
  t.match(await program.logged((line) => line.event === 'replica-lost'), { hostname: 'app2' });
  t.same(await program.json('/rep'), repOf(one.name, 'app2'));
  for (let count = 0; count < 10; count++) t.equal((await program.json('/x')).status, 200);
  const again = await service(t, 200, two.port);
  while (again.asked.length === 0) t.equal((await program.json('/x')).status, 200);
});

t.test('what cannot be added is refused, with the reason, and changes nothing', async (t) => {
  const [one, two, three] = [await service(t), await service(t), await service(t)];
  const program = await start(t, [one, two], '--max-replicas', '3');
  for (const [body, reason] of [
    [{ n: 1 }, /addresses\[0\] is missing: with --upstream nothing is started here/],
    [{ n: 1, hostnames: ['app3'] }, /addresses\[0\] is missing/],
    [{ n: 2, addresses: [three.name] }, /n must be at most 1 now: there are 2 replicas and the limit is 3, not 2/],
    [{ n: 1, addresses: [three.name, two.name] }, /addresses must be at most n, 1, not 2/],
    [{ n: 1, addresses: ['localhost'] }, /addresses\[0\] must be host:port or unix:\/path, not "localhost"/],
    [{ n: 1, hostnames: ['app3'], addresses: [two.name] }, /addresses\[0\] is that of 127.0.0.1:\d+, which is there/],
    [{ n: 1, hostnames: [one.name], addresses: [three.name] }, /addresses\[0\] must be .*: .* is there with that, not/],
    [{ n: 1, hostnames: [one.name], weights: [2] }, /weights\[0\] must be 1: .* is there with that, not 2/],
    [{ n: 2, hostnames: ['a', 'A'], addresses: [three.name] }, /hostnames\[1\] is the same as hostnames\[0\]/],
    [{ n: 1, hostnames: ['127.0.0.1:9'], addresses: [three.name] }, /hostnames\[0\] must be .*, not "127.0.0.1:9"/],
    [{ n: 4, addresses: [three.name] }, /n must be at most 1 now: there are 2 replicas and the limit is 3, not 4/],
  ] as const) {
    const answer = await change(program, 'POST', '/add', body);
    t.match(answer, { status: 400, body: { message: reason } }, JSON.stringify(body));
  }
  t.match(await change(program, 'DELETE', '/rm', { n: 1, addresses: [one.name] }), {
    status: 400,
    body: { message: /addresses are for \/add/ },
  });
  t.match(await change(program, 'DELETE', '/rm?only-named', { n: 1, hostnames: ['app9'] }), {
    status: 400,
    body: { message: /there is no app9/ },
  });
  t.match(await change(program, 'POST', '/balancer/kill', { hostname: one.name }), {
    status: 400,
    body: { message: /is run by somebody else: nothing here can end it/ },
  });
  t.same(await program.json('/rep'), repOf(one.name, two.name));
  t.match(await change(program, 'POST', '/add', { n: 1, hostnames: [one.name] }), { status: 200 }, 'it is there');
});

t.test('a list that is longer than what may be added still works', async (t) => {
  const one = await service(t);
  const many = Array.from({ length: 100 }, (_, index) => ({ name: `127.0.0.${index + 1}:${one.port}` }));
  const program = await start(t, many, '--heartbeat-path', 'off', '--slots', '128');
  t.equal((await program.hostnames()).length, 100);
  t.equal(Object.keys(await sharesOf(program)).length, 100);
  t.match(await change(program, 'POST', '/add', { n: 1, addresses: ['127.0.1.1:1'] }), {
    status: 400,
    body: { message: /nothing can be added now: there are 100 replicas and the limit is 64/ },
  });
  t.equal((await change(program, 'POST', '/add', { n: 1, hostnames: [many[0]?.name] })).status, 200, 'it is there');
  t.match((await change(program, 'DELETE', '/rm', { n: 40 })).body, { message: { N: 60 } });
});

t.test('beside replicas that are started here a service may be added; each is kept in its own way', async (t) => {
  const stateDir = await mkdtemp(join(tmpdir(), 'ringmaster-given-'));
  t.teardown(() => rm(stateDir, { recursive: true }));
  const options = ['--replicas', '1', '--state-dir', stateDir, '--fleet', 'mixed', '--keep-scale', ...QUICK];
  const one = await service(t);
  const first = await startProgram(options);
  t.match(await change(first, 'POST', '/add', { n: 1, hostnames: ['server1'], addresses: [one.name] }), {
    status: 400,
    body: { message: /server1 is there and was started here/ },
  });
  t.match(await change(first, 'POST', '/add', { n: 1, hostnames: [one.name] }), {
    status: 400,
    body: { message: /hostnames\[0\] must be a letter or digit/ },
  });
  const grown = await change(first, 'POST', '/add', { n: 2, hostnames: [one.name], addresses: [one.name] });
  const [, , third = ''] = (grown.body as { message: { replicas: string[] } }).message.replicas;
  t.match(third, /^server_/);
  t.same(grown, repOf('server1', one.name, third));
  while (one.asked.length === 0) t.equal((await first.json('/home')).status, 200);
  t.equal((await change(first, 'POST', '/balancer/kill', { hostname: 'server1' })).status, 200);
  await first.logged((line) => line.event === 'replica-lost' && line.hostname === 'server1');
  while ((await first.hostnames()).includes('server1')) await turn();
  const names = await first.hostnames();
  await first.logged((line) => line.event === 'replica-serving' && line.hostname === names.at(-1));
  await first.stop();
  const second = await startProgram(options);
  t.teardown(() => second.stop());
  t.same(await second.hostnames(), names, 'also by --keep-scale');
  one.asked.length = 0;
  while (one.asked.length === 0) t.equal((await second.json('/home')).status, 200);
});
