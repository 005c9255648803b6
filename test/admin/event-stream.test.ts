// Watching clients over real sockets: one that does not read is dropped at a limited cost, and the others are not
// affected.

import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { EventStream, formatEvent } from '../../lib/admin/feed/event-stream.ts';
import type { BalancerError } from '../../lib/errors.ts';
import { openEvents } from '../fixtures/event-source.ts';
import { connectRaw } from '../fixtures/raw-client.ts';

t.test('a watcher that does not read is dropped, and the others go on', async (t) => {
  const watched: boolean[] = [];
  const stream = new EventStream((now) => watched.push(now));
  const responses: ServerResponse[] = [];
  const server = http.createServer((_, response) => {
    responses.push(response);
    stream.add(response, '192.0.2.1', formatEvent('snapshot', {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  t.teardown(() => server.close());

  const deaf = await connectRaw(port);
  deaf.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await deaf.until(/snapshot/);
  deaf.socket.pause();
  const reader = await openEvents(`http://127.0.0.1:${port}/`);
  const [deafResponse] = responses as [ServerResponse];
  const text = 'x'.repeat(65_536);
  let sent = 0;
  let most = 0;
  while (!deafResponse.destroyed) {
    sent += 1;
    stream.send(formatEvent('news', { sent, text }));
    most = Math.max(most, deafResponse.writableLength);
    await reader.until('news', (data) => data.sent === sent);
  }
  t.ok(most < 2 ** 20 + 2 * text.length, `at most ${most} bytes waited`);
  stream.send(formatEvent('last', {}));
  await reader.until('last');
  t.same(watched, [true]);
  reader.close();
  await new Promise<void>((resolve) => (responses[1] as ServerResponse).once('close', () => resolve()));
  t.same(watched, [true, false]);
  t.equal(stream.isWatched, false);
});

t.test('a watcher that is always behind is dropped, however little it is sent', async (t) => {
  const { stream, responses, url, port } = await startStream(t);
  const deaf = await connectRaw(port);
  deaf.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await deaf.until(/snapshot/);
  deaf.socket.pause();
  const reader = await openEvents(url);
  const [deafResponse] = responses as [ServerResponse];
  // Writes until the buffers at both ends of the connection are full.
  while (deafResponse.writableLength === 0) {
    stream.send(formatEvent('news', { text: 'x'.repeat(65_536) }));
    await new Promise((resolve) => setImmediate(resolve));
  }
  let seconds = 0;
  for (; !deafResponse.destroyed && seconds < 100; seconds++) {
    stream.dropLate();
    stream.send(formatEvent('second', { seconds }));
    await reader.until('second', (data) => data.seconds === seconds);
  }
  t.equal(seconds, 31);
  reader.close();
});

t.test('each address has its part of the places, and each network of IPv6', async (t) => {
  const { stream, url } = await startStream(t, (request) => String(request.headers['x-from']));
  const from = async (address: string) => {
    const source = await openEvents(url, { 'X-From': address });
    t.teardown(() => source.close());
    return source.status;
  };
  for (let count = 0; count < 16; count++) t.equal(await from('192.0.2.1'), 200);
  t.equal(await from('192.0.2.1'), 503);
  t.equal(await from('192.0.2.2'), 200, 'others are not locked out');
  for (let count = 0; count < 16; count++) t.equal(await from(`2001:db8::${count}`), 200);
  for (const same of ['2001:db8::ffff', '2001:DB8:0:0:1::', '2001:db8:0:0:1:2:3:4'])
    t.equal(await from(same), 503, same);
  for (const other of ['2001:db8:0:1::1', '2001:db9::1', '::1']) t.equal(await from(other), 200, other);
  t.ok(stream.isWatched);
});

async function startStream(t: Test, addressOf: (request: IncomingMessage) => string = () => '192.0.2.1') {
  const stream = new EventStream(() => undefined);
  const responses: ServerResponse[] = [];
  const server = http.createServer((request, response) => {
    responses.push(response);
    try {
      stream.add(response, addressOf(request), formatEvent('snapshot', {}));
    } catch (error) {
      response.writeHead((error as BalancerError).status).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { stream, responses, port, url: `http://127.0.0.1:${port}/` };
}
