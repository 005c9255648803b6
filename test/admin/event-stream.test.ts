// Those who watch, over real sockets: who does not read is dropped, at a bounded cost, and the others notice nothing.

import http, { type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { EventStream, formatEvent } from '../../lib/admin/event-stream.ts';
import { openEvents } from '../fixtures/event-source.ts';
import { connectRaw } from '../fixtures/raw-client.ts';

t.test('a watcher that does not read is dropped, and the others go on', async (t) => {
  const watched: boolean[] = [];
  const stream = new EventStream((now) => watched.push(now));
  const responses: ServerResponse[] = [];
  const server = http.createServer((_, response) => {
    responses.push(response);
    stream.add(response, formatEvent('snapshot', {}));
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
