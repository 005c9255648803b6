// What clients do wrong, or leave undone, is no error of ours: nothing of it is logged as one, counted as a failure, or
// held against a replica.

import t from 'tap';
import { advanceUntil } from '../fixtures/arrivals.ts';
import { type Play, timed } from '../fixtures/played.ts';
import { connectRaw, type RawClient } from '../fixtures/raw-client.ts';
import { reply } from '../fixtures/scripted-replica.ts';

const HOST = 'Host: x\r\n';
const play: Play = (socket, head) => {
  const [, path] = head.split(' ');
  if (path === '/large') socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n${'x'.repeat(4_000_000)}`);
  else if (path !== '/silent') socket.write(reply('here'));
};

const ends = ({ socket }: RawClient) => socket.end();
const resets = ({ socket }: RawClient) => socket.resetAndDestroy();

/** What a client sends, what it then waits for, if for anything, and how it leaves; `undefined`: it stays, and idles. */
const FAULTS: Record<string, [send: string, waitsFor: RegExp | undefined, leaves?: (client: RawClient) => unknown]> = {
  'nothing, and ends': ['', undefined, ends],
  'nothing, and resets': ['', undefined, resets],
  'half a head, and ends': ['GET / HTTP/1.1\r\nHo', undefined, ends],
  'half a head, and resets': ['GET / HTTP/1.1\r\nHo', undefined, resets],
  'half a head, and idles': ['GET / HTTP/1.1\r\nHo', undefined],
  'half a body, and ends': [`PUT / HTTP/1.1\r\n${HOST}Content-Length: 9\r\n\r\nhalf`, undefined, ends],
  'half a body, and resets': [`PUT / HTTP/1.1\r\n${HOST}Content-Length: 9\r\n\r\nhalf`, undefined, resets],
  'half a body, and idles': [`PUT / HTTP/1.1\r\n${HOST}Content-Length: 9\r\n\r\nhalf`, undefined],
  'half a large body, and resets': [
    `PUT / HTTP/1.1\r\n${HOST}Content-Length: 99999999\r\n\r\n${'x'.repeat(200_000)}`,
    undefined,
    resets,
  ],
  'a broken chunk': [`PUT / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nzz`, /400 Bad/],
  'a request, has its reply, and idles': [`GET / HTTP/1.1\r\n${HOST}\r\n`, /here$/],
  'a request, and leaves amid the reply': [`GET /large HTTP/1.1\r\n${HOST}\r\n`, /xxx/, resets],
  'a request, and leaves before the reply': [`GET /silent HTTP/1.1\r\n${HOST}\r\n`, undefined, resets],
  'the first bytes of TLS': ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', /400 Bad/],
  'the preface of HTTP/2': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /HTTP\/1\.1 [45]/],
  CONNECT: ['CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', /501 Not/],
  'a method that nobody knows': [`BREW / HTTP/1.1\r\n${HOST}\r\n`, /501 Not/],
  'a head without end': [`GET / HTTP/1.1\r\n${HOST}X: ${'y'.repeat(70_000)}`, /431 /],
};

for (const [what, [send, waitsFor, leaves]] of Object.entries(FAULTS)) {
  t.test(`a client that sends ${what}`, async (t) => {
    const limits = { headTimeoutMs: 300, bodyTimeoutMs: 300, keepAliveTimeoutMs: 300 };
    const { proxy, clock } = await timed(t, limits, play);
    const client = await connectRaw(proxy.port);
    if (send !== '') client.send(Buffer.from(send, 'latin1'));
    if (waitsFor !== undefined) await client.until(waitsFor);
    leaves?.(client);
    await advanceUntil(clock, client.closed);
    // Then all is told.
    await advanceUntil(clock, proxy.proxy.close(new AbortController().signal));
    t.same(
      proxy.log.filter(({ level }) => level === 'error' || level === 'warn'),
      [],
    );
    t.same(proxy.suspects, []);
    t.equal(proxy.proxy.meter.counters().total.counts.failed, 0);
  });
}
