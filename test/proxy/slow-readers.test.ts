// Clients that are slow to take their replies: small replies wait here and not at the replica, in a bounded memory.

import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { ProxyLimits } from '../../lib/proxy/proxy-limits.ts';
import type { Options } from '../../lib/settings/options.ts';
import { advanceUntil, pour, standstill, until } from '../fixtures/arrivals.ts';
import { startProxy, startTimed, tcp } from '../fixtures/proxy.ts';
import { connectRaw, exchangeRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const GET = 'GET /small HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
const SIZE_BYTES = 200_000;
const LARGE = 'z'.repeat(30_000_000);
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const chunkedHead = (type: string) => `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`;

/** What a replica says, by path. */
const ANSWERS: Readonly<Record<string, string>> = {
  '/small': reply('small'),
  '/page': reply('x'.repeat(SIZE_BYTES)),
  '/pieces': `${chunkedHead('text/plain')}${chunk('y'.repeat(20_000)).repeat(10)}0\r\n\r\n`,
  '/large': reply(LARGE),
  '/unknown': `${chunkedHead('text/plain')}${chunk(LARGE)}0\r\n\r\n`,
  '/events': chunkedHead('text/event-stream') + chunk(LARGE),
};

async function started(t: Test, options: Partial<Options>, limits: Partial<ProxyLimits> = {}) {
  const replica = await scriptedReplica((socket, head) => {
    pour(socket, ANSWERS[head.split(' ')[1] as string] as string);
  });
  const proxy = await startTimed([tcp(replica.port)], { maxInFlight: 1, ...options }, limits);
  t.teardown(() => Promise.all([proxy.close(), replica.close()]));
  /** All that the replica could say has been said. */
  const said = () => standstill(() => replica.sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0));
  /** A client that reads nothing, and asks for more than the system takes for it. */
  const stuck = async (path: string) => {
    const client = await connectRaw(proxy.port);
    client.socket.pause();
    client.send(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(100));
    return client;
  };
  return { proxy, replies: proxy.proxy.replies, stuck, said, clock: proxy.clock };
}

for (const path of ['/page', '/pieces']) {
  t.test(`the attack: who takes nothing of ${path} holds no place at its replica`, async (t) => {
    const { proxy, replies, stuck } = await started(t, { queueTimeoutMs: 60_000 });
    const [reading, ...leaving] = await Promise.all(Array.from({ length: 5 }, () => stuck(path)));
    t.match(await exchangeRaw(proxy.port, GET), /small$/);
    await until(() => replies.takenBytes > 0);
    t.match(await exchangeRaw(proxy.port, GET), /small$/);
    t.ok(replies.takenBytes < 5 * 300_000, `${replies.takenBytes}`);
    const gone = leaving.map(({ socket }) => once(socket, 'close'));
    for (const { socket } of leaving) socket.resetAndDestroy();
    await Promise.all(gone);
    reading?.socket.resume();
    await until(() => (reading?.socket.bytesRead ?? 0) > 100 * SIZE_BYTES);
    await until(() => replies.takenBytes === 0);
    reading?.socket.destroy();
  });
}

t.test('when the memory for replies is used up, a replica waits for its client', async (t) => {
  const { proxy, replies, stuck, said, clock } = await started(t, { queueTimeoutMs: 500 }, { replyMemoryBytes: 1 });
  const begin = async () => {
    const begun = await stuck('/page');
    await until(() => replies.takenBytes > 0);
    await said();
    return begun;
  };
  let client = await begin();
  while (!/^HTTP\/1.1 503 /.test(await advanceUntil(clock, exchangeRaw(proxy.port, GET)))) {
    // What it took last was the end of a reply, so that it holds no place.
    client.socket.destroy();
    await until(() => replies.takenBytes === 0);
    client = await begin();
  }
  t.ok(replies.takenBytes < 150_000, `what one read brings: ${replies.takenBytes}`);
  client.socket.destroy();
  await until(() => replies.takenBytes === 0);
  t.match(await exchangeRaw(proxy.port, GET), /small$/);
});

t.test('the attack: who fills that memory to hold places after all is dropped after 5 s', async (t) => {
  const options = { queueTimeoutMs: 60_000, maxInFlight: 2 };
  const { proxy, replies, stuck, said, clock } = await started(t, options, { replyMemoryBytes: 150_000 });
  const clients = await Promise.all(Array.from({ length: 8 }, () => stuck('/page')));
  await until(() => replies.takenBytes >= 150_000);
  await said();
  const dropped = () => proxy.log.filter(({ event }) => event === 'slow-readers-dropped');
  await clock.advance(4900);
  t.same(dropped(), []);
  t.match(await advanceUntil(clock, exchangeRaw(proxy.port, GET)), /small$/);
  await clock.advance(200);
  t.ok(dropped().length > 0);
  for (const { socket } of clients) socket.destroy();
  await until(() => replies.takenBytes === 0);
});

t.test('many who take nothing take no more memory than there is, and a read of each', async (t) => {
  const limitBytes = 2 ** 20;
  const options = { maxInFlight: 1000, bodyTimeoutMs: 60_000 };
  const { replies, stuck, said } = await started(t, options, { replyMemoryBytes: limitBytes });
  const clients = await Promise.all(Array.from({ length: 40 }, () => stuck('/page')));
  await until(() => replies.takenBytes >= limitBytes);
  await said();
  t.ok(replies.takenBytes < limitBytes + 40 * 140_000, `${replies.takenBytes}`);
  for (const { socket } of clients) socket.destroy();
  await until(() => replies.takenBytes === 0);
});

for (const [path, mostBytes] of [
  ['/large', 0],
  ['/events', 0],
  ['/unknown', 400_000],
] as const) {
  t.test(`nothing is gained from reading ahead in ${path}, which goes on anyway`, async (t) => {
    const { proxy, replies, stuck, said } = await started(t, {});
    const client = await stuck(path);
    while (!proxy.proxy.meter.counters().replicas.some(({ inFlight }) => inFlight > 0) && path !== '/events')
      await turn();
    await said();
    t.ok(replies.takenBytes <= mostBytes, `${replies.takenBytes}`);
    client.socket.destroy();
  });
}

t.test('the attack: interim replies without end are not kept for a client that takes none', async (t) => {
  const storm = `HTTP/1.1 103 Early Hints\r\nLink: ${'x'.repeat(2000)}\r\n\r\n`.repeat(8);
  const replica = await scriptedReplica((socket) => {
    const send = () => {
      if (socket.write(storm)) setImmediate(send);
      else socket.once('drain', send);
    };
    send();
  });
  const proxy = await startProxy([tcp(replica.port)]);
  t.teardown(() => Promise.all([proxy.close(), replica.close()]));
  const client = await connectRaw(proxy.port);
  client.socket.pause();
  client.send(GET);
  const sentBytes = () => replica.sockets[0]?.bytesWritten ?? 0;
  const { replies } = proxy.proxy;
  // More than the system takes on its way.
  while (replies.takenBytes === 0 && sentBytes() < 2 ** 27) await turn();
  t.ok(replies.takenBytes > 0, 'they are counted');
  await standstill(sentBytes);
  t.ok(replies.takenBytes < 400_000, `${replies.takenBytes}`);
  client.socket.destroy();
  while (replies.takenBytes > 0) await turn();
});
