// What comes behind a request whose Upgrade is passed over, as those of Java's HttpClient with `Upgrade: h2c`: other
// requests, which are answered in their order, and bodies, of which nothing is run as a request.

import { setImmediate as turn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { echoed, echoReplica } from '../fixtures/echo-replica.ts';
import { played } from '../fixtures/played.ts';
import { startProxy, tcp } from '../fixtures/proxy.ts';
import { connectRaw } from '../fixtures/raw-client.ts';
import { reply } from '../fixtures/scripted-replica.ts';

const OFFER = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n';
const BODY = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n_: \r\n\r\n';
const CHUNKS = `5\r\n${BODY.slice(0, 5)}\r\n${(BODY.length - 5).toString(16)};a=b\r\n${BODY.slice(5)}\r\n0\r\nX: y\r\n\r\n`;

const head = (method: string, path: string, fields: string) => `${method} ${path} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;
const FORMS: Record<string, (path: string, fields: string) => string> = {
  'no body': (path, fields) => head('GET', path, fields),
  'a body of that length': (path, fields) =>
    `${head('POST', path, `${fields}Content-Length: ${BODY.length}\r\n`)}${BODY}`,
  'an empty body': (path, fields) => head('POST', path, `${fields}Content-Length: 0\r\n`),
  chunks: (path, fields) => `${head('PUT', path, `${fields}Transfer-Encoding: chunked\r\n`)}${CHUNKS}`,
};

async function echoing(t: Test) {
  const replica = await echoReplica();
  const proxy = await startProxy([tcp(replica.port)]);
  t.teardown(async () => {
    await proxy.close();
    replica.close();
  });
  return { replica, proxy };
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => `/${index}`);

for (const [name, offer] of Object.entries(FORMS)) {
  t.test(`an offer with ${name}, and one to three requests behind it, in all splits over two writes`, async (t) => {
    const { replica, proxy } = await echoing(t);
    const behind = Object.values(FORMS);
    for (let count = 1; count <= 3; count++) {
      // Those behind may offer too.
      const followers = Array.from({ length: count }, (_, index) =>
        (behind[(index + 1) % behind.length] as (typeof behind)[0])(`/${index + 1}`, index === 1 ? OFFER : ''),
      );
      const text = `${offer('/0', OFFER)}${followers.join('')}`;
      const expected = numbers(count + 1);
      const wrong: string[] = [];
      for (let at = 1; at <= text.length; at += count === 3 ? 1 : 5) {
        const client = await connectRaw(proxy.port);
        client.send(text.slice(0, at));
        await turn();
        await turn();
        client.send(text.slice(at));
        await client.until((heard) => heard.endsWith(`</${count}>`)).catch(() => undefined);
        if (echoed(client.text).join() !== expected.join()) wrong.push(`cut at ${at}: ${echoed(client.text).join()}`);
        client.socket.destroy();
      }
      t.same(wrong, [], `${count} behind`);
    }
    const got = replica.requests;
    t.notMatch(JSON.stringify(got.map(({ fields }) => fields)), /upgrade|h2c|http2-settings/i);
    t.ok(got.every(({ startLine, body }) => / \/\d HTTP/.test(startLine) && (body === '' || body === BODY)));
  });
}

t.test('byte by byte', async (t) => {
  const { proxy } = await echoing(t);
  const client = await connectRaw(proxy.port);
  const text = Object.values(FORMS)
    .map((form, index) => form(`/${index}`, index % 2 === 0 ? OFFER : ''))
    .join('');
  for (const byte of text) {
    client.send(byte);
    await turn();
  }
  await client.until(/<\/3>$/);
  t.same(echoed(client.text), ['/0', '/1', '/2', '/3']);
  client.socket.destroy();
});

t.test('the attack: a POST head in the same write, its body later', async (t) => {
  const { replica, proxy } = await echoing(t);
  const client = await connectRaw(proxy.port);
  client.send(`${head('GET', '/p', OFFER)}${head('POST', '/1', `Content-Length: ${BODY.length}\r\n`)}`);
  await client.until(/<\/p>$/);
  client.send(BODY + head('GET', '/2', ''));
  await client.until(/<\/2>$/);
  t.same(echoed(client.text), ['/p', '/1', '/2']);
  t.same(
    replica.requests.map(({ body }) => body),
    ['', BODY, ''],
  );
  client.socket.destroy();
});

t.test('many offers one behind the other', async (t) => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  t.teardown(() => process.off('warning', onWarning));
  const { proxy } = await echoing(t);
  const client = await connectRaw(proxy.port);
  const all = Array.from({ length: 40 }, (_, index) =>
    (Object.values(FORMS)[index % 4] as (path: string, fields: string) => string)(
      `/${index}`,
      index % 3 === 0 ? '' : OFFER,
    ),
  );
  client.send(all.join(''));
  await client.until(/<\/39>$/);
  t.same(echoed(client.text), numbers(40));
  t.same(warnings, [], 'nothing piles up on the connection');
  client.socket.destroy();
});

t.test('a bad chunk, a bad head and an end too early are told at once', async (t) => {
  const { proxy } = await echoing(t);
  const chunked = head('POST', '/p', `${OFFER}Transfer-Encoding: chunked\r\n`);
  const cases: [string, string[]][] = [
    ['a bad chunk', [`${chunked}zz\r\n`]],
    ['a bad chunk in a later write', [`${chunked}3\r\nabc\r\n`, 'zz\r\n']],
    ['a chunk longer than it says', [`${chunked}3\r\nabcd\r\n`]],
    ['no request behind', [`${head('GET', '/p', OFFER)}nonsense\r\n\r\n`]],
    ['no request behind, later', [head('GET', '/p', OFFER), 'nonsense\r\n\r\n']],
    ['two lengths', [head('POST', '/p', `${OFFER}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n`)]],
    ['too large a head behind', [`${head('GET', '/p', OFFER)}GET / HTTP/1.1\r\nX: ${'y'.repeat(70_000)}`]],
  ];
  for (const [name, writes] of cases) {
    const begunMs = performance.now();
    const client = await connectRaw(proxy.port);
    for (const text of writes) {
      client.send(text);
      await turn();
      await turn();
    }
    const { text } = await client.closed;
    t.match(text, /HTTP\/1.1 4(00|31) [^<]*Connection: close[^<]*<Error>[^<]*$/, name);
    t.ok(performance.now() - begunMs < 9000, 'not by a limit on time');
  }
  const client = await connectRaw(proxy.port);
  client.send(`${chunked}3\r\nabc\r\n`);
  await turn();
  client.socket.end();
  t.match((await client.closed).text, /^HTTP\/1.1 400 |^$/, 'an upload that ends too early');
});

t.test('HTTP/1.0 and Expect with an offer are as ever', async (t) => {
  const { replica, proxy } = await played(t, {}, (socket, text) => {
    socket.write(text.includes('100-continue') ? 'HTTP/1.1 100 Continue\r\n\r\n' : reply('</old>'));
  });
  const old = await connectRaw(proxy.port);
  old.send(head('GET', '/old', OFFER).replace('HTTP/1.1', 'HTTP/1.0'));
  t.same(echoed((await old.closed).text), ['/old']);
  const client = await connectRaw(proxy.port);
  client.send(head('POST', '/p', `${OFFER}Expect: 100-continue\r\nContent-Length: 3\r\n`));
  await client.until(/100 Continue\r\n\r\n$/);
  client.send('abc');
  while (!replica.received.some((text) => text.endsWith('abc'))) await turn();
  replica.sockets.at(-1)?.write(reply('<done>'));
  await client.until(/<done>$/);
  client.socket.destroy();
});
