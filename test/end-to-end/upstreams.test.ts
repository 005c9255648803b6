// Services that somebody else runs: busy, restarting, not there, or asked the wrong way. They cannot be replaced, so they are judged with
// more patience than replicas of our own.

import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { freePort } from '../../bench/harness/ports.ts';
import { startProgram } from '../../bench/harness/program.ts';
import { openEvents } from '../fixtures/event-source.ts';

const QUICK = ['--heartbeat-interval', '50ms', '--heartbeat-timeout', '100ms'];

interface Service {
  readonly name: string;
  readonly port: number;
  /** Requests that came, heartbeats apart. */
  readonly asked: string[];
  /** While it is so, nothing is answered, as a server of one thread that is at work. */
  busy: boolean;
  /** Answers what waits; it is busy no longer. */
  release(): void;
  close(): Promise<void>;
}

/** @param answer to a heartbeat; other requests get 200. */
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
  // By some requests that is found out, and by heartbeats.
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
  const program = await start(t, [one], '--queue-timeout', '60s');
  const why = `${one.name} down: answers 404 to /heartbeat`;
  t.match(program.output(), `no replica: ${why}; try --heartbeat-path / or tcp\nstop: Ctrl-C\n`);
  t.notMatch(program.output(), /try: curl/);
  t.match(
    program.log.find((line) => line.event === 'replica-down'),
    {
      level: 'warn',
      hostname: one.name,
      reason: 'answers 404 to /heartbeat',
    },
  );
  const message = `<Error> no replica: ${why}; try --heartbeat-path / or tcp`;
  t.same(await program.json('/x'), { status: 503, body: { message, status: 'failure' } }, 'without a wait');
  t.same(await program.json('/balancer/ready'), { status: 503, body: { message, status: 'failure' } });
  const source = await openEvents(`${program.url}/balancer/events`);
  t.teardown(() => source.close());
  t.match(await source.until('snapshot'), {
    fleet: { seats: [{ replica: one.name, state: 'down', reason: 'answers 404 to /heartbeat' }] },
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
