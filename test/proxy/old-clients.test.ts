// Clients of HTTP/1.0 that keep a connection (RFC 9112, 9.3): whoever answers says whether it goes on, errors of our
// own too.

import { execFile, spawnSync } from 'node:child_process';
import t from 'tap';
import { echoReplica } from '../fixtures/echo-replica.ts';
import { played } from '../fixtures/played.ts';
import { startProxy, tcp } from '../fixtures/proxy.ts';
import { connectRaw, exchangeRaw } from '../fixtures/raw-client.ts';

const HAS_AB = spawnSync('ab', ['-V']).error === undefined;
const old = (path: string, fields = '', method = 'GET') => `${method} ${path} HTTP/1.0\r\nHost: x\r\n${fields}\r\n`;
const KEEP = 'Connection: keep-alive\r\n';

t.test('an error says keep-alive to HTTP/1.0 where it is true, and close where it is not', async (t) => {
  const proxy = await startProxy([], { maxRequestsPerConnection: 3 });
  t.teardown(() => proxy.close());
  const client = await connectRaw(proxy.port);
  client.send(old('/', KEEP));
  t.match(await client.until(/}$/), /^HTTP\/1.1 503 .*\r\nConnection: keep-alive\r\n\r\n{/s);
  client.send(old('/', KEEP, 'HEAD'));
  t.match(await client.until(/}HTTP.*\r\n\r\n$/s), /}HTTP\/1.1 503 .*\r\nConnection: keep-alive\r\n\r\n$/s);
  client.send(old('/', KEEP));
  const { text } = await client.closed;
  t.match(text, /\r\nConnection: close\r\n\r\n{[^{]*}$/s, 'the last that the connection may carry');
  t.match(await exchangeRaw(proxy.port, old('/')), /\r\nConnection: close\r\n\r\n{/);
  t.match(await exchangeRaw(proxy.port, old('/', `${KEEP}Host: y\r\n`)), /^HTTP\/1.1 400 .*\r\nConnection: close\r\n/s);
  const modern = await connectRaw(proxy.port);
  modern.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  t.notMatch(await modern.until(/}$/), /Connection:/, 'HTTP/1.1 takes it for granted');
  modern.socket.destroy();
});

t.test('the same of what is answered at the last hop, and of too many connections', async (t) => {
  const proxy = await startProxy([], { maxConnections: 1 });
  t.teardown(() => proxy.close());
  const client = await connectRaw(proxy.port);
  client.send(old('/', `${KEEP}Max-Forwards: 0\r\n`, 'OPTIONS'));
  t.match(await client.until(/\r\n\r\n$/), /^HTTP\/1.1 200 .*\r\nConnection: keep-alive\r\n/s);
  t.match(await exchangeRaw(proxy.port, old('/', KEEP)), /^HTTP\/1.1 503 .*\r\nConnection: close\r\n/s);
  client.socket.destroy();
});

/** What `ab` says. */
function ab(...args: string[]): Promise<string> {
  return new Promise((resolve) => {
    // It hangs for 30 s on a connection that it was not told of.
    execFile('ab', args, { timeout: 25_000 }, (error, stdout) => resolve(error === null ? stdout : error.message));
  });
}

t.test('ab -k does not hang on errors of ours', { skip: HAS_AB ? false : 'ab is not installed' }, async (t) => {
  const none = await startProxy([]);
  const replica = await echoReplica();
  const proxy = await startProxy([tcp(replica.port)], {}, undefined, {}, (request) => {
    if (request.url !== '/own') return undefined;
    return (response) => response.setHeader('Content-Length', 3).end('own');
  });
  t.teardown(async () => {
    await Promise.all([none.close(), proxy.close()]);
    replica.close();
  });
  const failed = await ab('-k', '-n', '200', '-c', '4', `http://127.0.0.1:${none.port}/x`);
  t.match(failed, /Complete requests: +200\n(?:.*\n)*Non-2xx responses: +200\nKeep-Alive requests: +200\n/);
  for (const path of ['/x', '/own']) {
    const served = await ab('-k', '-n', '200', '-c', '4', `http://127.0.0.1:${proxy.port}${path}`);
    t.match(served, /Complete requests: +200\nFailed requests: +0\nKeep-Alive requests: +200\n/, path);
  }
  t.match(await ab('-n', '50', `http://127.0.0.1:${none.port}/x`), /Complete requests: +50\n/);
});

t.test('a reply without a length that is cut at the end is reset: nobody may take it for whole', async (t) => {
  const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
  const { proxy } = await played(t, {}, (socket) => socket.write(`${head}4\r\npart\r\n`));
  const older = await connectRaw(proxy.port);
  const client = await connectRaw(proxy.port);
  older.send('GET / HTTP/1.0\r\n\r\n');
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await Promise.all([older.until(/part$/), client.until(/part\r\n$/)]);
  await proxy.proxy.close(AbortSignal.abort());
  t.match(await older.closed, { text: /part$/, reset: true });
  t.match(await client.closed, { text: /part\r\n$/, reset: false }, 'its last chunk is missing');
});

t.test('so it is when its client ends its side, and reads on', async (t) => {
  const { proxy } = await played(t, {}, (socket) => socket.write('HTTP/1.1 200 OK\r\n\r\npart'));
  const client = await connectRaw(proxy.port);
  client.send('GET / HTTP/1.0\r\n\r\n');
  await client.until(/part$/);
  client.socket.end();
  t.match(await client.closed, { text: /part$/, reset: true });
});
