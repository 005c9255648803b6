// A request with a body that offers to switch protocols, as `docker exec` does: the replica gets the offer and the
// body, and what is behind the body only when it has switched.

import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { arrivals, until } from '../fixtures/arrivals.ts';
import { played } from '../fixtures/played.ts';
import { startProxy } from '../fixtures/proxy.ts';
import { connectRaw } from '../fixtures/raw-client.ts';
import { reply } from '../fixtures/scripted-replica.ts';

const head = (fields: string) =>
  `POST /exec HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n${fields}\r\n`;
const SWITCH = 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';
const BODIES: Record<string, string> = {
  'a few bytes': 'body',
  'what looks like a request': 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n',
  'empty lines': '\r\n\r\n\r\n\r\r\n\r\n',
};
const FRAMINGS: Record<string, (body: string) => string> = {
  length: (body) => `${head(`Content-Length: ${body.length}\r\n`)}${body}`,
  chunks: (body) =>
    `${head('Transfer-Encoding: chunked\r\n')}1\r\n${body[0]}\r\n${(body.length - 1).toString(16)}\r\n${body.slice(1)}\r\n0\r\n\r\n`,
  'chunks and trailers': (body) =>
    `${head('Transfer-Encoding: chunked\r\n')}${body.length.toString(16)};a\r\n${body}\r\n0\r\nX: y\r\n\r\n`,
};
const BEHIND = '\r\n\r\nGET /behind HTTP/1.1\r\n\r\n\0\xff';

/** The body in the first request of these bytes, unframed. */
function bodyOf(received: string): string {
  const text = received.slice(received.indexOf('\r\n\r\n') + 4);
  if (!/transfer-encoding: chunked/i.test(received)) return text;
  let body = '';
  for (let at = 0; ; ) {
    const end = text.indexOf('\r\n', at);
    const size = Number.parseInt(text.slice(at, end), 16);
    if (Number.isNaN(size)) return body;
    const last = text.indexOf('\r\n\r\n', at);
    if (size === 0) return last === -1 ? body : body + text.slice(last + 4);
    body += text.slice(end + 2, end + 2 + size);
    at = end + size + 4;
  }
}

for (const [framing, frame] of Object.entries(FRAMINGS)) {
  t.test(`${framing}: in all splits over two writes`, async (t) => {
    for (const [what, body] of Object.entries(BODIES)) {
      const { replica, proxy } = await played(t, {}, () => undefined);
      const text = frame(body) + BEHIND;
      const wrong: string[] = [];
      for (let at = 1; at < text.length; at++) {
        const client = await connectRaw(proxy.port);
        client.send(text.slice(0, at));
        await turn();
        await turn();
        client.send(text.slice(at));
        const number = replica.sockets.length;
        while (replica.sockets.length === number || bodyOf(replica.received[number] ?? '') !== body) await turn();
        for (let count = 0; count < 5; count++) await turn();
        const before = replica.received[number] ?? '';
        if (bodyOf(before) !== body) wrong.push(`cut at ${at}: ${JSON.stringify(before)} before the 101`);
        replica.sockets[number]?.write(SWITCH);
        await client.until(/\r\n\r\n$/);
        while (!(replica.received[number] ?? '').endsWith('\xff')) await turn();
        if (bodyOf(replica.received[number] ?? '') !== body + BEHIND)
          wrong.push(`cut at ${at}: ${replica.received[number]}`);
        client.socket.destroy();
      }
      t.same(wrong, [], what);
      t.match(replica.received[0], /\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n/);
    }
  });

  t.test(`${framing}: any other answer is an ordinary reply, and what is behind goes nowhere`, async (t) => {
    const { replica, proxy } = await played(t, {}, async (socket) => {
      await arrivals();
      socket.write(reply('no'));
    });
    const client = await connectRaw(proxy.port);
    client.send(`${frame('body')}${BEHIND}GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n`);
    const { text, reset } = await client.closed;
    t.match(text, /^HTTP\/1.1 200 OK\r\n.*Connection: close\r\n\r\nno$/s);
    t.notOk(reset);
    t.notMatch(replica.received.join(), /smuggled|behind/);
  });
}

t.test('a large body, and as much behind it', async (t) => {
  const body = `${'x'.repeat(500_000)}\r\n\r\n${'\r\n\r\n'.repeat(20_000)}`;
  for (const frame of Object.values(FRAMINGS)) {
    const { replica, proxy } = await played(t, {}, () => undefined);
    const client = await connectRaw(proxy.port);
    client.send(frame(body));
    client.send(body);
    await until(() => bodyOf(replica.received[0] ?? '').length >= body.length);
    replica.sockets[0]?.write(`${SWITCH}hello`);
    await client.until(/hello$/);
    await until(() => bodyOf(replica.received[0] ?? '').length >= 2 * body.length);
    t.ok(bodyOf(replica.received[0] ?? '') === body + body);
    client.socket.destroy();
  }
});

t.test('a bad chunk is a 400 at once, and an end too early is too', async (t) => {
  const { replica, proxy } = await played(t, {}, () => undefined);
  for (const bad of ['zz\r\n', '3\r\nabcd\r\n', '3\r\nabc\r\n0\r\nX y\r\n\r\n']) {
    const client = await connectRaw(proxy.port);
    client.send(`${head('Transfer-Encoding: chunked\r\n')}${bad}${BEHIND.repeat(5000)}`);
    t.match((await client.closed).text, /^HTTP\/1.1 400 /, JSON.stringify(bad));
  }
  const client = await connectRaw(proxy.port);
  client.socket.end(`${head('Content-Length: 10\r\n')}body`);
  t.match((await client.closed).text, /^HTTP\/1.1 400 |^$/);
  t.notMatch(replica.received.join(), /behind/);
});

t.test('a replica that switches before it has the body is a 502', async (t) => {
  const { proxy } = await played(t, {}, (socket) => socket.write(SWITCH));
  const client = await connectRaw(proxy.port);
  // As much as a replica is asked with.
  client.send(`${head('Content-Length: 70000\r\n')}${'-'.repeat(65_536)}`);
  t.match((await client.closed).text, /^HTTP\/1.1 502 /);
});

t.test('behind other requests it waits for their replies; one that waits for a 100 gets it', async (t) => {
  const { replica, proxy } = await played(t, {}, async (socket, text) => {
    await arrivals();
    if (text.includes('GET /first')) socket.write(reply('<first>'));
    else socket.write('HTTP/1.1 100 Continue\r\n\r\n');
  });
  const client = await connectRaw(proxy.port);
  client.send(`GET /first HTTP/1.1\r\nHost: x\r\n\r\n${head('Content-Length: 4\r\nExpect: 100-continue\r\n')}`);
  await client.until(/<first>HTTP\/1.1 100 Continue\r\n\r\n$/);
  client.send('bodybehind');
  while (!replica.received.join('').endsWith('body')) await turn();
  replica.sockets.find((_, index) => replica.received[index]?.endsWith('body'))?.write(`${SWITCH}hello`);
  await client.until(/hello$/);
  while (!replica.received.join('').endsWith('bodybehind')) await turn();
  client.socket.destroy();
});

t.test('what the balancer answers itself it answers with an offer too', async (t) => {
  const proxy = await startProxy([], {}, undefined, {}, (request) => (response) => {
    request.resume().on('end', () => response.end(`own ${request.url}`));
  });
  t.teardown(() => proxy.close());
  const client = await connectRaw(proxy.port);
  client.send(`${head('Content-Length: 4\r\n')}bodyGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n`);
  t.match((await client.closed).text, /^HTTP\/1.1 200 OK\r\n.*own \/exec$/s);
});
