import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import type { Options } from '../../lib/settings/options.ts';
import { advanceUntil, arrivals, pour, standstill, until } from '../fixtures/arrivals.ts';
import { type Play, timed } from '../fixtures/played.ts';
import { startProxy, tcp } from '../fixtures/proxy.ts';
import { connectRaw, exchangeRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const GET = 'GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

/** Answers with the path, when what came behind the request has arrived. */
const late: Play = async (socket, head) => {
  await arrivals();
  socket.write(reply(`<${head.split(' ')[1]}>`));
};

async function oneReplica(t: Test, play: Parameters<typeof scriptedReplica>[0], options: Partial<Options> = {}) {
  const replica = await scriptedReplica(play);
  const proxy = await startProxy([tcp(replica.port)], options);
  t.teardown(() => Promise.all([proxy.close(), replica.close()]));
  return { replica, proxy };
}

t.test('a reply reaches the client as it came, on a connection that stays open', async (t) => {
  const { replica, proxy } = await oneReplica(t, (socket, _head, count) => socket.write(reply(`number ${count}`)));
  const client = await connectRaw(proxy.port);
  for (let count = 0; count < 3; count++) {
    client.send('GET /a HTTP/1.1\r\nHost: x\r\n\r\n');
    await client.until(new RegExp(`number ${count}`));
  }
  t.equal(replica.sockets.length, 1, 'one connection to the replica carried all three');
  client.socket.destroy();
});

t.test('pipelined requests are answered one by one in their order', async (t) => {
  const { proxy } = await oneReplica(t, async (socket, head) => {
    const path = head.split(' ')[1];
    if (path === '/1') await arrivals();
    socket.write(reply(`<${path}>`));
  });
  const client = await connectRaw(proxy.port);
  client.send(['/1', '/2', '/3'].map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''));
  const text = await client.until(/<\/3>/);
  t.same(text.match(/<.*?>/g), ['</1>', '</2>', '</3>']);
  client.socket.destroy();
});

t.test(
  'a reply without framing becomes chunked, and ends at the end of the client’s connection for HTTP/1.0',
  async (t) => {
    const { proxy } = await oneReplica(t, (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nhello'));
    t.match(await exchangeRaw(proxy.port, GET), /Transfer-Encoding: chunked\r\n.*\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/s);
    const old = await exchangeRaw(proxy.port, 'GET / HTTP/1.0\r\n\r\n');
    t.match(old, /Connection: close\r\n\r\nhello$/);
    t.notMatch(old, /Transfer-Encoding/);
  },
);

t.test('a chunked reply arrives as its bytes come, with its trailers', async (t) => {
  let go = () => {};
  const { proxy } = await oneReplica(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n');
    go = () => socket.write('3\r\ntwo\r\n0\r\nDigest: d\r\n\r\n');
  });
  const client = await connectRaw(proxy.port);
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await client.until(/\r\n3\r\none\r\n$/);
  go();
  await client.until(/3\r\ntwo\r\n0\r\nDigest: d\r\n\r\n$/);
  client.socket.destroy();
});

t.test('an interim reply is passed on at once, but not to HTTP/1.0', async (t) => {
  const { proxy } = await oneReplica(t, (socket) =>
    socket.write(`HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${reply('end')}`),
  );
  t.match(await exchangeRaw(proxy.port, GET), /^HTTP\/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP\/1.1 200/);
  t.match(await exchangeRaw(proxy.port, 'GET / HTTP/1.0\r\n\r\n'), /^HTTP\/1.1 200/);
});

t.test('HEAD has the length of the body that it does not have', async (t) => {
  const { proxy } = await oneReplica(t, (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n'));
  t.match(
    await exchangeRaw(proxy.port, 'HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
    /Content-Length: 99\r\n.*\r\n\r\n$/s,
  );
});

t.test('a body with a length reaches the replica byte for byte', async (t) => {
  const { replica, proxy } = await oneReplica(t, async (socket) => {
    await until(() => replica.received[0]?.endsWith('hel\xffo') === true);
    socket.write(reply('ok'));
  });
  await exchangeRaw(proxy.port, 'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhel\xffo');
  t.match(replica.received[0], /Content-Length: 5\r\n.*\r\n\r\nhel\xffo$/s);
});

t.test('a chunked body of a DELETE stays chunked, with its trailers', async (t) => {
  const { replica, proxy } = await oneReplica(t, async (socket) => {
    await until(() => replica.received[0]?.endsWith('T: u\r\n\r\n') === true);
    socket.write(reply('ok'));
  });
  await exchangeRaw(
    proxy.port,
    'DELETE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\n',
  );
  t.match(replica.received[0], /\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\n$/);
});

t.test('a client that only promises a body holds no replica', async (t) => {
  const { replica, proxy } = await oneReplica(t, (socket) => socket.write(reply('ok')));
  const client = await connectRaw(proxy.port);
  client.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n');
  await exchangeRaw(proxy.port, GET);
  t.equal(replica.received.length, 1);
  client.send('hello');
  await client.until(/ok$/);
  client.socket.destroy();
});

t.test('`Expect: 100-continue` goes from end to end', async (t) => {
  const { replica, proxy } = await oneReplica(t, (socket) => {
    socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    socket.once('data', () => socket.write(reply('thanks')));
  });
  const client = await connectRaw(proxy.port);
  client.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n');
  await client.until(/^HTTP\/1.1 100 Continue\r\n\r\n$/);
  client.send('hello');
  await client.until(/thanks$/);
  t.match(replica.received[0], /Expect: 100-continue\r\n.*hello$/s);
  client.socket.destroy();
});

t.test('an upload that dies half-way never looks complete to the replica', async (t) => {
  const much = 'x'.repeat(65_536);
  for (const framing of [
    `Content-Length: 65546\r\n\r\n${much}hello`,
    `Transfer-Encoding: chunked\r\n\r\n10000\r\n${much}\r\n5\r\nhello\r\n`,
  ]) {
    const { replica, proxy } = await oneReplica(t, (socket) => socket.on('close', () => undefined));
    const client = await connectRaw(proxy.port);
    client.send(`POST / HTTP/1.1\r\nHost: x\r\n${framing}`);
    while (!replica.received[0]?.includes('hello')) await new Promise(setImmediate);
    const gone = new Promise((resolve) => replica.sockets[0]?.once('close', resolve));
    client.socket.destroy();
    await gone;
    t.notMatch(replica.received[0], /\r\n0\r\n/);
  }
});

t.test('a reply that breaks in the middle cuts the client off', async (t) => {
  const { proxy } = await oneReplica(t, (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello'));
  const client = await connectRaw(proxy.port);
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  const { text } = await client.closed;
  t.match(text, /^HTTP\/1.1 200 OK.*hello$|^$/s);
  const { proxy: second } = await oneReplica(t, (socket) =>
    socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'),
  );
  const old = await connectRaw(second.port);
  old.send('GET / HTTP/1.0\r\n\r\n');
  t.ok((await old.closed).reset, 'with a reset where an end would look like a whole reply');
});

t.test('a broken reply is a 502, and the process goes on', async (t) => {
  const { proxy } = await oneReplica(t, (socket, _head, count) =>
    socket.write(count === 0 ? 'HTTP/1.1 099 x\r\n\r\n' : reply('fine')),
  );
  t.match(await exchangeRaw(proxy.port, GET), /^HTTP\/1.1 502 Bad Gateway\r\n.*"status":"failure"}$/s);
  t.same(proxy.suspects, [], 'a replica is not suspected for what it says');
  t.match(await exchangeRaw(proxy.port, GET), /fine$/);
});

t.test('a reply whose body is broken from its first byte on is a 502 too', async (t) => {
  const { proxy } = await oneReplica(t, (socket) =>
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n'),
  );
  const client = await connectRaw(proxy.port);
  for (const count of [1, 2]) {
    client.send('GET /a HTTP/1.1\r\nHost: x\r\n\r\n');
    await client.until((text) => text.match(/HTTP\/1.1 502 [^}]*}/g)?.length === count);
  }
  t.notMatch(client.text, /200 OK/);
  client.socket.destroy();
});

t.test('what is no HTTP, or not safely, is refused and goes nowhere', async (t) => {
  const { replica, proxy } = await oneReplica(t, (socket) => socket.write(reply('ok')));
  const refused: [number, string][] = [
    [400, 'nonsense\r\n\r\n'],
    [400, 'GET / HTTP/1.1\r\n\r\n'],
    [400, 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    [400, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'],
    [400, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc'],
    [501, 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    [431, `GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(70_000)}\r\n\r\n`],
    [501, 'BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n'],
    [400, 'BREW\r\nHost: a\r\n\r\n'],
    [501, 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n'],
  ];
  for (const [status, request] of refused) {
    const answer = await exchangeRaw(proxy.port, request);
    t.match(
      answer,
      new RegExp(`^HTTP/1.1 ${status} .*{"message":"<Error> .*","status":"failure"}$`, 's'),
      request.slice(0, 60),
    );
  }
  t.same(replica.received, []);
});

t.test('garbage behind a good request spoils only itself', async (t) => {
  const { proxy } = await oneReplica(t, late);
  const client = await connectRaw(proxy.port);
  client.send('GET /good HTTP/1.1\r\nHost: x\r\n\r\n\0garbage\r\n\r\n');
  t.match((await client.closed).text, /^HTTP\/1.1 200 .*<\/good>HTTP\/1.1 400 /s);
});

t.test('1,100 fields arrive as 1,100 where so many may be', async (t) => {
  const play = (socket: Socket) => socket.write(reply('ok', 'Y: z\r\n'.repeat(1100)));
  const { replica, proxy } = await oneReplica(t, play, { maxFields: 1200 });
  const answer = await exchangeRaw(
    proxy.port,
    `GET / HTTP/1.1\r\nHost: x\r\n${'A: b\r\n'.repeat(1100)}Connection: close\r\n\r\n`,
  );
  t.equal(replica.received[0]?.match(/A: b\r\n/g)?.length, 1100);
  t.equal(answer.match(/Y: z\r\n/g)?.length, 1100);
});

t.test('an answer before the whole request: the client gets it, no connection is used again', async (t) => {
  const { replica, proxy } = await oneReplica(t, (socket) =>
    socket.write(reply('too much', '', '413 Content Too Large')),
  );
  const client = await connectRaw(proxy.port);
  client.send(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(65_536)}`);
  t.match((await client.closed).text, /^HTTP\/1.1 413 .*Connection: close.*too much$/s);
  t.ok(
    replica.sockets[0]?.destroyed ||
      (await new Promise((resolve) => replica.sockets[0]?.once('close', () => resolve(true)))),
  );
});

t.test('an upload that goes on after its answer does not take the answer with it', async (t) => {
  const { proxy } = await oneReplica(t, (socket) => socket.write(reply('no such path', '', '400 Bad Request')));
  for (let round = 0; round < 5; round++) {
    const client = await connectRaw(proxy.port);
    client.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n');
    for (let sent = 0; sent < 40; sent++) {
      client.send(Buffer.alloc(500_000, 'x'));
      await new Promise(setImmediate);
    }
    const { text, reset } = await client.closed;
    t.match(text, /^HTTP\/1.1 400 .*no such path$/s);
    t.notOk(reset);
  }
});

t.test('the attack: a reply behind a 101 that nobody asked for reaches no client', async (t) => {
  const { replica, proxy } = await oneReplica(t, (socket) =>
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n\r\n${reply('EVIL')}`),
  );
  const client = await connectRaw(proxy.port);
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await client.until(/^HTTP\/1.1 502 .*}$/s);
  replica.sockets[0]?.destroy();
  client.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  t.notMatch((await client.closed).text, /EVIL/);
});

t.test('CONNECT behind a request waits for its turn, and no reset by its client ends the process', async (t) => {
  const { proxy } = await oneReplica(t, async (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst');
    await arrivals();
    socket.write('-last');
  });
  const client = await connectRaw(proxy.port);
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\nCONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n');
  t.match((await client.closed).text, /^HTTP\/1.1 200 .*first-lastHTTP\/1.1 501 /s);
  for (let round = 0; round < 20; round++) {
    const rude = await connectRaw(proxy.port);
    rude.send('CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n');
    rude.socket.resetAndDestroy();
  }
  t.match(await exchangeRaw(proxy.port, GET), /first-last$/);
});

t.test('what is pipelined behind a reply that closes the connection goes nowhere', async (t) => {
  const { replica, proxy } = await oneReplica(t, (socket) => socket.write(reply('ok')));
  const answer = await exchangeRaw(
    proxy.port,
    'GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nPOST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx',
  );
  t.equal(answer.match(/HTTP\/1.1 200/g)?.length, 1);
  t.notMatch(replica.received.join(), /POST/);
});

t.test('garbage behind two requests is refused after both replies', async (t) => {
  const { proxy } = await oneReplica(t, late);
  const client = await connectRaw(proxy.port);
  client.send('GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\n\r\n\0garbage\r\n\r\n');
  t.match((await client.closed).text, /<\/1>HTTP\/1.1 200 .*<\/2>HTTP\/1.1 400 /s);
});

t.test('a client that pipelines without reading does not fill memory', async (t) => {
  const { proxy } = await oneReplica(t, () => undefined);
  const client = await connectRaw(proxy.port);
  const before = process.memoryUsage().rss;
  const batch = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(10_000);
  for (let sent = 0; sent < 40; sent++) {
    client.send(batch);
    await arrivals();
  }
  const grownMiB = (process.memoryUsage().rss - before) / 2 ** 20;
  // 11 MB of requests, which this process holds as client too.
  t.ok(grownMiB < 120, `${Math.round(grownMiB)} MiB`);
  client.socket.destroy();
});

t.test('a 503 keeps the connection of a client that has sent its whole request', async (t) => {
  const proxy = await startProxy([]);
  t.teardown(() => proxy.close());
  const client = await connectRaw(proxy.port);
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  t.notMatch(await client.until(/}$/), /Connection: close/);
  client.send('HEAD / HTTP/1.1\r\nHost: x\r\n\r\n');
  t.match(await client.until(/}HTTP\/1.1 503 .*\r\n\r\n$/s), /Retry-After: 1/);
  client.socket.destroy();
});

t.test('a whole reply reaches a client that reads slowly, also when the balancer closes meanwhile', async (t) => {
  // More than the system takes for the client.
  const body = 'x'.repeat(30_000_000);
  const { replica, proxy, clock } = await timed(t, {}, (socket) => pour(socket, reply(body)));
  const client = await connectRaw(proxy.port);
  client.socket.pause();
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await until(() => replica.sockets.length === 1);
  await standstill(() => replica.sockets[0]?.bytesWritten ?? 0);
  await clock.advance(300);
  const closed = proxy.proxy.close(new AbortController().signal);
  // Several times the connections that are idle are looked for.
  await clock.advance(200);
  client.socket.resume();
  t.ok((await advanceUntil(clock, client.closed)).text.endsWith(body));
  await closed;
});

t.test('a body that breaks while its request waits for its turn is refused when that comes', async (t) => {
  const { proxy } = await oneReplica(t, late);
  const client = await connectRaw(proxy.port);
  client.send(
    'GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n',
  );
  t.match((await client.closed).text, /^HTTP\/1.1 200 .*<\/1>HTTP\/1.1 400 [^<]*<Error>[^<]*$/s);
});
