import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { type Play, played } from '../fixtures/played.ts';
import { connectRaw, exchangeRaw } from '../fixtures/raw-client.ts';
import { reply } from '../fixtures/scripted-replica.ts';

const GET = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
const OPEN_GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';

async function took(work: Promise<unknown>): Promise<number> {
  const begunMs = performance.now();
  await work;
  return performance.now() - begunMs;
}

const silent: Play = () => undefined;
const answers: Play = (socket) => socket.write(reply('second'));

t.test('a replica that does not begin to reply in time is a 504, and is suspected', async (t) => {
  const { all, proxy } = await played(t, { replyTimeoutMs: 200 }, silent, answers);
  let answer = '';
  const ms = await took(exchangeRaw(proxy.port, GET).then((text) => (answer = text)));
  t.match(answer, /^HTTP\/1.1 504 Gateway Timeout\r\n.*server1 did not reply within 200 ms/s);
  t.ok(ms >= 200 && ms < 5000, `${Math.round(ms)} ms`);
  t.same(proxy.suspects, [1]);
  // It may be working on it still: the same work elsewhere would be twice the load on those that have too much.
  t.same(all[1]?.received, [], 'it is not repeated, idempotent though it is');
});

t.test('a 504 keeps the connection of a client that has sent its whole request', async (t) => {
  const { proxy } = await played(
    t,
    { replyTimeoutMs: 150 },
    (socket, _head, count) => count > 0 && answers(socket, '', 0),
  );
  const client = await connectRaw(proxy.port);
  client.send(OPEN_GET);
  await client.until(/^HTTP\/1.1 504 .*}$/s);
  client.send(OPEN_GET);
  await client.until(/second$/);
  client.socket.destroy();
});

t.test('an interim reply gives the replica its time anew', async (t) => {
  const { proxy } = await played(t, { replyTimeoutMs: 1000 }, async (socket) => {
    for (let count = 0; count < 3; count++) {
      await sleep(500);
      socket.write('HTTP/1.1 102 Processing\r\n\r\n');
    }
    socket.write(reply('at last'));
  });
  t.match(await exchangeRaw(proxy.port, GET), /at last$/);
});

t.test('a head that dribbles is no reply', async (t) => {
  const { proxy } = await played(t, { replyTimeoutMs: 300 }, async (socket) => {
    for (const byte of 'HTTP/1.1 200 OK\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyy') {
      socket.write(byte);
      await sleep(20);
    }
  });
  t.match(await exchangeRaw(proxy.port, GET), /^HTTP\/1.1 504 /);
});

t.test('all attempts together have one deadline', async (t) => {
  const breaks: Play = (socket) => void setTimeout(() => socket.destroy(), 250);
  const { proxy } = await played(t, { replyTimeoutMs: 5000, requestTimeoutMs: 400 }, breaks, breaks, breaks);
  t.match(await exchangeRaw(proxy.port, GET), /^HTTP\/1.1 504 .*there was no reply within 400 ms/s);
});

t.test('a body that stops is given up: a reply is cut, an upload is a 408', async (t) => {
  const { proxy } = await played(t, { bodyTimeoutMs: 200 }, (socket) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello'),
  );
  const client = await connectRaw(proxy.port);
  client.send(OPEN_GET);
  const { text, reset } = await client.closed;
  t.match(text, /hello$/, 'what was there, and no more');
  t.notOk(reset, 'its length says that it is not all');
  const { proxy: second } = await played(t, { bodyTimeoutMs: 200 }, silent);
  const begins = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n';
  for (const upload of [begins, `${begins}hello`]) {
    t.match(await exchangeRaw(second.port, upload), /^HTTP\/1.1 408 Request Timeout\r\n.*Connection: close/s);
  }
});

t.test('a body that goes on may take as long as it likes', async (t) => {
  const { replica, proxy } = await played(
    t,
    { bodyTimeoutMs: 1000, replyTimeoutMs: 1000, requestTimeoutMs: 1000 },
    async (socket) => {
      while (!replica.received[0]?.endsWith('123')) await sleep(10);
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n');
      for (const byte of 'abc') {
        await sleep(500);
        socket.write(byte);
      }
    },
  );
  const client = await connectRaw(proxy.port);
  client.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n');
  for (const byte of '123') {
    await sleep(500);
    client.send(byte);
  }
  await client.until(/abc$/);
  client.socket.destroy();
});

t.test('a client that takes nothing of its reply is cut off', async (t) => {
  const { proxy } = await played(t, { bodyTimeoutMs: 300 }, (socket) => socket.write(reply('x'.repeat(30_000_000))));
  const client = await connectRaw(proxy.port);
  client.socket.pause();
  client.send(OPEN_GET);
  while (!proxy.log.some((line) => /the client took nothing/.test(String(line.reason)))) await sleep(20);
  client.socket.resume();
  t.ok((await client.closed).text.length < 30_000_000);
});

t.test('a client that takes nothing of the end of its reply is cut off too', async (t) => {
  // The replica is done, the system’s buffers are full, and the rest waits here.
  const { replica, proxy } = await played(t, { bodyTimeoutMs: 300, maxHeadSizeBytes: 1024 }, (socket, head) =>
    socket.write(reply('x'.repeat(head.includes('/large') ? 30_000_000 : 60_000))),
  );
  const client = await connectRaw(proxy.port);
  client.socket.pause();
  const gets = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(400);
  client.send(gets);
  let before = -1;
  while (before !== replica.received.join('').length) {
    before = replica.received.join('').length;
    await sleep(400);
  }
  client.socket.resume();
  const { text } = await client.closed;
  t.ok(text.length < 400 * 60_000, `${text.length} bytes`);
});

t.test('a replica that takes nothing of a body is given up', async (t) => {
  const { replica, proxy } = await played(t, { bodyTimeoutMs: 300 }, (socket) => socket.pause());
  const client = await connectRaw(proxy.port);
  client.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n');
  client.send(Buffer.alloc(49_000_000));
  t.match((await client.closed).text, /^HTTP\/1.1 504 .*server1 took nothing of the body for 300 ms/s);
  t.equal(replica.sockets.length, 1);
});

t.test('a client that waits for a 100 waits for the replica, not for itself', async (t) => {
  const { proxy } = await played(t, { replyTimeoutMs: 200, bodyTimeoutMs: 60_000 }, silent);
  const answer = await exchangeRaw(
    proxy.port,
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n',
  );
  t.match(answer, /^HTTP\/1.1 504 /);
});

t.test('a head that takes too long is a 408; who says nothing at all is told nothing', async (t) => {
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
  const { proxy } = await played(t, { keepAliveTimeoutMs: 250 }, (socket, _head, count) =>
    setTimeout(() => socket.write(reply(`<${count}>`)), 400),
  );
  const client = await connectRaw(proxy.port);
  for (const count of [0, 1]) {
    client.send(OPEN_GET);
    await client.until(new RegExp(`<${count}>$`));
  }
  const ms = await took(client.closed);
  t.ok(ms >= 200 && ms < 5000, `${Math.round(ms)} ms`);
});

t.test('an idle connection to a replica is closed before the replica does', async (t) => {
  const { replica, proxy } = await played(t, { replicaIdleTimeoutMs: 200 }, answers);
  await exchangeRaw(proxy.port, GET);
  const ms = await took(new Promise((resolve) => replica.sockets[0]?.once('close', resolve)));
  t.ok(ms >= 150 && ms < 5000, `${Math.round(ms)} ms`);
});

t.test('a client that was told to continue and does not is a 408', async (t) => {
  const { proxy } = await played(t, { bodyTimeoutMs: 200, replyTimeoutMs: 5000 }, (socket) =>
    socket.write('HTTP/1.1 100 Continue\r\n\r\n'),
  );
  const answer = await exchangeRaw(
    proxy.port,
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n',
  );
  t.match(answer, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 408 /);
});
