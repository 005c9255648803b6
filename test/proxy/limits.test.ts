import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { advanceUntil, arrivals, pour, standstill, until } from '../fixtures/arrivals.ts';
import { type Play, played, timed } from '../fixtures/played.ts';
import { startProxy } from '../fixtures/proxy.ts';
import { connectRaw, exchangeRaw, type RawClient } from '../fixtures/raw-client.ts';
import { reply } from '../fixtures/scripted-replica.ts';

const GET = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
const OPEN_GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
const ENVELOPE =
  /^HTTP\/1.1 503 Service Unavailable\r\n.*Retry-After: 1\r\n.*{"message":"<Error> [^"]*","status":"failure"}$/s;

/** A replica that answers when it is told to. */
function held() {
  const waiting: (() => void)[] = [];
  const play: Play = (socket, _head, count) => waiting.push(() => socket.write(reply(`<${count}>`)));
  return { play, waiting };
}

t.test('no replica gets more at a time than it may; the next wait in their order', async (t) => {
  const { play, waiting } = held();
  const { replica, proxy } = await played(t, { maxInFlight: 2, queue: 3 }, play);
  const answers: string[] = [];
  const clients: RawClient[] = [];
  for (let number = 0; number < 5; number++) {
    const client = await connectRaw(proxy.port);
    clients.push(client);
    client.send(OPEN_GET);
    void client.until(/<\d>$/).then(() => answers.push(`client ${number}`));
    await until(() => waiting.length === Math.min(number + 1, 2) && proxy.begun() === number + 1);
  }
  await arrivals();
  t.equal(waiting.length, 2, 'two are there');
  t.match(await exchangeRaw(proxy.port, GET), ENVELOPE, 'there is no place to wait for a sixth');
  for (let number = 0; number < 5; number++) {
    await until(() => waiting.length > number);
    t.ok(replica.received.join('').match(/GET/g)?.length === Math.min(number + 2, 5));
    waiting[number]?.();
    await until(() => answers.length > number);
  }
  t.same(answers, ['client 0', 'client 1', 'client 2', 'client 3', 'client 4']);
  for (const { socket } of clients) socket.destroy();
});

t.test('who waits takes the first place that there is, at whichever replica', async (t) => {
  const [one, two] = [held(), held()];
  const { proxy } = await played(t, { maxInFlight: 1 }, one.play, two.play);
  const clients = await Promise.all([1, 2, 3].map(() => connectRaw(proxy.port)));
  for (const client of clients) client.send(OPEN_GET);
  await until(() => one.waiting.length === 1 && two.waiting.length === 1);
  two.waiting[0]?.();
  await until(() => two.waiting.length === 2);
  t.equal(one.waiting.length, 1);
  for (const { socket } of clients) socket.destroy();
});

t.test('who waits too long is told 503; who has gone leaves its place', async (t) => {
  const { play, waiting } = held();
  const { proxy, clock } = await timed(t, { maxInFlight: 1, queue: 1, queueTimeoutMs: 1000 }, play);
  const first = await connectRaw(proxy.port);
  first.send(OPEN_GET);
  await until(() => waiting.length === 1);
  const gone = await connectRaw(proxy.port);
  gone.send(OPEN_GET);
  await until(() => proxy.begun() === 2);
  gone.socket.resetAndDestroy();
  await until(() => proxy.log.some(({ event }) => event === 'client-left'));
  const late = exchangeRaw(proxy.port, GET);
  await until(() => proxy.begun() === 3);
  await clock.advance(1000);
  t.notOk(proxy.log.some(({ event }) => event === 'request-failed'));
  await clock.advance(200);
  t.match(await late, /^HTTP\/1.1 503 .*all replicas were full for 1000 ms/s);
  const third = await connectRaw(proxy.port);
  third.send(OPEN_GET);
  await until(() => proxy.begun() === 4);
  waiting[0]?.();
  await first.until(/<0>$/);
  await until(() => waiting.length === 2);
  waiting[1]?.();
  await third.until(/<1>$/);
  for (const { socket } of [first, third]) socket.destroy();
});

t.test('without a queue a full replica is a 503 at once', async (t) => {
  const { play, waiting } = held();
  const { proxy } = await played(t, { maxInFlight: 1, queue: 0 }, play);
  const first = await connectRaw(proxy.port);
  first.send(OPEN_GET);
  await until(() => waiting.length === 1);
  t.match(await exchangeRaw(proxy.port, GET), ENVELOPE);
  first.socket.destroy();
});

t.test('an upload that waited arrives whole', async (t) => {
  const { play, waiting } = held();
  const { replica, proxy } = await played(t, { maxInFlight: 1 }, play);
  const first = await connectRaw(proxy.port);
  first.send(OPEN_GET);
  await until(() => waiting.length === 1);
  const second = await connectRaw(proxy.port);
  second.send(`PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n${'u'.repeat(300_000)}`);
  await until(() => proxy.begun() === 2 && proxy.proxy.uploads.takenBytes >= 65_536);
  await arrivals();
  waiting[0]?.();
  await until(() => waiting.length === 2);
  await until(() => replica.received.join('').endsWith('u'.repeat(300_000)));
  waiting[1]?.();
  await second.until(/<1>$/);
  for (const { socket } of [first, second]) socket.destroy();
});

t.test('a body over the limit is a 413, announced or not', async (t) => {
  const { replica, proxy } = await played(t, { maxBodySizeBytes: 1000 }, async (socket) => {
    await until(() => /x(\r\n0\r\n\r\n)?$/.test(replica.received.join('')));
    socket.write(reply('fine', 'Connection: close\r\n'));
  });
  const post = (framing: string) => `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${framing}`;
  const announced = await exchangeRaw(proxy.port, post(`Content-Length: 1001\r\n\r\n${'x'.repeat(1001)}`));
  t.match(announced, /^HTTP\/1.1 413 Payload Too Large\r\n.*larger than 1000 bytes/s);
  t.same(replica.received, [], 'it went nowhere');
  t.match(await exchangeRaw(proxy.port, post(`Content-Length: 1000\r\n\r\n${'x'.repeat(1000)}`)), /fine$/);
  const chunks = `1f4\r\n${'x'.repeat(500)}\r\n`;
  t.match(
    await exchangeRaw(proxy.port, post(`Transfer-Encoding: chunked\r\n\r\n${chunks}${chunks}0\r\n\r\n`)),
    /fine$/,
  );
  const client = await connectRaw(proxy.port);
  client.send(post(`Transfer-Encoding: chunked\r\n\r\n${chunks}`));
  await until(() => proxy.proxy.uploads.takenBytes > 0);
  client.send(`${chunks}${chunks}0\r\n\r\n`);
  t.match((await client.closed).text, /^HTTP\/1.1 413 /);
  const upload = await connectRaw(proxy.port);
  upload.send(post('Content-Length: 20000000\r\n\r\n'));
  for (let sent = 0; sent < 40; sent++) {
    upload.send(Buffer.alloc(500_000, 'x'));
    await turn();
  }
  const { text, reset } = await upload.closed;
  t.match(text, /^HTTP\/1.1 413 .*}$/s, 'who uploads on all the same gets to read it');
  t.notOk(reset);
});

t.test('a head over the limit is a 431, a reply’s a 502', async (t) => {
  const { proxy } = await played(t, { maxHeadSizeBytes: 2048 }, (socket, head) =>
    socket.write(reply('ok', head.includes('/large') ? `X: ${'y'.repeat(3000)}\r\n` : '')),
  );
  const get = (path: string, size: number) =>
    exchangeRaw(proxy.port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: ${'y'.repeat(size)}\r\n\r\n`);
  t.match(await get('/', 1500), /ok$/);
  t.match(await get('/', 3000), /^HTTP\/1.1 431 Request Header Fields Too Large\r\n.*"status":"failure"}$/s);
  t.match(await get('/large', 1), /^HTTP\/1.1 502 /);
});

t.test('a connection is closed after the requests that it may carry', async (t) => {
  const { proxy } = await played(t, { maxRequestsPerConnection: 2 }, (socket) => socket.write(reply('ok')));
  const client = await connectRaw(proxy.port);
  client.send(OPEN_GET);
  t.notMatch(await client.until(/ok$/), /Connection: close/);
  client.send(OPEN_GET.repeat(2));
  const { text } = await client.closed;
  t.match(text, /Connection: close\r\n\r\nok$/);
  t.equal(text.match(/HTTP\/1.1 200/g)?.length, 2);
});

t.test('a connection over the limit is told 503 and closed; there is room again when one has gone', async (t) => {
  const { proxy } = await played(t, { maxConnections: 3 }, (socket) => socket.write(reply('ok')));
  const clients = await Promise.all([1, 2, 3].map(() => connectRaw(proxy.port)));
  for (const client of clients) {
    client.send(OPEN_GET);
    await client.until(/ok$/);
  }
  const refused = await connectRaw(proxy.port);
  t.match((await refused.closed).text, /^HTTP\/1.1 503 .*Retry-After: 1.*Connection: close.*there are 3 connections/s);
  t.match(await exchangeRaw(proxy.port, GET), /^HTTP\/1.1 503 /, 'also to one that has sent its request');
  clients[0]?.socket.destroy();
  let answer = '';
  while (!answer.endsWith('ok')) answer = await exchangeRaw(proxy.port, GET);
  for (const { socket } of clients) socket.destroy();
});

t.test('2,000 slow heads leave other requests undisturbed', async (t) => {
  const { proxy } = await played(t, { headTimeoutMs: 60_000 }, (socket) => socket.write(reply('ok')));
  const slow: RawClient[] = [];
  for (let batch = 0; batch < 20; batch++) {
    slow.push(...(await Promise.all(Array.from({ length: 100 }, () => connectRaw(proxy.port)))));
  }
  for (const client of slow) client.send('GET / HTTP/1.1\r\nHost: x\r\n');
  const before = process.memoryUsage().rss;
  const times: number[] = [];
  for (let round = 0; round < 30; round++) {
    for (const client of slow) client.send(`X-${round}: y\r\n`);
    const begunMs = performance.now();
    t.match(await exchangeRaw(proxy.port, GET), /ok$/);
    times.push(performance.now() - begunMs);
  }
  const grownMiB = (process.memoryUsage().rss - before) / 2 ** 20;
  t.ok(grownMiB < 100, `${Math.round(grownMiB)} MiB for both ends of them`);
  // Not a measure of speed: it shows only that nobody waits for the slow ones.
  t.ok(Math.max(...times) < 10_000, `${Math.round(Math.max(...times))} ms`);
  for (let done = 0; done < slow.length; done += 100) {
    const batch = slow.slice(done, done + 100);
    for (const client of batch) client.send('\r\n');
    await Promise.all(batch.map((client) => client.until(/ok$/)));
  }
  t.pass('and they are served when they are done');
  for (const { socket } of slow) socket.destroy();
});

t.test('slow heads are gone after their time, and had an answer', async (t) => {
  // By a timer of Node’s http.Server.
  const { proxy } = await played(t, { headTimeoutMs: 500 }, (socket) => socket.write(reply('ok')));
  const slow = await Promise.all(Array.from({ length: 500 }, () => connectRaw(proxy.port)));
  for (const client of slow) client.send('GET / HTTP/1.1\r\nHost: x\r\n');
  const ends = await Promise.all(slow.map((client) => client.closed));
  t.ok(ends.every(({ text }) => text.startsWith('HTTP/1.1 408 ')));
  t.match(await exchangeRaw(proxy.port, GET), /ok$/);
});

t.test('a client that has half-closed still gets its answer, where that is allowed', async (t) => {
  const { proxy } = await played(t, { clientHalfClose: 'allow' }, async (socket, head) => {
    await arrivals();
    socket.write(reply(`<${head.split(' ')[1]}>`));
  });
  const client = await connectRaw(proxy.port);
  client.socket.end('GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n');
  t.match((await client.closed).text, /^HTTP\/1.1 200 .*<\/1>HTTP\/1.1 200 .*<\/2>$/s);
  const upload = await connectRaw(proxy.port);
  upload.socket.end('PUT /3 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody');
  t.match((await upload.closed).text, /<\/3>$/);
  const half = await connectRaw(proxy.port);
  half.socket.end('PUT /4 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nbody');
  t.match((await half.closed).text, /^HTTP\/1.1 400 |^$/, 'but not for half a request');
});

t.test('every error has the id that the log has', async (t) => {
  const { proxy, clock } = await timed(
    t,
    { maxBodySizeBytes: 10, replyTimeoutMs: 1000, headTimeoutMs: 300 },
    (socket, head) => (head.includes('/broken') ? socket.write('nonsense\r\n\r\n') : undefined),
  );
  const cases: [number, string][] = [
    [400, 'nonsense\r\n\r\n'],
    [400, 'GET / HTTP/1.1\r\n\r\n'],
    [408, 'GET / HT'],
    [413, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n'],
    [431, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(70_000)}\r\n\r\n`],
    [501, 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n'],
    [502, 'GET /broken HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
    [504, GET],
  ];
  for (const [status, request] of cases) {
    const coming = exchangeRaw(proxy.port, request);
    // How long a head may take goes by a timer of Node’s http.Server.
    const answer = await (status === 408 ? coming : advanceUntil(clock, coming));
    t.match(answer, new RegExp(`^HTTP/1.1 ${status} `));
    t.match(answer, /\r\n\r\n{"message":"<Error> .*","status":"failure"}$/s, 'the envelope as it always was');
    const [, id] = /\r\nX-Request-Id: ([1-9]\d{5})\r\n/.exec(answer) ?? [];
    // What the client did is no error of ours.
    const level = [502, 504].includes(status) ? 'error' : 'info';
    t.ok(
      proxy.log.some((line) => line.requestId === Number(id) && line.level === level),
      `${status} ${id}`,
    );
  }
  const none = await startProxy([]);
  t.teardown(() => none.close());
  t.match(await exchangeRaw(none.port, GET), /^HTTP\/1.1 503 .*X-Request-Id: \d{6}\r\n/s);
});

t.test('a client that goes while it is told an error does no harm', async (t) => {
  const { proxy } = await played(t, {}, (socket) => socket.write(reply('ok')));
  for (let round = 0; round < 50; round++) {
    const client = await connectRaw(proxy.port);
    client.send(round % 2 === 0 ? 'nonsense\r\n\r\n' : `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(70_000)}\r\n\r\n`);
    client.socket.resetAndDestroy();
    await once(client.socket, 'close');
  }
  t.match(await exchangeRaw(proxy.port, GET), /ok$/);
});

t.test('a side that does not read makes the other wait, not memory grow', async (t) => {
  const { replica, proxy } = await played(t, {}, (socket, head) => {
    if (head.startsWith('GET')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n');
    else socket.pause();
  });
  const much = Buffer.alloc(200 * 2 ** 20);
  const fill = async (from: RawClient['socket']) => {
    pour(from, much);
    await standstill(() => from.bytesWritten);
    return from.bytesWritten / 2 ** 20;
  };
  const reader = await connectRaw(proxy.port);
  reader.send(OPEN_GET);
  await reader.until(/\r\n\r\n/);
  reader.socket.pause();
  const before = process.memoryUsage().rss;
  // What fits into the system's buffers, and no more.
  const down = await fill(replica.sockets[0] as (typeof replica.sockets)[0]);
  t.ok(down < 50, `${down} MiB of a reply`);
  const writer = await connectRaw(proxy.port);
  writer.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n');
  const up = await fill(writer.socket);
  t.ok(up < 50, `${up} MiB of an upload`);
  const grownMiB = (process.memoryUsage().rss - before) / 2 ** 20;
  t.ok(grownMiB < 100, `${Math.round(grownMiB)} MiB`);
  reader.socket.destroy();
  writer.socket.destroy();
});
