import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import type { Options } from '../../lib/settings/options.ts';
import { arrivals, until } from '../fixtures/arrivals.ts';
import { timed } from '../fixtures/played.ts';
import { routeTo, startProxy, THROWING, tcp } from '../fixtures/proxy.ts';
import { connectRaw, exchangeRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

type Play = Parameters<typeof scriptedReplica>[0];

const request = (method: string, body = '') =>
  `${method} / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${body === '' ? '' : `Content-Length: ${body.length}\r\n`}\r\n${body}`;

async function replicas(t: Test, ...plays: Play[]) {
  return replicasWith(t, {}, ...plays);
}

async function replicasWith(t: Test, options: Partial<Options>, ...plays: Play[]) {
  const all = await Promise.all(plays.map((play) => scriptedReplica(play)));
  const proxy = await startProxy(
    all.map((replica) => tcp(replica.port)),
    options,
  );
  t.teardown(() => Promise.all([proxy.close(), ...all.map((replica) => replica.close())]));
  return { all, proxy };
}

const answers: Play = (socket) => socket.write(reply('second'));
const closes: Play = (socket) => socket.destroy();

t.test('an idempotent request that broke before its reply is tried at the next seat', async (t) => {
  const { proxy } = await replicas(t, closes, answers);
  t.match(await exchangeRaw(proxy.port, request('GET')), /second$/);
  t.match(await exchangeRaw(proxy.port, request('PUT', 'body')), /second$/);
  t.same(proxy.suspects, [1, 1], 'the replica that failed is suspected');
});

t.test('a body is sent again whole', async (t) => {
  const { all, proxy } = await replicas(t, closes, async (socket) => {
    await until(() => all[1]?.received[0]?.endsWith('body') === true);
    answers(socket, '', 0);
  });
  await exchangeRaw(proxy.port, request('PUT', 'the body'));
  t.match(all[1]?.received[0], /Content-Length: 8\r\n.*\r\n\r\nthe body$/s);
});

t.test('a POST of which bytes were sent is not repeated', async (t) => {
  const { all, proxy } = await replicas(t, closes, answers);
  t.match(await exchangeRaw(proxy.port, request('POST', 'body')), /^HTTP\/1.1 502 /);
  t.same(all[1]?.received, []);
});

t.test('a POST is tried elsewhere if the replica could not be reached', async (t) => {
  const gone = await scriptedReplica(answers);
  await gone.close();
  const second = await scriptedReplica(async (socket) => {
    await until(() => second.received[0]?.endsWith('body') === true);
    answers(socket, '', 0);
  });
  const proxy = await startProxy([tcp(gone.port), tcp(second.port)]);
  t.teardown(() => Promise.all([proxy.close(), second.close()]));
  t.match(await exchangeRaw(proxy.port, request('POST', 'body')), /second$/);
  t.match(second.received[0], /body$/);
});

t.test('nothing is repeated once the head of the reply has come', async (t) => {
  const { all, proxy } = await replicas(
    t,
    async (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
      await until(() => client.text !== '');
      socket.destroy();
    },
    answers,
  );
  const client = await connectRaw(proxy.port);
  client.send(request('GET'));
  t.match(await client.closed, { text: /^HTTP\/1.1 200 OK\r\n.*\r\n\r\n$/s });
  t.same(all[1]?.received, []);
});

t.test('a kept connection that closes is replaced at the same replica, which is not suspected', async (t) => {
  const { all, proxy } = await replicas(
    t,
    (socket, _head, count) => (count === 1 ? socket.destroy() : socket.write(reply(`first ${count}`))),
    answers,
  );
  const client = await connectRaw(proxy.port);
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await client.until(/first 0$/);
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await client.until(/first 2$/);
  t.same(proxy.suspects, []);
  t.equal(all[0]?.sockets.length, 2);
  client.socket.destroy();
});

t.test('each seat is tried once, as many as attempts are allowed; then the last error is told', async (t) => {
  const { all, proxy } = await replicas(t, closes, closes, closes, answers);
  t.match(await exchangeRaw(proxy.port, request('GET')), /^HTTP\/1.1 502 .*server3 closed the connection/s);
  t.same(
    all.map((replica) => replica.received.length),
    [1, 1, 1, 0],
  );
});

t.test('a body too large to keep is not repeated', async (t) => {
  const breaks: Play = async (socket) => {
    await until(() => all[0]?.received[0]?.endsWith('x'.repeat(200_000)) === true);
    socket.destroy();
  };
  const { all, proxy } = await replicas(t, breaks, answers);
  const client = await connectRaw(proxy.port);
  client.send(`PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n${'x'.repeat(200_000)}`);
  await client.until(/^HTTP\/1.1 502 /);
  t.same(all[1]?.received, []);
  client.socket.destroy();
});

t.test('without any replica: 503, and when to try again', async (t) => {
  const proxy = await startProxy([]);
  t.teardown(() => proxy.close());
  t.match(
    await exchangeRaw(proxy.port, request('GET')),
    /^HTTP\/1.1 503 Service Unavailable\r\n.*Retry-After: 1\r\n.*{"message":"<Error> no replica[^"]*","status":"failure"}$/s,
  );
});

t.test('a suspected replica is chosen only when no other is left', async (t) => {
  const first = await scriptedReplica((socket) => socket.write(reply('first')));
  const second = await scriptedReplica(answers);
  const proxy = await startProxy([]);
  t.teardown(() => Promise.all([proxy.close(), first.close(), second.close()]));
  const order = [1, 2];
  proxy.publish({ order, routes: [routeTo(1, tcp(first.port), true), routeTo(2, tcp(second.port))] });
  t.match(await exchangeRaw(proxy.port, request('GET')), /second$/);
  proxy.publish({ order, routes: [routeTo(1, tcp(first.port), true)] });
  t.match(await exchangeRaw(proxy.port, request('GET')), /first$/);
});

t.test('kept connections that have closed use up no attempt', async (t) => {
  const plays: Play[] = [1, 2].map((name) => (socket, _head, count) => {
    if (count === 0) socket.write(reply(`warm ${name}`));
    else socket.destroy();
  });
  const { proxy } = await replicas(t, ...plays, answers);
  const client = await connectRaw(proxy.port);
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await client.until(/warm 1$/);
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await client.until(/(warm 2|second)$/);
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await client.until(/second$/);
  client.socket.destroy();
});

t.test('what a lost replica had is tried at the next one', async (t) => {
  const { all, proxy, clock } = await timed(t, {}, () => undefined, answers);
  const client = await connectRaw(proxy.port);
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await until(() => all[0]?.received[0]?.includes('GET') === true);
  proxy.publish({ order: [2], routes: [routeTo(2, tcp(all[1]?.port ?? 0))] });
  await clock.advance(99);
  await arrivals();
  t.same(all[1]?.received, [], 'its last words are waited for');
  await clock.advance(1);
  await client.until(/second$/);
  client.socket.destroy();
});

t.test('what a lost replica had sent already is still given to a slow client, whole', async (t) => {
  const body = 'b'.repeat(3_000_000);
  const { proxy, clock } = await timed(t, {}, (socket) => socket.end(reply(body)), answers);
  const client = await connectRaw(proxy.port);
  client.socket.pause();
  client.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  await until(() => client.socket.bytesRead > 0);
  proxy.publish({ order: [], routes: [] });
  for (let count = 0; count < 10; count++) {
    await clock.advance(100);
    await arrivals();
  }
  client.socket.resume();
  const { text, reset } = await client.closed;
  t.notOk(reset);
  t.ok(text.endsWith(body), `${text.length} bytes`);
});

t.test('a reply of a lost replica is cut when nothing more of it comes', async (t) => {
  let socketOfReplica: Socket | undefined;
  const { proxy, clock } = await timed(t, {}, (socket) => {
    socketOfReplica = socket;
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na');
  });
  const client = await connectRaw(proxy.port);
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await client.until(/a$/);
  proxy.publish({ order: [], routes: [] });
  await clock.advance(50);
  socketOfReplica?.write('b');
  await client.until(/b$/);
  await clock.advance(50);
  socketOfReplica?.write('c');
  await client.until(/c$/);
  await clock.advance(100);
  t.notOk(client.socket.closed, 'something has come meanwhile');
  await clock.advance(100);
  t.match(await client.closed, { text: /abc$/ });
});

t.test('a hash that throws is an error of the balancer, not a request without end', async (t) => {
  const { proxy } = await replicas(t, answers);
  await proxy.publish({ hash: THROWING });
  t.match(await exchangeRaw(proxy.port, request('GET')), /^HTTP\/1.1 500 .*my hash/s);
});

t.test('an outage is not multiplied: beyond the budget a request that failed is not repeated', async (t) => {
  const { all, proxy } = await replicasWith(t, { retryBudget: 0.5 }, closes, answers);
  let second = 0;
  for (let count = 0; count < 300; count++) {
    if ((await exchangeRaw(proxy.port, request('GET'))).endsWith('second')) second += 1;
  }
  // 10 a second for ten seconds, and half of those that came. A few more if the test takes long.
  t.ok(second >= 200 && second < 300, `${second} of 300`);
  t.equal(all[0]?.received.length, 300);
  t.match(
    await exchangeRaw(proxy.port, request('GET')),
    /^HTTP\/1.1 (502 .*too many requests are being repeated|200)/s,
  );
});

t.test('what costs no budget: a connection that was old, and a replica that is gone', async (t) => {
  // 100 retries are free in any ten seconds.
  const stale: Play = (socket, _head, count) => (count % 2 === 0 ? socket.write(reply('warm')) : socket.destroy());
  const { proxy } = await replicasWith(t, { retryBudget: 0, maxAttempts: 1 }, stale);
  const client = await connectRaw(proxy.port);
  for (let count = 1; count <= 300; count++) {
    client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await client.until((text) => text.length - text.replaceAll('warm', 'arm').length === count);
  }
  client.socket.destroy();

  const { all, proxy: other, clock } = await timed(t, { retryBudget: 0 }, () => undefined, answers);
  const clients = await Promise.all(Array.from({ length: 250 }, () => connectRaw(other.port)));
  for (const one of clients) one.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await until(() => all[0]?.received.filter((text) => text.includes('GET')).length === 250);
  other.publish({ order: [2], routes: [routeTo(2, tcp(all[1]?.port ?? 0))] });
  await clock.advance(100);
  await Promise.all(clients.map((one) => one.until(/second$/)));
  for (const one of clients) one.socket.destroy();
});
