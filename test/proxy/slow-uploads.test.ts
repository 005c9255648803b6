// Bodies that come slowly: they hold no place at a replica, take a bounded memory, and end.

import { once } from 'node:events';
import net from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { KeptBytes } from '../../lib/proxy/exchange/kept-bytes.ts';
import { Patience } from '../../lib/proxy/exchange/patience.ts';
import type { ProxyLimits } from '../../lib/proxy/proxy-limits.ts';
import type { Options } from '../../lib/settings/options.ts';
import { advanceUntil, arrivals, pour, standstill, until } from '../fixtures/arrivals.ts';
import { startProxy, startTimed, tcp } from '../fixtures/proxy.ts';
import { connectRaw, exchangeRaw, type RawClient } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const GET = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
const post = (lengthBytes: number) => `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${lengthBytes}\r\n\r\n`;
const CHUNKED = 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
const KIB_64 = 65_536;

async function started(t: Test, options: Partial<Options> = {}, limits: Partial<ProxyLimits> = {}) {
  // The replica answers what has a body when that has ended, with its size.
  const replica = await scriptedReplica((socket, head) => {
    if (head.startsWith('GET')) socket.write(reply('got'));
  });
  const proxy = await startTimed([tcp(replica.port)], options, limits);
  const clients: RawClient[] = [];
  const connect = async (text: string | Buffer) => {
    const client = await connectRaw(proxy.port);
    clients.push(client);
    client.send(text);
    return client;
  };
  t.teardown(async () => {
    for (const { socket } of clients) socket.destroy();
    await Promise.all([proxy.close(), replica.close()]);
  });
  const { uploads } = proxy.proxy;
  return { replica, proxy, uploads, connect, clock: proxy.clock };
}

t.test('the attack: bodies of which a byte comes now and then hold no place at a replica', async (t) => {
  const { replica, proxy, uploads, connect } = await started(t, { maxInFlight: 4, queue: 0 });
  const slow = await Promise.all(Array.from({ length: 60 }, () => connect(`${post(1000)}1`)));
  await until(() => uploads.takenBytes === 60);
  for (let round = 0; round < 3; round++) {
    t.match(await exchangeRaw(proxy.port, GET), /^HTTP\/1.1 200 .*got$/s);
    for (const { send } of slow) send('2');
  }
  t.notMatch(replica.received.join(''), /POST/);
  const gone = slow.map(({ socket }) => once(socket, 'close'));
  for (const { socket } of slow) socket.destroy();
  await Promise.all(gone);
  await until(() => uploads.takenBytes === 0);
});

t.test('a replica is asked when the whole body is here', async (t) => {
  for (const [begin, middle, end, arrives] of [
    [post(5), 'he', 'llo', /Content-Length: 5\r\n.*\r\n\r\nhello$/s],
    [CHUNKED, '2\r\nhe\r\n3\r\nllo', '\r\n0\r\n\r\n', /\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n$/],
    [CHUNKED, '1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n2\r\nlo', '\r\n0\r\n\r\n', /\r\n\r\n1\r\nh\r\n4\r\nello\r\n0\r\n\r\n$/],
  ] as const) {
    const { replica, uploads, connect } = await started(t);
    const client = await connect(begin);
    client.send(middle);
    await until(() => uploads.takenBytes > 0);
    t.equal(replica.sockets.length, 0);
    client.send(end);
    await until(() => arrives.test(replica.received.join('')));
    t.equal(uploads.takenBytes, 0);
  }
});

t.test('or its first 64 KiB', async (t) => {
  const { replica, uploads, connect } = await started(t);
  const client = await connect(post(100_000) + 'a'.repeat(KIB_64 - 1));
  await until(() => uploads.takenBytes >= KIB_64 - 1);
  t.equal(replica.sockets.length, 0);
  client.send('b');
  await until(() => replica.received[0]?.endsWith('ab') === true);
  client.send('c');
  await until(() => replica.received[0]?.endsWith('abc') === true);
  t.equal(uploads.takenBytes, 0);
});

t.test('a body in pieces of any size arrives as it was sent, and again at the next replica', async (t) => {
  const received: string[] = [];
  const first = await scriptedReplica((socket) => socket.destroy());
  const second = await scriptedReplica((socket) => socket.write(reply('got')));
  const proxy = await startProxy([tcp(first.port), tcp(second.port)]);
  t.teardown(() => Promise.all([proxy.close(), first.close(), second.close()]));
  const pieces = [1, 4095, 1, 4096, 3, 5000, 2, 9000, 1, 1, 20_000].map((size, at) =>
    String.fromCharCode(97 + at).repeat(size),
  );
  const body = pieces.join('');
  const client = await connectRaw(proxy.port);
  client.send(`PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`);
  for (const piece of pieces) {
    client.send(piece);
    await turn();
  }
  await client.until(/got$/);
  received.push(...second.received);
  t.ok(received[0]?.endsWith(`\r\n\r\n${body}`));
  t.equal(proxy.proxy.uploads.takenBytes, 0);
  client.socket.destroy();
});

t.test('the attack: chunks of one byte take little more memory than they hold', async (t) => {
  const { uploads, connect } = await started(t);
  const client = await connect(CHUNKED);
  client.send('1\r\nx\r\n'.repeat(20_000));
  client.send(`${(10_000).toString(16)}\r\n${'y'.repeat(10_000)}\r\n`);
  await until(() => uploads.takenBytes > 30_000);
  t.ok(uploads.takenBytes < 30_000 + 2 * 4096, `${uploads.takenBytes}`);
});

t.test('a piece that is part of something larger does not keep that', (t) => {
  const kept = new KeptBytes();
  const read = Buffer.alloc(KIB_64, 'r');
  kept.add(read.subarray(7, 8));
  kept.add(read.subarray(0, 3));
  kept.add(read.subarray(0, 5000));
  kept.add(read.subarray(0, 60_000));
  t.same(
    kept.pieces.map(({ buffer }) => buffer.byteLength),
    [1, 4096, 5000, KIB_64],
  );
  t.equal(Buffer.concat(kept.pieces).toString(), 'r'.repeat(65_004));
  t.end();
});

t.test('when the memory for bodies is used up, the one that has been coming for longest is told 503', async (t) => {
  // What comes in two pieces takes up to 4 KiB more than it is long.
  const limitBytes = 10 * (KIB_64 + 4096);
  const { replica, proxy, uploads, connect } = await started(t, {}, { uploadMemoryBytes: limitBytes });
  const half = post(KIB_64) + 'x'.repeat(KIB_64 - 1);
  const slow: RawClient[] = [];
  while (!proxy.log.some((line) => line.event === 'request-failed')) {
    slow.push(await connect(half));
    await until(() => uploads.takenBytes >= Math.min(slow.length, 10) * (KIB_64 - 1));
  }
  t.ok(slow.length > 10);
  const ordinary = await connect(`${post(20)}${'o'.repeat(20)}`);
  await until(() => replica.received.join('').endsWith('oooo'));
  t.match((await (slow[0] as RawClient).closed).text, /^HTTP\/1.1 503 .*Connection: close.*been for longest/s);
  t.ok(uploads.takenBytes <= limitBytes);
  t.match(await exchangeRaw(proxy.port, GET), /got$/);
  for (const { socket } of slow) socket.destroy();
  await until(() => uploads.takenBytes === 0);
  ordinary.socket.destroy();
});

t.test('a body that waits for a place does not give way, and its memory comes back', async (t) => {
  const { replica, uploads, connect } = await started(t, { maxInFlight: 1 }, { uploadMemoryBytes: KIB_64 });
  const body = 'w'.repeat(40_000);
  await connect(`${post(1)}1`);
  await until(() => replica.received.length === 1);
  const waiting = await connect(post(body.length) + body);
  await until(() => uploads.takenBytes >= body.length);
  const slow = await connect(post(30_000) + 's'.repeat(29_999));
  t.match((await slow.closed).text, /^HTTP\/1.1 503 /, 'the only one that is still coming');
  replica.sockets[0]?.write(reply('first'));
  await until(() => replica.received.join('').endsWith('www'));
  t.equal(uploads.takenBytes, 0);
  waiting.socket.destroy();
});

t.test('a body that comes slower than it may is a 408, a byte now and then or not', async (t) => {
  const options = { minUploadRateBytesPerSecond: 1000 };
  const { connect, uploads, proxy, clock } = await started(t, options, { uploadGraceMs: 500 });
  const clients = [await connect(post(5000)), await connect(post(5000))];
  await until(() => proxy.begun() === 2);
  for (let passedMs = 0; passedMs < 1000; passedMs += 50) {
    if (passedMs === 500) t.same(proxy.log, [], 'nobody is slow yet');
    if (clients[1]?.socket.writable) clients[1].send('x');
    await arrivals();
    await clock.advance(50);
  }
  for (const { closed } of clients) {
    t.match((await closed).text, /^HTTP\/1.1 408 .*Connection: close.*bytes of its body in \d s/s);
  }
  t.equal(uploads.takenBytes, 0);
});

t.test('a body after a 100 has to come as fast', async (t) => {
  const replica = await scriptedReplica((socket) => socket.write('HTTP/1.1 100 Continue\r\n\r\n'));
  const options = { minUploadRateBytesPerSecond: 1000 };
  const proxy = await startTimed([tcp(replica.port)], options, { uploadGraceMs: 300 });
  t.teardown(() => Promise.all([proxy.close(), replica.close()]));
  const expecting = post(5000).replace('\r\n\r\n', '\r\nExpect: 100-continue\r\n\r\n');
  t.match(
    await advanceUntil(proxy.clock, exchangeRaw(proxy.port, expecting)),
    /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 408 /,
  );
});

t.test('a client whose bytes are not read is not slow', async (t) => {
  const lengthBytes = 30_000_000;
  let received = 0;
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      if (received === 0) socket.pause();
      received += bytes.length;
      if (received > lengthBytes) socket.write(reply('all'));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = tcp((server.address() as net.AddressInfo).port);
  const proxy = await startTimed([address], { minUploadRateBytesPerSecond: 2 ** 30 }, { uploadGraceMs: 1500 });
  t.teardown(async () => {
    await proxy.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const client = await connectRaw(proxy.port);
  client.send(post(lengthBytes));
  pour(client.socket, Buffer.alloc(lengthBytes, 'x'));
  await until(() => received > 0);
  await standstill(() => client.socket.bytesWritten);
  // Its replica takes nothing for longer than the client has for all of it.
  await proxy.clock.advance(3000);
  sockets[0]?.resume();
  await client.until(/all$/);
  client.socket.destroy();
});

t.test('only the time in which the client is waited for counts, and no look that came late', (t) => {
  const limits = { minUploadBytesPerSecond: 500, uploadGraceMs: 20_000 } as ProxyLimits;
  const patience = new Patience(limits);
  const looks = (wait: Parameters<Patience['lostPace']>[1], fromMs: number, toMs: number, receivedBytes: number) => {
    for (let nowMs = fromMs; nowMs < toMs; nowMs += 100) {
      if (patience.lostPace(nowMs, wait, receivedBytes) !== undefined) return nowMs;
    }
    return undefined;
  };
  t.equal(looks('replica-takes', 0, 100_000, 1), undefined);
  t.equal(looks('upload', 100_000, 110_000, 1), undefined);
  t.equal(looks('room', 110_000, 200_000, 1), undefined);
  t.equal(looks('upload', 900_000, 909_000, 1), undefined, 'nobody looked for 700 s');
  t.equal(looks('upload', 909_000, 913_000, 2000), undefined, 'each 500 bytes are another second');
  t.ok(looks('upload', 913_000, 930_000, 2000));
  let strikes = 0;
  const free = new Patience({ ...limits, minUploadBytesPerSecond: 0 });
  for (let nowMs = 0; nowMs < 100_000; nowMs += 100) strikes += free.lostPace(nowMs, 'upload', 0) === undefined ? 0 : 1;
  t.equal(strikes, 0);
  t.end();
});
