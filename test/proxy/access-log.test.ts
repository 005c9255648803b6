// Which requests get a line of the access log, and what it says of how they went.

import t from 'tap';
import { hashText } from '../../lib/core/ring/hashes/text.ts';
import type { Options } from '../../lib/settings/options.ts';
import { advanceUntil, arrivals, until } from '../fixtures/arrivals.ts';
import { type Play, played, timed } from '../fixtures/played.ts';
import { startProxy, type TestProxy, tcp } from '../fixtures/proxy.ts';
import { connectRaw, exchangeRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const CLOSE = 'Host: x\r\nConnection: close\r\n';
const ALL: Partial<Options> = { accessLog: 'all', accessLogFormat: 'json' };

type Line = Record<string, unknown>;
const linesOf = (proxy: TestProxy): Line[] =>
  proxy
    .accessLog()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

/** The line of the request that is over next. */
async function nextLine(proxy: TestProxy, after = 0): Promise<Line> {
  await until(() => linesOf(proxy).length > after);
  return linesOf(proxy)[after] as Line;
}

const plays: Play = (socket, head) => {
  const [, path] = head.split(' ');
  if (path === '/missing') socket.write(reply('not here').replace('200 OK', '404 Not Found'));
  else if (path === '/half') socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
  else if (path === '/begun') socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
  else if (path === '/chunks')
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n');
  else if (path === '/switch') {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n');
    socket.once('data', () => socket.end('answer'));
  } else if (path !== '/silent') socket.write(reply('hello'));
};

t.test('how requests end, in both bytes and words', async (t) => {
  const { proxy } = await played(t, ALL, plays);
  const expected: [string, Line][] = [
    [`GET /a?b=c HTTP/1.1\r\n${CLOSE}\r\n`, { method: 'GET', target: '/a?b=c', status: 200, bytesOut: 5, ended: 'ok' }],
    [`HEAD / HTTP/1.0\r\n${CLOSE}\r\n`, { method: 'HEAD', version: '1.0', bytesOut: 0 }],
    [`GET /missing HTTP/1.1\r\n${CLOSE}\r\n`, { status: 404, bytesOut: 8, ended: 'ok', replica: 'server1', seat: 1 }],
    [`PUT / HTTP/1.1\r\n${CLOSE}Content-Length: 4\r\n\r\nbody`, { bytesIn: 4, bytesOut: 5, attempts: 1, lost: [] }],
    [
      `PUT / HTTP/1.1\r\n${CLOSE}Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n2\r\nxy\r\n0\r\n\r\n`,
      { bytesIn: 6, ended: 'ok' },
    ],
    [`GET /chunks HTTP/1.1\r\n${CLOSE}\r\n`, { bytesOut: 7 }],
    [`GET /half HTTP/1.1\r\n${CLOSE}\r\n`, { status: 200, bytesOut: 4, ended: 'bad-reply' }],
    [`GET / HTTP/1.1\r\nConnection: close\r\n\r\n`, { status: 400, ended: 'bad-request', target: '/', attempts: 0 }],
    ['nonsense\r\n\r\n', { status: 400, ended: 'bad-request', method: null, target: null, client: '127.0.0.1' }],
    [`GET / HTTP/1.1\r\n${CLOSE}X: ${'y'.repeat(70_000)}\r\n\r\n`, { status: 431, ended: 'head-too-large' }],
    ['CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', { status: 501, ended: 'not-implemented' }],
    [`TRACE / HTTP/1.1\r\n${CLOSE}Max-Forwards: 0\r\n\r\n`, { status: 200, ended: 'own', method: 'TRACE' }],
  ];
  for (const [index, [ask, wanted]] of expected.entries()) {
    const { length } = (await exchangeRaw(proxy.port, ask)).replace(/^.*?\r\n\r\n/s, '');
    const line = await nextLine(proxy, index);
    t.match(line, wanted, ask.slice(0, 40));
    if (!ask.includes('/chunks')) t.equal(line.bytesOut, length, `${ask.slice(0, 40)}: the bytes that came`);
  }
  t.equal(linesOf(proxy).length, expected.length, 'one line for each');
});

t.test('its id is the one that the client is told, its key and slot are where it went', async (t) => {
  const key = [{ type: 'header', name: 'x-user' } as const, { type: 'request' } as const];
  const replica = await scriptedReplica(plays);
  const proxy = await startProxy([tcp(replica.port)], ALL, key);
  t.teardown(() => Promise.all([proxy.close(), replica.close()]));
  await exchangeRaw(proxy.port, `GET / HTTP/1.1\r\n${CLOSE}X-User: alice\r\n\r\n`);
  t.match(await nextLine(proxy), { key: hashText('alice'), slot: 0 }, 'the text of a key may be a secret');
  await exchangeRaw(proxy.port, `GET / HTTP/1.1\r\n${CLOSE}\r\n`);
  const { key: own, requestId } = await nextLine(proxy, 1);
  t.equal(own, requestId);
  await replica.close();
  const answer = await exchangeRaw(proxy.port, `POST / HTTP/1.1\r\n${CLOSE}\r\n`);
  t.equal(`${(await nextLine(proxy, 2)).requestId}`, /X-Request-Id: (\d+)/.exec(answer)?.[1]);
});

t.test('a client behind a trusted proxy is the one that the proxy names', async (t) => {
  const { proxy } = await played(t, { ...ALL, trustProxy: ['loopback'] }, plays);
  await exchangeRaw(proxy.port, `GET / HTTP/1.1\r\n${CLOSE}X-Forwarded-For: 198.51.100.7, 192.0.2.9\r\n\r\n`);
  t.match(await nextLine(proxy), { client: '192.0.2.9' });
});

t.test('attempts that were lost, where and why', async (t) => {
  const { proxy } = await played(t, ALL, (socket) => socket.destroy(), plays);
  t.match(await exchangeRaw(proxy.port, `GET / HTTP/1.1\r\n${CLOSE}\r\n`), /hello$/);
  t.match(await nextLine(proxy), {
    ...{ status: 200, ended: 'ok', replica: 'server2', seat: 2, attempts: 2 },
    lost: [{ seat: 1, replica: 'server1', why: 'connection-lost' }],
  });
  t.match(await exchangeRaw(proxy.port, `POST / HTTP/1.1\r\n${CLOSE}\r\n`), / 502 /);
  t.match(await nextLine(proxy, 1), {
    ...{ status: 502, ended: 'connection-lost', replica: 'server1', attempts: 1 },
    lost: [{ seat: 1, why: 'connection-lost' }],
  });
});

t.test('times come one after the other; a connection that was there takes none', async (t) => {
  const { proxy } = await played(t, ALL, plays);
  const client = await connectRaw(proxy.port);
  for (const count of [1, 2]) {
    client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await client.until((text) => text.match(/hello/g)?.length === count);
    const line = (await nextLine(proxy, count - 1)) as Record<string, number>;
    const { queueMs = -1, connectMs = -1, firstByteMs = -1, totalMs = -1 } = line;
    t.ok(queueMs >= 0 && firstByteMs >= queueMs + connectMs && totalMs >= firstByteMs, JSON.stringify(line));
    if (count === 1) t.ok(connectMs > 0);
    else t.equal(connectMs, 0);
  }
  client.socket.destroy();
});

t.test('a client that leaves: 499 before there is a reply, else what it was told', async (t) => {
  const { replica, proxy } = await played(t, ALL, plays);
  const before = await connectRaw(proxy.port);
  before.send('GET /silent HTTP/1.1\r\nHost: x\r\n\r\n');
  await until(() => replica.received.length === 1);
  before.socket.resetAndDestroy();
  t.match(await nextLine(proxy), { status: 499, ended: 'client-left', replica: 'server1', firstByteMs: null });
  const amid = await connectRaw(proxy.port);
  amid.send('GET /begun HTTP/1.1\r\nHost: x\r\n\r\n');
  await amid.until(/half$/);
  amid.socket.resetAndDestroy();
  t.match(await nextLine(proxy, 1), { status: 200, ended: 'client-left', bytesOut: 4 });
});

t.test('what takes too long, on either side', async (t) => {
  const limits = { replyTimeoutMs: 500, bodyTimeoutMs: 500, tunnelIdleTimeoutMs: 500 };
  const { proxy, clock } = await timed(t, { ...ALL, ...limits }, plays);
  t.match(await advanceUntil(clock, exchangeRaw(proxy.port, `GET /silent HTTP/1.1\r\n${CLOSE}\r\n`)), / 504 /);
  t.match(await nextLine(proxy), { status: 504, ended: 'reply-timeout' });
  const upload = `PUT / HTTP/1.1\r\n${CLOSE}Content-Length: 9\r\n\r\nhalf`;
  t.match(await advanceUntil(clock, exchangeRaw(proxy.port, upload)), / 408 /);
  t.match(await nextLine(proxy, 1), { status: 408, ended: 'request-timeout', bytesIn: 4, replica: null });
});

t.test('a tunnel counts what passes both ways', async (t) => {
  const { proxy } = await played(t, ALL, plays);
  const client = await connectRaw(proxy.port);
  client.send('GET /switch HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n');
  await client.until(/\r\n\r\n$/);
  client.send('question');
  await client.closed;
  t.match(await nextLine(proxy), { status: 101, ended: 'ok', bytesIn: 8, bytesOut: 6 });
});

t.test('what the balancer answers itself', async (t) => {
  const replica = await scriptedReplica(plays);
  const own = (request: { url?: string | undefined }) => {
    if (request.url === '/own') {
      return (response: import('node:http').ServerResponse) => {
        response.writeHead(404, { 'Content-Length': 4 }).end('none');
      };
    }
    if (request.url !== '/stream') return undefined;
    return (response: import('node:http').ServerResponse) => void response.writeHead(200).write('event');
  };
  const proxy = await startProxy([tcp(replica.port)], ALL, undefined, {}, own);
  t.teardown(() => Promise.all([proxy.close(), replica.close()]));
  const client = await connectRaw(proxy.port);
  client.send(`GET /own HTTP/1.1\r\nHost: x\r\n\r\nPOST /own HTTP/1.1\r\n${CLOSE}Content-Length: 4\r\n\r\nbody`);
  await client.closed;
  await nextLine(proxy, 1);
  t.match(linesOf(proxy), [
    { method: 'GET', target: '/own', status: 404, bytesIn: 0, bytesOut: 4, ended: 'own', replica: null },
    { method: 'POST', target: '/own', status: 404, bytesIn: 4, bytesOut: 4, ended: 'own' },
  ]);
  const watcher = await connectRaw(proxy.port);
  watcher.send('GET /stream HTTP/1.1\r\nHost: x\r\n\r\n');
  await watcher.until(/event/);
  watcher.socket.destroy();
  t.match(await nextLine(proxy, 2), { status: 200, ended: 'client-left' });
});

t.test(
  'with `errors`, only what did not go well: and that a client leaves amid its reply is no such thing',
  async (t) => {
    const { replica, proxy } = await played(t, { ...ALL, accessLog: 'errors' }, plays);
    for (const path of ['/', '/missing', '/half', '/chunks']) {
      await exchangeRaw(proxy.port, `GET ${path} HTTP/1.1\r\n${CLOSE}\r\n`);
    }
    await exchangeRaw(proxy.port, 'nonsense\r\n\r\n');
    const amid = await connectRaw(proxy.port);
    amid.send('GET /begun HTTP/1.1\r\nHost: x\r\n\r\n');
    await amid.until(/half$/);
    amid.socket.resetAndDestroy();
    const before = await connectRaw(proxy.port);
    before.send('GET /silent HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => replica.received.join('').includes('/silent'));
    before.socket.resetAndDestroy();
    await nextLine(proxy, 3);
    t.same(
      linesOf(proxy).map(({ status, ended }) => [status, ended]),
      [
        [404, 'ok'],
        [200, 'bad-reply'],
        [400, 'bad-request'],
        [499, 'client-left'],
      ],
    );
  },
);

t.test('it can be changed while requests come, by a plan', async (t) => {
  const { replica, proxy } = await played(t, {}, plays);
  const ask = () => exchangeRaw(proxy.port, `GET / HTTP/1.1\r\n${CLOSE}\r\n`);
  await ask();
  await arrivals();
  t.equal(proxy.accessLog(), '', 'off is the default');
  const { limits } = proxy.proxy;
  Object.assign(limits, { accessLog: 'all' });
  await ask();
  await nextLine(proxy);
  Object.assign(limits, { accessLogFormat: 'combined' });
  await ask();
  await until(() => proxy.accessLog().split('\n').length === 3);
  t.match(proxy.accessLog().split('\n')[1], /^127\.0\.0\.1 - - \[.*\] "GET \/ HTTP\/1\.1" 200 5 "-" "-"$/);
  Object.assign(limits, { accessLog: 'off' });
  await ask();
  await arrivals();
  t.equal(proxy.accessLog().split('\n').length, 3);
  t.equal(replica.received.length > 0, true);
});
