// Replicas that are lost amid an exchange: after an interim reply, while the client still sends, or within the head of
// the reply. An idempotent request goes on at the next seat, as long as its body is in hand and the client has nothing
// of a final reply.

import type { Socket } from 'node:net';
import t from 'tap';
import { arrivals, until } from '../fixtures/arrivals.ts';
import { type Play, played, timed } from '../fixtures/played.ts';
import { connectRaw, exchangeRaw } from '../fixtures/raw-client.ts';
import { reply } from '../fixtures/scripted-replica.ts';

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const HINTS = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n';
const ENDS: readonly ['end' | 'reset', (socket: Socket) => void][] = [
  ['end', (socket) => socket.end()],
  ['reset', (socket) => socket.resetAndDestroy()],
];

const head = (method: string, fields: string) =>
  `${method} / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${fields}\r\n`;
const expecting = (method: string, lengthBytes = 5) =>
  head(method, `Expect: 100-continue\r\nContent-Length: ${lengthBytes}\r\n`);

/** Replies when the request has come whole: with a 100 first, if it is to be asked for. */
const answersAt =
  (all: () => { received: string[] } | undefined, whole: RegExp): Play =>
  async (socket, text) => {
    if (text.includes('Expect')) socket.write(CONTINUE);
    await until(() => all()?.received.some((one) => whole.test(one)) === true);
    socket.write(reply('second'));
  };

for (const [name, end] of ENDS) {
  t.test(
    `a replica that breaks after its 100, by ${name}, while the body is in hand: it is put at the next`,
    async (t) => {
      const { all, proxy } = await played(
        t,
        {},
        async (socket) => {
          socket.write(CONTINUE);
          await until(() => /hello$/.test(all[0]?.received[0] ?? ''));
          end(socket);
        },
        answersAt(() => all[1], /hello$/),
      );
      const client = await connectRaw(proxy.port);
      client.send(expecting('PUT'));
      await client.until((text) => text === CONTINUE);
      client.send('hello');
      const { text } = await client.closed;
      t.match(text, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 .*second$/s, 'and one 100 is enough');
      t.match(all[1]?.received, [/^PUT .*Expect: 100-continue\r\n.*\r\n\r\nhello$/s], 'with its whole body');
      t.same(proxy.suspects, [1]);
    },
  );

  t.test(
    `a replica that breaks by ${name} while the client still sends: the next gets it from its beginning`,
    async (t) => {
      for (const [fields, first, second, whole] of [
        ['Content-Length: 10\r\n', 'hello', 'world', /\r\n\r\nhelloworld$/],
        [
          'Transfer-Encoding: chunked\r\n',
          '5\r\nhello\r\n',
          '5\r\nworld\r\n0\r\n\r\n',
          /\r\n\r\n5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n$/,
        ],
      ] as const) {
        const { all, proxy } = await played(
          t,
          {},
          (socket) => socket.write(CONTINUE),
          answersAt(() => all[1], whole),
        );
        const client = await connectRaw(proxy.port);
        client.send(head('PUT', `Expect: 100-continue\r\n${fields}`));
        await client.until((text) => text === CONTINUE);
        client.send(first);
        await until(() => all[0]?.received[0]?.includes('hello') === true);
        end(all[0]?.sockets[0] as Socket);
        await until(() => all[1]?.received[0]?.includes('hello') === true);
        client.send(second);
        t.match((await client.closed).text, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 .*second$/s);
        t.match(all[1]?.received, [whole]);
      }
    },
  );

  t.test(`a replica that breaks by ${name} before its 100: the next one says it`, async (t) => {
    const { all, proxy } = await played(
      t,
      {},
      end,
      answersAt(() => all[1], /hello$/),
    );
    const client = await connectRaw(proxy.port);
    client.send(expecting('PUT'));
    await client.until((text) => text === CONTINUE);
    client.send('hello');
    t.match((await client.closed).text, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 .*second$/s);
  });

  t.test(
    `a reply that breaks by ${name} within its head, or after interim ones, is that of the next replica`,
    async (t) => {
      for (const begun of [
        'HTTP/1.1 2',
        'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n',
        HINTS,
        `${HINTS}HTTP/1.1 200 OK\r\n`,
      ]) {
        const { all, proxy } = await played(
          t,
          {},
          (socket) => {
            socket.write(begun);
          },
          (socket) => socket.write(`${HINTS}${reply('second')}`),
        );
        const answer = exchangeRaw(proxy.port, head('GET', ''));
        await until(() => all[0]?.sockets.length === 1);
        // What has begun has arrived before it ends, since a reset drops what has not been read.
        await arrivals();
        end(all[0]?.sockets[0] as Socket);
        const hints = begun.startsWith(HINTS) ? `${HINTS}${HINTS}` : HINTS;
        const text = await answer;
        t.equal(text.slice(0, hints.length), hints, 'hints are passed on as they come');
        t.match(text.slice(hints.length), /^HTTP\/1.1 200 .*second$/s);
        t.same(proxy.suspects, [1]);
      }
    },
  );

  t.test(`a POST whose head was sent is not repeated, whatever came before its replica broke by ${name}`, async (t) => {
    for (const interim of ['', CONTINUE, HINTS, `${HINTS}${CONTINUE}`, 'HTTP/1.1 2']) {
      const { all, proxy } = await played(
        t,
        {},
        (socket) => {
          socket.write(interim);
        },
        (socket) => socket.write(reply('second')),
      );
      const answer = exchangeRaw(proxy.port, expecting('POST'));
      await until(() => all[0]?.received[0]?.includes('POST') === true);
      await arrivals();
      end(all[0]?.sockets[0] as Socket);
      const seen = interim.startsWith('HTTP/1.1 2') ? '' : interim;
      const text = await answer;
      t.equal(text.slice(0, seen.length), seen);
      // The body is not here, so what the client sends next could be taken for a request.
      t.match(text.slice(seen.length), /^HTTP\/1.1 502 .*\r\nConnection: close\r\n/s);
      t.same(all[1]?.received, []);
    }
  });
}

t.test('a POST whose replica could not be reached asks the next one, which says 100', async (t) => {
  const { all, proxy } = await played(
    t,
    {},
    () => undefined,
    answersAt(() => all[1], /hello$/),
  );
  await all[0]?.close();
  const client = await connectRaw(proxy.port);
  client.send(expecting('POST'));
  await client.until((text) => text === CONTINUE);
  client.send('hello');
  t.match((await client.closed).text, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 .*second$/s);
});

t.test('an upload whose replica breaks when it has no more than is kept goes on at the next', async (t) => {
  const first = 'x'.repeat(65_536);
  const { all, proxy } = await played(
    t,
    {},
    () => undefined,
    answersAt(() => all[1], /\r\n\r\nx+end$/),
  );
  const client = await connectRaw(proxy.port);
  client.send(`${head('PUT', `Content-Length: ${first.length + 3}\r\n`)}${first}`);
  await until(() => all[0]?.received[0]?.endsWith(first) === true);
  all[0]?.sockets[0]?.resetAndDestroy();
  await until(() => all[1]?.received[0]?.endsWith(first) === true);
  client.send('end');
  t.match((await client.closed).text, /^HTTP\/1.1 200 .*second$/s);
  t.equal(all[1]?.received[0]?.split('\r\n\r\n')[1], `${first}end`);
});

t.test('an upload of which more was sent than is kept is lost with its replica, also after a 100', async (t) => {
  const { all, proxy } = await played(
    t,
    {},
    (socket) => socket.write(CONTINUE),
    () => undefined,
  );
  const client = await connectRaw(proxy.port);
  client.send(expecting('PUT', 200_000));
  await client.until((text) => text === CONTINUE);
  client.send('x'.repeat(100_000));
  await until(() => all[0]?.received[0]?.endsWith('x'.repeat(100_000)) === true);
  all[0]?.sockets[0]?.resetAndDestroy();
  await client.until(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 502 .*\r\nConnection: close\r\n/s);
  t.same(all[1]?.received, []);
  client.socket.destroy();
});

t.test('bytes that are no reply end the request, after interim replies too', async (t) => {
  for (const interim of ['', HINTS]) {
    const { all, proxy } = await played(
      t,
      {},
      (socket) => socket.write(`${interim}rubbish\r\n\r\n`),
      (socket) => socket.write(reply('second')),
    );
    const text = await exchangeRaw(proxy.port, head('GET', ''));
    t.match(text.slice(interim.length), /^HTTP\/1.1 502 /);
    t.same(all[1]?.received, []);
    t.same(proxy.suspects, [], 'the request may be what made it answer so');
  }
});

t.test(
  'a replica that ends its side without a reply is lost at once, though it takes nothing of an upload',
  async (t) => {
    const { all, proxy } = await timed(
      t,
      {},
      (socket) => {
        socket.pause();
        socket.end();
      },
      (socket) => socket.write(reply('second')),
    );
    const client = await connectRaw(proxy.port);
    // More than fits between here and there, so that something is still to be written.
    client.send(`${head('PUT', 'Content-Length: 50000000\r\n')}${'x'.repeat(20_000_000)}`);
    await client.until(/^HTTP\/1.1 502 /);
    t.same(all[1]?.received, []);
    client.socket.destroy();
  },
);

t.test('whom a request with Expect waits for: its replica until the 100, or until its body has begun', async (t) => {
  for (const [interim, sent, status] of [
    ['', '', 504],
    [HINTS, '', 504],
    [CONTINUE, '', 408],
    ['', 'he', 408],
  ] as const) {
    const { replica, proxy, clock } = await timed(t, { replyTimeoutMs: 1000, bodyTimeoutMs: 1000 }, (socket) => {
      socket.write(interim);
    });
    const client = await connectRaw(proxy.port);
    client.send(expecting('POST') + sent);
    await client.until((text) => text === interim);
    await until(() => replica.received[0]?.endsWith(`\r\n\r\n${sent}`) === true);
    await clock.advance(1200);
    const { text } = await client.closed;
    t.equal(text.slice(interim.length, interim.length + 12), `HTTP/1.1 ${status}`, `${interim} ${sent}`);
    t.equal(proxy.suspects.length, status === 504 ? 1 : 0);
  }
});
