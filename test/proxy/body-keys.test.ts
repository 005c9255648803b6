// Keys that are in the bodies of requests.

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { hashText } from '../../lib/core/ring/hashes/text.ts';
import { keyReader } from '../../lib/proxy/keys/key-reader.ts';
import { keySources } from '../../lib/settings/lists/kinds.ts';
import { startProxy, THROWING, tcp } from '../fixtures/proxy.ts';
import { connectRaw, exchangeRaw } from '../fixtures/raw-client.ts';

const sourcesOf = (written: string) => keySources.read(written) ?? [];

const request = (...rawHeaders: string[]) => ({ method: 'POST', url: '/v1/chat/completions', rawHeaders });

/** What a reader finds, with the body if it asks for it. */
function found(written: string, body: unknown, of = request()) {
  const inHead = keyReader(sourcesOf(written))(of, '192.0.2.7');
  const { key, source } = inHead.further?.([Buffer.from(JSON.stringify(body))]) ?? inHead;
  return { key, source, waits: inHead.further !== undefined };
}

t.test('a source in the body is asked when its turn comes', async (t) => {
  const body = { user: { id: 'ünn' }, model: 'm' };
  const unn = hashText(Buffer.from('ünn').toString('latin1'));
  t.same(found('json:user.id', body), { key: unn, source: 'json:user.id', waits: true });
  t.same(found('header:x,json:user.id', body), { key: unn, source: 'json:user.id', waits: true });
  t.same(found('header:x,json:user.id', body, request('x', 'y')), {
    key: hashText('y'),
    source: 'header:x',
    waits: false,
  });
  t.same(found('json:user,client', body), { key: hashText('192.0.2.7'), source: 'client', waits: true });
  t.same(found('json:none,json:model', body), { key: hashText('m'), source: 'json:model', waits: true });
  t.same(found('json:none', body), { key: undefined, source: 'request', waits: true });
  t.equal(found('json:ü', { ü: 'x' }).key, hashText('x'));
});

t.test('joined with a part of the head, the body is asked only if that is there', async (t) => {
  const source = 'json:a+header:x';
  t.same(found(source, { a: 'b' }, request('x', 'y')), { key: hashText('1:b1:y'), source, waits: true });
  t.same(found(source, { a: 'b' }), { key: undefined, source: 'request', waits: false });
  t.same(found(source, {}, request('x', 'y')), { key: undefined, source: 'request', waits: true });
});

t.test('a compressed body is not read', async (t) => {
  t.equal(found('json:a', { a: 'b' }, request('Content-Encoding', 'gzip')).waits, false);
  t.equal(found('prompt', { user: 'b' }, request('Content-Encoding', 'br')).waits, false);
  t.equal(found('json:a', { a: 'b' }, request('Content-Encoding', 'Identity')).key, hashText('b'));
});

t.test('prompt: what the client says, in this order, else how the request begins', async (t) => {
  const messages = [{ role: 'user', content: 'Hello' }];
  const body = { model: 'm', messages, user: 'u', prompt_cache_key: 'k' };
  const both = request('X-Session-Affinity', 'a', 'X-Session-Id', 's');
  t.same(found('prompt', body, both), { key: hashText('s'), source: 'prompt', waits: false });
  t.equal(found('prompt', body, request('X-Session-Affinity', 'a')).key, hashText('a'));
  t.equal(found('prompt', body, request('X-Session-Id', '')).key, hashText('k'));
  t.equal(found('prompt', { ...body, prompt_cache_key: '' }).key, hashText('u'));
  const begins = found('prompt', { model: 'm', messages }).key;
  t.equal(begins, hashText('1:m0:5:Hello'));
  t.equal(found('prompt', { model: 'm', messages: [...messages, { role: 'assistant', content: 'Hi' }] }).key, begins);
  t.equal(found('prompt,client', { model: 'm' }).source, 'client');
  t.equal(found('header:x-tenant+prompt', { user: 'u' }, request('x-tenant', 't')).key, hashText('1:t1:u'));
});

/** Plays requests, and gives the keys that the access log has for them. */
async function played(t: Test, key: string) {
  const bodies: string[] = [];
  const server = http.createServer(async (asked, response) => {
    let body = '';
    for await (const bytes of asked) body += bytes;
    bodies.push(body);
    response.end('ok');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy = await startProxy([tcp((server.address() as AddressInfo).port)], { accessLog: 'all' }, sourcesOf(key));
  t.teardown(async () => {
    await proxy.close();
    server.close();
  });
  const keys = () =>
    proxy
      .accessLog()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const { key, requestId } = JSON.parse(line);
        return key === requestId ? 'its id' : key;
      });
  return { port: proxy.port, publish: proxy.publish, bodies, keys };
}

const post = (body: string, fields = '') =>
  `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;

t.test('a request waits for the beginning of its body, and goes by the key in it', async (t) => {
  const { port, bodies, keys } = await played(t, 'json:user');
  const client = await connectRaw(port);
  client.send('POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"user":\r\n');
  client.send('6\r\n"ann"}\r\n');
  client.send('0\r\n\r\n');
  t.match((await client.closed).text, /^HTTP\/1.1 200/);
  t.same(bodies, ['{"user":"ann"}'], 'the body goes on as it came');
  t.match(await exchangeRaw(port, post('{"user":"ann"}')), /^HTTP\/1.1 200/);
  t.same(keys(), [hashText('ann'), hashText('ann')]);
});

t.test('without a key in its body a request goes by the next source, or by its id', async (t) => {
  const { port, keys } = await played(t, 'json:user,header:x');
  const get = (fields: string) => `GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${fields}\r\n`;
  const late = `{"pad":"${'x'.repeat(140_000)}","user":"ann"}`;
  const asked: [string, unknown][] = [
    [get('x: y\r\n'), hashText('y')],
    [get(''), 'its id'],
    [post('user=ann', 'x: y\r\n'), hashText('y')],
    [post('', 'x: y\r\n'), hashText('y')],
    [post('{"user":"ann"}', 'x: y\r\nContent-Encoding: gzip\r\n'), hashText('y')],
    [post(late, 'x: y\r\n'), hashText('y')],
    [post(late), 'its id'],
    [post('{"user":""}'), 'its id'],
    [post(`{"user":"ann",${late.slice(1)}`), hashText('ann')],
  ];
  for (const [text] of asked) t.match(await exchangeRaw(port, text), /^HTTP\/1.1 200/);
  t.same(
    keys(),
    asked.map(([, key]) => key),
  );
});

t.test('a client that waits for a 100 gets it from the replica, and has no key in its body', async (t) => {
  const { port, keys } = await played(t, 'json:user,header:x');
  const client = await connectRaw(port);
  client.send(
    'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nx: y\r\nExpect: 100-continue\r\nContent-Length: 14\r\n\r\n',
  );
  await client.until(/100 Continue/);
  client.send('{"user":"ann"}');
  await client.closed;
  t.same(keys(), [hashText('y')]);
});

t.test('without a key in its body, a hash that throws is told as for any other request', async (t) => {
  const { port, publish } = await played(t, 'json:user');
  await publish({ hash: THROWING, order: [1] });
  t.match(await exchangeRaw(port, post('{"user":"ann"}')), /^HTTP\/1.1 500 .*my hash/s);
  t.match(await exchangeRaw(port, post('{}')), /^HTTP\/1.1 500 .*my hash/s);
});

t.test('a client that leaves before its body is here is logged by its id', async (t) => {
  const { port, keys } = await played(t, 'json:user');
  const client = await connectRaw(port);
  client.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"user":"ann"');
  client.socket.end();
  await client.closed;
  t.same(keys(), ['its id']);
});
