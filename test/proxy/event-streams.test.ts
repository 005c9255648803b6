// Server-sent events through the proxy: replies that go on for hours, and must hold up nothing.

import { once } from 'node:events';
import t, { type Test } from 'tap';
import { arrivals } from '../fixtures/arrivals.ts';
import { startProxy, tcp } from '../fixtures/proxy.ts';
import { connectRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const GET = 'GET /events HTTP/1.1\r\nHost: x\r\n\r\n';
const STREAM = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
const EVENT = '9\r\ndata: 1\n\n\r\n';

async function streaming(t: Test, options = {}) {
  const first = await scriptedReplica((socket, head) =>
    socket.write(head.startsWith('GET /events') ? STREAM + EVENT : reply('first')),
  );
  const second = await scriptedReplica((socket) => socket.write(reply('second')));
  const proxy = await startProxy([tcp(first.port), tcp(second.port)], options);
  t.teardown(() => Promise.all([proxy.close(), first.close(), second.close()]));
  const client = await connectRaw(proxy.port);
  client.send(GET);
  await client.until(/data: 1/);
  return { first, proxy, client };
}

t.test('events pass through as they come', async (t) => {
  const { first, client } = await streaming(t);
  first.sockets[0]?.write('9\r\ndata: 2\n\n\r\n');
  await client.until(/data: 1\n\n\r\n9\r\ndata: 2\n\n\r\n$/);
});

t.test('a replica that leaves has its streams ended in order, and nothing is waited for', async (t) => {
  const { first, proxy, client } = await streaming(t);
  const replica = { seat: 1, incarnation: 1, hostname: 'server1' };
  const closed = once(first.sockets[0] as never, 'close');
  proxy.publish({ order: [2], draining: [replica] });
  await proxy.drained(replica, AbortSignal.timeout(60_000));
  await client.until(/data: 1\n\n\r\n0\r\n\r\n$/);
  await closed;
});

t.test('one that is asked for while its replica leaves ends as well', async (t) => {
  const replica = await scriptedReplica(() => undefined);
  const proxy = await startProxy([tcp(replica.port)]);
  t.teardown(() => Promise.all([proxy.close(), replica.close()]));
  const client = await connectRaw(proxy.port);
  client.send(GET);
  while (replica.received.join('') === '') await new Promise((resolve) => setImmediate(resolve));
  const ref = { seat: 1, incarnation: 1, hostname: 'server1' };
  proxy.publish({ order: [2], draining: [ref] });
  replica.sockets[0]?.write(STREAM + EVENT);
  await client.until(/data: 1\n\n\r\n0\r\n\r\n$/);
  await proxy.drained(ref, AbortSignal.timeout(60_000));
});

t.test('a proxy that closes ends them and their connections', async (t) => {
  const { proxy, client } = await streaming(t);
  await proxy.proxy.close(AbortSignal.timeout(60_000));
  t.match(await client.closed, { text: /data: 1\n\n\r\n0\r\n\r\n$/, reset: false });
});

t.test('the connection takes the next request after a stream has ended', async (t) => {
  const { first, proxy, client } = await streaming(t);
  const replica = { seat: 1, incarnation: 1, hostname: 'server1' };
  const routes = [
    { replica: { seat: 2, incarnation: 3, hostname: 'again' }, address: tcp(first.port), suspected: false, weight: 1 },
  ];
  proxy.publish({ order: [2], routes, draining: [replica] });
  await client.until(/0\r\n\r\n$/);
  client.send('GET /home HTTP/1.1\r\nHost: x\r\n\r\n');
  await client.until(/first$/);
});

t.test('what waits behind a stream goes by the plan that ended it', async (t) => {
  const first = await scriptedReplica((socket) => socket.write(STREAM + EVENT));
  const second = await scriptedReplica((socket) => socket.write(reply('second')));
  const proxy = await startProxy([tcp(first.port), tcp(second.port)]);
  t.teardown(() => Promise.all([proxy.close(), first.close(), second.close()]));
  const client = await connectRaw(proxy.port);
  client.send(GET + GET);
  await client.until(/data: 1/);
  const replica = { seat: 2, incarnation: 2, hostname: 'server2' };
  const routes = [{ replica, address: tcp(second.port), suspected: false, weight: 1 }];
  proxy.publish({ order: [2], routes, draining: [{ seat: 1, incarnation: 1, hostname: 'server1' }] });
  await client.until(/second$/);
  t.equal(first.received.join('').match(/GET/g)?.length, 1, 'nothing new goes to the one that leaves');
});

t.test('a stream takes no place in flight: bounded load leaves its replica what it had', async (t) => {
  const { proxy } = await streaming(t, { balanceFactor: 1 });
  const other = await connectRaw(proxy.port);
  for (let count = 1; count <= 3; count++) {
    other.send('GET /home HTTP/1.1\r\nHost: x\r\n\r\n');
    await other.until((text) => text.split('first').length === count + 1);
  }
  t.equal(proxy.proxy.meter.counters().diverted, 0);
  other.socket.destroy();
});

t.test('a client that leaves a stream is no error', async (t) => {
  const { first, proxy, client } = await streaming(t);
  const closed = once(first.sockets[0] as never, 'close');
  client.socket.resetAndDestroy();
  await closed;
  t.same(
    proxy.log.map(({ event }) => event),
    ['request'],
  );
});

t.test('a reply of another type keeps its place, and is waited for', async (t) => {
  const replica = await scriptedReplica((socket) => socket.write(STREAM.replace('event-stream', 'plain') + EVENT));
  const proxy = await startProxy([tcp(replica.port)]);
  t.teardown(() => Promise.all([proxy.close(), replica.close()]));
  const client = await connectRaw(proxy.port);
  client.send(GET);
  await client.until(/data: 1/);
  const ref = { seat: 1, incarnation: 1, hostname: 'server1' };
  proxy.publish({ order: [2], draining: [ref] });
  const drained = proxy.drained(ref, AbortSignal.timeout(60_000));
  t.equal(await Promise.race([drained, arrivals().then(() => 'waits')]), 'waits');
  replica.sockets[0]?.write('0\r\n\r\n');
  await drained;
});

t.test('with a key, one that answers a POST is an answer: it keeps its place, and is finished', async (t) => {
  for (const [method, key, isAnswer] of [
    ['POST', [{ type: 'path' }], true],
    ['GET', [{ type: 'path' }], false],
    ['POST', [{ type: 'request' }], false],
  ] as const) {
    const replica = await scriptedReplica((socket) => socket.write(STREAM + EVENT));
    const proxy = await startProxy([tcp(replica.port)], {}, key);
    t.teardown(() => Promise.all([proxy.close(), replica.close()]));
    const client = await connectRaw(proxy.port);
    client.send(`${method} /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
    await client.until(/data: 1/);
    t.equal(proxy.proxy.ledger.inFlight, isAnswer ? 1 : 0, `${method} by ${key[0].type}`);
    const ref = { seat: 1, incarnation: 1, hostname: 'server1' };
    const drained = proxy.drained(ref, AbortSignal.timeout(60_000));
    await arrivals();
    if (isAnswer) replica.sockets[0]?.write('9\r\ndata: 2\n\n\r\n0\r\n\r\n');
    await client.until(/0\r\n\r\n$/);
    t.equal(client.text.includes('data: 2'), isAnswer);
    await drained;
  }
});
