// Requests that are sent before the replies to those before them: answered in their order, and kept in memory in small
// number only.

import { channel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import net from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t, { type Test } from 'tap';
import { checkParser } from '../../lib/proxy/front/http1/parser.ts';
import type { Options } from '../../lib/settings/options.ts';
import { arrivals, until } from '../fixtures/arrivals.ts';
import { type Play, played } from '../fixtures/played.ts';
import { startProxy } from '../fixtures/proxy.ts';
import { connectRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const get = (path: string, fields = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;
// Not plain, so `http.Server` reads the connection from it on.
const odd = (path: string) => get(path, 'Connection: keep-alive, x-odd\r\n');
const post = (path: string, body: string, fields = `Content-Length: ${body.length}\r\n`) =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\n${fields}\r\n${body}`;
const chunked = (body: string) => `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const STREAM = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
const BOMB = 2450;
const bomb = Array.from({ length: BOMB }, (_, index) => `GET /${index} HTTP/1.1\r\nHost:x\r\n\r\n`).join('');

/** Answers each with its path; `/stream` with events, until it is told to end them. */
const echo: Play = (socket, head) => {
  const [, path = ''] = head.split(' ');
  socket.write(path === '/stream' ? `${STREAM}2\r\n: \r\n` : reply(`<${path}>`));
};

/** Counts the requests that are parsed while the test runs. */
function parsed(t: Test): { count: number } {
  const counted = { count: 0 };
  const onStart = () => {
    counted.count += 1;
  };
  channel('http.server.request.start').subscribe(onStart);
  t.teardown(() => channel('http.server.request.start').unsubscribe(onStart));
  return counted;
}

const paths = (text: string) => [...text.matchAll(/<(\/[^>]*)>/g)].map(([, path]) => path);
const numbers = (count: number) => Array.from({ length: count }, (_, index) => `/${index}`);

t.test('the parser of this Node does what is asked of it', async (t) => {
  await t.resolves(checkParser());
});

t.test('behind a reply without end a few requests wait, and no more is read', async (t) => {
  const cuts: [string, (text: string) => string[]][] = [
    ['in one write', (text) => [text]],
    ['in writes of 1,000 bytes', (text) => text.match(/.{1,1000}/gs) as string[]],
    ['in writes of one request', (text) => (text.match(/GET.*?\r\n\r\n/gs) as string[]).slice(0, 400)],
  ];
  for (const [name, cut] of cuts) {
    const { replica, proxy } = await played(t, {}, echo);
    const counted = parsed(t);
    const client = await connectRaw(proxy.port);
    client.send(odd('/stream'));
    await client.until(/: /);
    const pieces = cut(bomb);
    for (const piece of pieces) {
      client.send(piece);
      if (pieces.length > 1) await turn();
    }
    await until(() => counted.count > 1);
    await arrivals();
    t.ok(counted.count > 1 && counted.count <= 10, `${name}: ${counted.count} were parsed`);
    replica.sockets[0]?.write('0\r\n\r\n');
    const sent = (pieces.join('').match(/GET/g) as string[]).length;
    await client.until((text) => text.endsWith(`<${`/${sent - 1}`}>`));
    t.same(paths(client.text), numbers(sent), `${name}: all are answered, in order, when it ends`);
    client.socket.destroy();
  }
});

t.test('what waits is bounded in bytes too', async (t) => {
  const { proxy } = await played(t, {}, echo);
  const counted = parsed(t);
  const client = await connectRaw(proxy.port);
  client.send(odd('/stream'));
  await client.until(/: /);
  const large = (path: string) => get(path, `b: ${'c'.repeat(120)}\r\n`.repeat(240));
  client.send(large('/1') + large('/2') + large('/3'));
  await until(() => counted.count >= 2);
  await arrivals();
  t.equal(counted.count, 2, 'of three heads of 30 KB one');
  client.socket.destroy();
});

t.test('behind a plain request bytes wait, and no more of them are read than are to be kept', async (t) => {
  const { replica, proxy } = await played(t, {}, echo);
  let server: net.Socket | undefined;
  const onSocket = (message: unknown) => {
    const { socket } = message as { socket: net.Socket };
    if (socket.localPort === proxy.port) server = socket;
  };
  channel('net.server.socket').subscribe(onSocket);
  t.teardown(() => channel('net.server.socket').unsubscribe(onSocket));
  for (const size of [7, 1000, 70_000]) {
    const client = await connectRaw(proxy.port);
    client.send(get('/stream'));
    await client.until(/: /);
    const text = bomb + get('/last', `x: ${'y'.repeat(8000)}\r\n`).repeat(50);
    for (let at = 0; at < text.length; at += size) {
      client.send(text.slice(at, at + size));
      if (size < 1000 && at < 50_000) await turn();
    }
    await arrivals();
    const readBytes = server?.bytesRead ?? 0;
    t.ok(readBytes > 32_000 && readBytes < 110_000, `${readBytes} bytes are read`);
    replica.sockets.at(-1)?.write('0\r\n\r\n');
    await client.until((heard) => paths(heard).length === BOMB + 50);
    t.same(paths(client.text).slice(0, BOMB), numbers(BOMB));
    client.socket.destroy();
  }
});

t.test('a plain connection is given to the server in its turn, with all that came', async (t) => {
  const body = 'u\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
  const behind = `${get('/1')}${post('/2', body)}${get('/3')}${post('/4', chunked('uvw'), CHUNKED)}${get('/5')}${odd('/6')}`;
  for (const size of [1, 5, 10_000]) {
    const { replica, proxy } = await played(t, {}, echo);
    const client = await connectRaw(proxy.port);
    client.send(get('/stream'));
    await client.until(/: /);
    for (let at = 0; at < behind.length; at += size) {
      client.send(behind.slice(at, at + size));
      await turn();
      // In the middle of what comes.
      if (at <= behind.length / 2 && at + size > behind.length / 2) replica.sockets[0]?.write('0\r\n\r\n');
    }
    await client.until(/<\/6>$/);
    t.same(paths(client.text), numbers(7).slice(1));
    client.socket.destroy();
  }
});

t.test('a body waits in the socket, and is not taken for requests', async (t) => {
  const { replica, proxy } = await played(t, {}, echo);
  const counted = parsed(t);
  const client = await connectRaw(proxy.port);
  client.send(odd('/stream'));
  await client.until(/: /);
  const body = 'u\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
  client.send(
    get('/0') + post('/1', body) + post('/2', chunked(body), CHUNKED) + get('/3') + post('/4', '') + get('/5'),
  );
  await until(() => counted.count >= 3);
  await arrivals();
  t.equal(counted.count, 3);
  replica.sockets[0]?.write('0\r\n\r\n');
  await client.until(/<\/5>$/);
  t.same(paths(client.text), numbers(6));
  client.socket.destroy();
});

t.test('all are answered in order behind anything', async (t) => {
  const first: [string, string, string?][] = [
    ['a slow reply', get('/slow')],
    ['an upload', post('/slow', `${'u'.repeat(300_000)}\r\n\r\n`), 'u\r\n\r\n'],
    ['a chunked upload', post('/slow', chunked(`${'u'.repeat(3000)}`), CHUNKED), '0\r\n\r\n'],
    ['an offer that is passed over', get('/slow', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n')],
    ['a HEAD', get('/slow').replace('GET', 'HEAD')],
  ];
  for (const [name, request, end = '\r\n\r\n'] of first) {
    const { replica, proxy } = await played(t, {}, async (socket, head, count) => {
      if (!head.includes('/slow')) return echo(socket, head, count);
      await until(() => replica.received[0]?.endsWith(end) === true);
      // What is behind it is there too before it is answered.
      await arrivals();
      socket.write(reply('', 'X: slow\r\n'));
    });
    const client = await connectRaw(proxy.port);
    client.send(request + bomb);
    await client.until((text) => text.endsWith(`</${BOMB - 1}>`));
    t.same(paths(client.text), numbers(BOMB), name);
    t.match(client.text, /^HTTP\/1.1 200 OK\r\nX: slow/);
    client.socket.destroy();
  }
});

/** A proxy that answers `/own…` itself, when it is told to. */
async function withOwn(t: Test, options: Partial<Options> = {}) {
  const own: ServerResponse[] = [];
  const replica = await scriptedReplica(echo);
  const proxy = await startProxy(
    [{ type: 'tcp', host: '127.0.0.1', port: replica.port }],
    options,
    undefined,
    {},
    (request) => {
      if (request.url?.startsWith('/own') !== true) return undefined;
      return (response) => own.push(response);
    },
  );
  t.teardown(() => Promise.all([proxy.close(), replica.close()]));
  return { proxy, own, replica };
}

t.test('the same behind an answer of the balancer’s own', async (t) => {
  const { proxy, own } = await withOwn(t);
  const counted = parsed(t);
  const client = await connectRaw(proxy.port);
  client.send(get('/own') + bomb);
  while (own.length === 0) await turn();
  own[0]?.writeHead(200, { 'Content-Type': 'text/event-stream' });
  for (let count = 0; count < 5; count++) {
    own[0]?.write(': still here\n\n');
    await arrivals();
  }
  t.ok(counted.count <= 10, `${counted.count} were parsed`);
  own[0]?.end();
  await client.until((text) => text.endsWith(`</${BOMB - 1}>`));
  t.same(paths(client.text), numbers(BOMB));
  client.socket.destroy();
});

t.test('a reader so slow that Node pauses the connection itself changes nothing', async (t) => {
  const { proxy, own } = await withOwn(t);
  const counted = parsed(t);
  const client = net.connect(proxy.port, '127.0.0.1');
  const heard: Buffer[] = [];
  client.on('data', (bytes: Buffer) => heard.push(bytes)).pause();
  client.write(get('/own'));
  while (own.length === 0) await turn();
  const [response] = own as [ServerResponse];
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  const large = `: ${'x'.repeat(1_000_000)}\n\n`;
  while (response.write(large)) await turn();
  client.write(bomb);
  for (let round = 0; round < 10; round++) {
    const drained = once(response, 'drain');
    client.resume();
    await drained;
    client.pause();
    while (response.write(large)) await turn();
  }
  t.ok(counted.count <= 10, `${counted.count} were parsed after 10 drains`);
  client.resume();
  response.end();
  while (
    heard
      .at(-1)
      ?.toString('latin1')
      .endsWith(`</${BOMB - 1}>`) !== true
  )
    await once(client, 'data');
  t.same(paths(Buffer.concat(heard).toString('latin1')), numbers(BOMB));
  client.destroy();
});

t.test('what is behind the last request that a connection may carry is dropped', async (t) => {
  const { replica, proxy } = await played(t, {}, echo);
  const client = await connectRaw(proxy.port);
  client.send(get('/stream', 'Connection: close\r\n') + bomb);
  await client.until(/: /);
  replica.sockets[0]?.write('0\r\n\r\n');
  const { text, reset } = await client.closed;
  t.match(text, /0\r\n\r\n$/);
  t.notOk(reset);
  const { proxy: second } = await played(t, { maxRequestsPerConnection: 20 }, echo);
  const other = await connectRaw(second.port);
  other.send(bomb);
  const heard = await other.closed;
  t.same(paths(heard.text), numbers(20));
  t.notOk(heard.reset);
});

t.test('what is no request behind those that wait is refused in its turn', async (t) => {
  for (const count of [1, 7, 8, 9, 16, 17, 40]) {
    const { proxy } = await played(t, {}, async (socket, head, number) => {
      await arrivals();
      echo(socket, head, number);
    });
    const client = await connectRaw(proxy.port);
    client.send(
      `${numbers(count)
        .map((path) => get(path))
        .join('')}nonsense\r\n\r\n${get('/smuggled')}`,
    );
    const { text } = await client.closed;
    t.same(paths(text), numbers(count), `${count} are answered`);
    t.match(text, /HTTP\/1.1 400 [^<]*<Error>[^<]*$/);
  }
});

t.test('an offer behind many is made in its turn, and its bytes go the right way', async (t) => {
  const { replica, proxy } = await played(t, {}, async (socket, head, count) => {
    await arrivals();
    if (!head.includes('Upgrade')) echo(socket, head, count);
    else socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\nhello');
  });
  const client = await connectRaw(proxy.port);
  const requests = numbers(30).map((path) => get(path));
  client.send(`${requests.join('')}${get('/t', 'Connection: Upgrade\r\nUpgrade: test\r\n')}early`);
  await client.until(/hello$/);
  t.same(paths(client.text), numbers(30));
  client.send(' and late');
  while (!replica.received.some((text) => text.endsWith('early and late'))) await turn();
  client.socket.destroy();
});

t.test('a client that goes while many of its requests wait does no harm', async (t) => {
  const { replica, proxy } = await played(t, {}, echo);
  for (const end of ['destroy', 'resetAndDestroy', 'end'] as const) {
    const client = await connectRaw(proxy.port);
    client.send(get('/stream'));
    await client.until(/: /);
    client.send(bomb);
    await turn();
    client.socket[end]();
    client.socket.destroy();
  }
  const client = await connectRaw(proxy.port);
  client.send(get('/alive'));
  await client.until(/<\/alive>$/);
  t.notOk(replica.received.join('').includes('GET /1 '));
  client.socket.destroy();
});

t.test('the bomb: 200 connections with 62 KiB each hold little more than that', async (t) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const held = async () => {
    for (let round = 0; round < 3; round++) {
      collect();
      await arrivals();
    }
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const { proxy } = await played(t, {}, echo);
  const clients = await Promise.all(Array.from({ length: 200 }, () => connectRaw(proxy.port)));
  for (const client of clients) client.send(get('/stream'));
  await Promise.all(clients.map((client) => client.until(/: /)));
  const before = await held();
  for (const client of clients) client.send(`GET / HTTP/1.1\r\nHost:x\r\n\r\n`.repeat(BOMB).slice(0, 62 * 1024));
  await until(() => clients.every(({ socket }) => socket.writableLength === 0));
  await arrivals();
  const grownKiB = ((await held()) - before) / 1024 / clients.length;
  t.ok(grownKiB < 130, `${Math.round(grownKiB)} KiB for each`);
  t.comment(`${Math.round(grownKiB)} KiB for each`);
  for (const { socket } of clients) socket.destroy();
});
