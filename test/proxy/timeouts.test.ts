import { once } from 'node:events';
import t from 'tap';
import { advanceUntil, arrivals, pour, standstill, until } from '../fixtures/arrivals.ts';
import { type Play, played, timed } from '../fixtures/played.ts';
import { connectRaw, exchangeRaw } from '../fixtures/raw-client.ts';
import { reply } from '../fixtures/scripted-replica.ts';

const GET = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
const OPEN_GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
// How late a limit is at most: time is looked at every 100 ms, and the first look only begins to count.
const LOOKS_MS = 200;

const silent: Play = () => undefined;
const answers: Play = (socket) => socket.write(reply('second'));

t.test('a replica that does not begin to reply in time is a 504, and is suspected', async (t) => {
  const { all, proxy, clock } = await timed(t, { replyTimeoutMs: 2000 }, silent, answers);
  const answer = exchangeRaw(proxy.port, GET);
  await until(() => all[0]?.received.length === 1);
  await clock.advance(2000);
  t.same(proxy.log, [], 'it has its time');
  await clock.advance(LOOKS_MS);
  t.match(await answer, /^HTTP\/1.1 504 Gateway Timeout\r\n.*server1 did not reply within 2000 ms/s);
  t.same(proxy.suspects, [1]);
  // It may be working on it still: the same work elsewhere would be twice the load on those that have too much.
  t.same(all[1]?.received, [], 'it is not repeated, idempotent though it is');
});

t.test('a 504 keeps the connection of a client that has sent its whole request', async (t) => {
  const { replica, proxy, clock } = await timed(
    t,
    { replyTimeoutMs: 150 },
    (socket, _head, count) => count > 0 && answers(socket, '', 0),
  );
  const client = await connectRaw(proxy.port);
  client.send(OPEN_GET);
  await until(() => replica.received.length === 1);
  await clock.advance(150 + LOOKS_MS);
  await client.until(/^HTTP\/1.1 504 .*}$/s);
  client.send(OPEN_GET);
  await client.until(/second$/);
  client.socket.destroy();
});

t.test('an interim reply gives the replica its time anew', async (t) => {
  const { replica, proxy, clock } = await timed(t, { replyTimeoutMs: 1000 }, silent);
  const client = await connectRaw(proxy.port);
  client.send(GET);
  await until(() => replica.received.length === 1);
  for (let count = 1; count <= 3; count++) {
    await clock.advance(800);
    replica.sockets[0]?.write('HTTP/1.1 102 Processing\r\n\r\n');
    await client.until((text) => text.match(/ 102 /g)?.length === count);
  }
  await clock.advance(800);
  replica.sockets[0]?.write(reply('at last'));
  t.match((await client.closed).text, /at last$/);
});

t.test('a head that dribbles is no reply', async (t) => {
  const { replica, proxy, clock } = await timed(t, { replyTimeoutMs: 300 }, silent);
  const answer = exchangeRaw(proxy.port, GET);
  await until(() => replica.received.length === 1);
  for (const byte of 'HTTP/1.1 200 OK\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyy') {
    replica.sockets[0]?.write(byte);
    await arrivals();
    await clock.advance(20);
  }
  t.match(await answer, /^HTTP\/1.1 504 /);
});

t.test('all attempts together have one deadline', async (t) => {
  // Nobody here says that the replicas live, for which the third attempt would wait.
  const options = { replyTimeoutMs: 5000, requestTimeoutMs: 400, quarantineMs: 0 };
  const { all, proxy, clock } = await timed(t, options, silent, silent, silent);
  const answer = exchangeRaw(proxy.port, GET);
  for (const replica of all) {
    await until(() => replica.received.length === 1);
    t.notOk(proxy.log.some(({ event }) => event === 'request-failed'));
    await clock.advance(250);
    replica.sockets[0]?.destroy();
  }
  t.match(await answer, /^HTTP\/1.1 504 .*there was no reply within 400 ms/s);
});

t.test('a body that stops is given up: a reply is cut, an upload is a 408', async (t) => {
  const { proxy, clock } = await timed(t, { bodyTimeoutMs: 200 }, (socket) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello'),
  );
  const client = await connectRaw(proxy.port);
  client.send(OPEN_GET);
  await client.until(/hello$/);
  await clock.advance(200 + LOOKS_MS);
  const { text, reset } = await client.closed;
  t.match(text, /hello$/, 'what was there, and no more');
  t.notOk(reset, 'its length says that it is not all');
  const { proxy: second, clock: other } = await timed(t, { bodyTimeoutMs: 200 }, silent);
  const begins = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n';
  for (const [index, upload] of [begins, `${begins}hello`].entries()) {
    const answer = exchangeRaw(second.port, upload);
    await until(() => second.begun() === index + 1);
    await other.advance(200 + LOOKS_MS);
    t.match(await answer, /^HTTP\/1.1 408 Request Timeout\r\n.*Connection: close/s);
  }
});

t.test('a body that goes on may take as long as it likes', async (t) => {
  const options = { bodyTimeoutMs: 1000, replyTimeoutMs: 1000, requestTimeoutMs: 1000 };
  const { replica, proxy, clock } = await timed(t, options, silent);
  const client = await connectRaw(proxy.port);
  client.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n');
  await until(() => proxy.begun() === 1);
  const { uploads } = proxy.proxy;
  for (const byte of '123') {
    await clock.advance(800);
    const { takenBytes } = uploads;
    client.send(byte);
    await until(() => uploads.takenBytes !== takenBytes);
  }
  await until(() => replica.received[0]?.endsWith('123') === true);
  replica.sockets[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n');
  await client.until(/\r\n\r\n$/);
  for (const byte of 'abc') {
    await clock.advance(800);
    replica.sockets[0]?.write(byte);
    await client.until((text) => text.endsWith(byte));
  }
  client.socket.destroy();
});

t.test('a client that takes nothing of its reply is cut off', async (t) => {
  const { replica, proxy, clock } = await timed(t, { bodyTimeoutMs: 300 }, silent);
  const client = await connectRaw(proxy.port);
  client.socket.pause();
  client.send(OPEN_GET);
  await until(() => replica.received.length === 1);
  const [behind] = replica.sockets as [(typeof replica.sockets)[0]];
  pour(behind, reply('x'.repeat(30_000_000)));
  await standstill(() => behind.bytesWritten);
  await clock.advance(300 + LOOKS_MS);
  t.ok(proxy.log.some((line) => /the client took nothing/.test(String(line.reason))));
  client.socket.resume();
  t.ok((await client.closed).text.length < 30_000_000);
});

t.test('a client that takes nothing of the end of its reply is cut off too', async (t) => {
  // The replica is done, the system’s buffers are full, and the rest waits here.
  const options = { bodyTimeoutMs: 300, maxHeadSizeBytes: 1024 };
  const { replica, proxy, clock } = await timed(t, options, (socket, head) =>
    socket.write(reply('x'.repeat(head.includes('/large') ? 30_000_000 : 60_000))),
  );
  const client = await connectRaw(proxy.port);
  client.socket.pause();
  const gets = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(400);
  client.send(gets);
  await until(() => replica.received.length > 0);
  await standstill(() => replica.received.join('').length);
  await clock.advance(300 + LOOKS_MS);
  client.socket.resume();
  const { text } = await client.closed;
  t.ok(text.length < 400 * 60_000, `${text.length} bytes`);
});

t.test('a replica that takes nothing of a body is given up', async (t) => {
  const { replica, proxy, clock } = await timed(t, { bodyTimeoutMs: 300 }, (socket) => socket.pause());
  const client = await connectRaw(proxy.port);
  client.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n');
  pour(client.socket, Buffer.alloc(49_000_000));
  await until(() => replica.received.length === 1);
  await standstill(() => client.socket.bytesWritten);
  await clock.advance(300 + LOOKS_MS);
  t.match(await client.until(/}$/), /^HTTP\/1.1 504 .*server1 took nothing of the body for 300 ms/s);
  t.equal(replica.sockets.length, 1);
  client.socket.destroy();
});

t.test('a client that waits for a 100 waits for the replica, not for itself', async (t) => {
  const { replica, proxy, clock } = await timed(t, { replyTimeoutMs: 200, bodyTimeoutMs: 60_000 }, silent);
  const answer = exchangeRaw(
    proxy.port,
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n',
  );
  await until(() => replica.received.length === 1);
  await clock.advance(200 + LOOKS_MS);
  // No more of its body comes: how long it is waited for after the answer goes by the clock too.
  t.match(await advanceUntil(clock, answer), /^HTTP\/1.1 504 /);
});

t.test('a head that takes too long is a 408; who says nothing at all is told nothing', async (t) => {
  // By a timer of Node’s http.Server, which no clock of ours moves.
  const { proxy } = await played(t, { headTimeoutMs: 200 }, answers);
  t.match(await exchangeRaw(proxy.port, 'GET / HT'), /^HTTP\/1.1 408 .*the head of the request took too long/s);
  t.equal(await exchangeRaw(proxy.port, ''), '');
  const client = await connectRaw(proxy.port);
  client.send(OPEN_GET);
  await client.until(/second$/);
  client.send('GET / HT');
  t.match((await client.closed).text, /secondHTTP\/1.1 408 /, 'of a later request too');
});

t.test('an idle connection of a client is closed after its time, one in use is not', async (t) => {
  const { replica, proxy, clock } = await timed(t, { keepAliveTimeoutMs: 2500 }, silent);
  const client = await connectRaw(proxy.port);
  for (const count of [0, 1]) {
    client.send(OPEN_GET);
    await until(() => replica.received[0]?.match(/GET/g)?.length === count + 1);
    await clock.advance(5000);
    replica.sockets[0]?.write(reply(`<${count}>`));
    await client.until(new RegExp(`<${count}>$`));
  }
  await clock.advance(2500);
  await arrivals();
  t.notOk(client.socket.closed);
  await clock.advance(LOOKS_MS);
  await client.closed;
});

t.test('an idle connection to a replica is closed before the replica does', async (t) => {
  const { replica, proxy, clock } = await timed(t, { replicaIdleTimeoutMs: 200 }, answers);
  await exchangeRaw(proxy.port, GET);
  const [behind] = replica.sockets as [(typeof replica.sockets)[0]];
  await clock.advance(200);
  await arrivals();
  t.notOk(behind.closed);
  const closed = once(behind, 'close');
  await clock.advance(50);
  await closed;
});

t.test('a client that was told to continue and does not is a 408', async (t) => {
  const { proxy, clock } = await timed(t, { bodyTimeoutMs: 200, replyTimeoutMs: 5000 }, (socket) =>
    socket.write('HTTP/1.1 100 Continue\r\n\r\n'),
  );
  const client = await connectRaw(proxy.port);
  client.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n');
  await client.until(/^HTTP\/1.1 100 Continue\r\n\r\n$/);
  await clock.advance(200 + LOOKS_MS);
  t.match((await client.closed).text, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 408 /);
});
