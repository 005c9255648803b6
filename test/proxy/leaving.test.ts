// A client that leaves frees its replica at once, however it leaves and whatever it waits for; and what it had not got
// its turn with is never sent. One that ends only its side is taken to have left too, or is answered:
// `--client-half-close`.

import { spawn, spawnSync } from 'node:child_process';
import { channel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { Options } from '../../lib/settings/options.ts';
import { arrivals } from '../fixtures/arrivals.ts';
import { type Play, played } from '../fixtures/played.ts';
import { startProxy, type TestProxy, tcp } from '../fixtures/proxy.ts';
import { connectRaw, exchangeRaw, type RawClient } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const get = (path: string, fields = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;
const CLOSE = 'Connection: close\r\n';
const OFFER = 'Connection: Upgrade\r\nUpgrade: test\r\n';
const STREAM = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n: \r\n';
const ref = { seat: 1, incarnation: 1, hostname: 'server1' };

const LEAVES: Record<string, (client: RawClient) => unknown> = {
  'ends its side': ({ socket }) => socket.end(),
  'closes its socket': ({ socket }) => socket.destroy(),
  'resets it': ({ socket }) => socket.resetAndDestroy(),
};

/** Answers `/alive`, begins an event stream for `/stream` and half a body for `/half`, and is silent else. */
const quiet: Play = (socket, head) => {
  const [, path] = head.split(' ');
  if (path === '/alive') socket.write(reply('alive'));
  if (path === '/stream') socket.write(STREAM);
  if (path === '/half') socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
};

const has = (text: string) => (received: readonly string[]) => received.join('').includes(text);

/** What a client sends, and what has come about before it leaves. */
const WAITS: Record<string, { send: string; replicaHas: string; clientHas?: RegExp; later?: string }> = {
  'a reply that does not come': { send: get('/poll'), replicaHas: 'GET /poll' },
  'a reply to an upload': {
    send: 'POST /poll HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody',
    replicaHas: '\r\n\r\nbody',
  },
  'the next event of a stream': { send: get('/stream'), replicaHas: 'GET /stream', clientHas: /: / },
  'the rest of a reply': { send: get('/half'), replicaHas: 'GET /half', clientHas: /half$/ },
  'the 101 of an offer': { send: get('/poll', OFFER), replicaHas: 'GET /poll' },
  'the 101 of an offer, and sends on': { send: get('/poll', OFFER), replicaHas: 'GET /poll', later: 'and later' },
  'the 101 of an offer with a body, with bytes behind it': {
    send: `POST /poll HTTP/1.1\r\nHost: x\r\n${OFFER}Content-Length: 4\r\n\r\nbodyearly`,
    replicaHas: '\r\n\r\nbody',
  },
  'the 101 of an offer, with bytes behind it': { send: `${get('/poll', OFFER)}early`, replicaHas: 'GET /poll' },
  'a reply, with an offer behind that is passed over': {
    send: get('/poll') + get('/behind', OFFER.replace('test', 'h2c')) + get('/behind'),
    replicaHas: 'GET /poll',
  },
  'a reply, with three requests behind': {
    send: get('/poll') + get('/behind').repeat(3),
    replicaHas: 'GET /poll',
  },
  'a reply, with a hundred requests behind': {
    send: get('/poll') + get('/behind').repeat(100),
    replicaHas: 'GET /poll',
  },
  'a reply, with an upload behind': {
    send: `${get('/poll')}POST /behind HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody`,
    replicaHas: 'GET /poll',
  },
  'the next event of a stream, with requests behind': {
    send: get('/stream') + get('/behind').repeat(20),
    replicaHas: 'GET /stream',
    clientHas: /: /,
  },
};

function noFault(t: Test, proxy: TestProxy) {
  t.same(
    proxy.log.filter((line) => line.level === 'error'),
    [],
    'which is no error in the log',
  );
  t.same(proxy.suspects, [], 'and nobody is suspected');
  t.equal(proxy.proxy.meter.counters().total.counts.failed, 0, 'nor is it counted as a failure');
}

for (const [how, leave] of Object.entries(LEAVES)) {
  t.test(`a client that ${how} frees its replica, whatever it waits for`, async (t) => {
    for (const [what, { send, replicaHas, clientHas, later = '' }] of Object.entries(WAITS)) {
      const { replica, proxy } = await played(t, {}, quiet);
      const client = await connectRaw(proxy.port);
      client.send(send);
      while (!has(replicaHas)(replica.received)) await turn();
      if (clientHas !== undefined) await client.until(clientHas);
      const [behind] = replica.sockets as [(typeof replica.sockets)[0]];
      const cut = new Promise((resolve) => behind.once('close', resolve));
      client.send(later);
      leave(client);
      await cut;
      proxy.publish({ draining: [ref] });
      await proxy.drained(ref, new AbortController().signal);
      t.notOk(has('/behind')(replica.received), `${what}: what waited is not sent`);
      // An event stream has no other end.
      const event = what.includes('stream') ? 'request' : 'client-left';
      t.ok(
        proxy.log.some((line) => line.event === event),
        what,
      );
      noFault(t, proxy);
    }
  });

  t.test(`a request that waits for room is not sent when its client ${how}`, async (t) => {
    const { replica, proxy } = await played(t, { maxInFlight: 1 }, quiet);
    const first = await connectRaw(proxy.port);
    first.send(get('/poll'));
    while (!has('GET /poll')(replica.received)) await turn();
    const waiting = await connectRaw(proxy.port);
    waiting.send(get('/never'));
    const other = await connectRaw(proxy.port);
    other.send('GET /refused HTTP/1.1\r\n\r\n');
    await other.closed;
    leave(waiting);
    while (!proxy.log.some((line) => line.event === 'client-left')) await turn();
    leave(first);
    t.match(await exchangeRaw(proxy.port, get('/alive', CLOSE)), /alive$/);
    t.notOk(has('/never')(replica.received));
  });

  t.test(`an upload whose client ${how} before its end is cut`, async (t) => {
    const { replica, proxy } = await played(t, {}, quiet);
    const client = await connectRaw(proxy.port);
    // As much as a replica is asked with.
    client.send('POST /half HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n');
    client.send(`${'-'.repeat(65_536)}some of it`);
    while (!has('some of it')(replica.received)) await turn();
    const cut = new Promise((resolve) => replica.sockets[0]?.once('close', resolve));
    leave(client);
    await cut;
    noFault(t, proxy);
  });
}

async function withOwn(t: Test, options: Partial<Options>) {
  const own: ServerResponse[] = [];
  const replica = await scriptedReplica(quiet);
  const proxy = await startProxy([tcp(replica.port)], options, undefined, {}, (request) => {
    if (request.url !== '/own') return undefined;
    return (response) => own.push(response);
  });
  t.teardown(() => Promise.all([proxy.close(), replica.close()]));
  return { proxy, own };
}

t.test('an answer of the balancer’s own is told that its client has left', async (t) => {
  for (const leave of Object.values(LEAVES)) {
    const { proxy, own } = await withOwn(t, {});
    const client = await connectRaw(proxy.port);
    client.send(get('/own'));
    while (own.length === 0) await turn();
    own[0]?.writeHead(200).write('a part');
    await client.until(/a part/);
    leave(client);
    await new Promise((resolve) => own[0]?.once('close', resolve));
    t.pass('it is');
  }
});

t.test('so is the second of two', async (t) => {
  for (const leave of Object.values(LEAVES)) {
    const { proxy, own } = await withOwn(t, {});
    const client = await connectRaw(proxy.port);
    client.send(get('/own').repeat(3));
    while (own.length === 0) await turn();
    own[0]?.end('first');
    while (own.length === 1) await turn();
    leave(client);
    await new Promise((resolve) => own[1]?.once('close', resolve));
    t.equal(own.length, 2);
  }
});

t.test('a reply that is there is sent whole to a client that has ended its side', async (t) => {
  const body = 'x'.repeat(20_000_000);
  const { proxy } = await played(t, {}, (socket) => socket.write(reply(body)));
  const client = await connectRaw(proxy.port);
  client.socket.pause();
  client.send(get('/large'));
  while (!proxy.log.some((line) => line.event === 'request')) {
    // It reads as much as it has to for the whole to be on its way.
    client.socket.resume();
    await turn();
  }
  client.socket.end();
  const { text } = await client.closed;
  t.equal(text.indexOf('\r\n\r\n') + 4 + body.length, text.length);
});

t.test('with `allow` a client that has ended its side gets all its replies', async (t) => {
  const { proxy } = await played(t, { clientHalfClose: 'allow' }, async (socket, head) => {
    const [, path] = head.split(' ');
    // Until the end of its side has arrived.
    if (path === '/0') await arrivals();
    socket.write(reply(`<${path}>`));
  });
  for (const count of [1, 2, 8, 9, 10, 17, 60]) {
    const client = await connectRaw(proxy.port);
    client.socket.end(Array.from({ length: count }, (_, index) => get(`/${index}`)).join(''));
    const { text } = await client.closed;
    t.same(
      [...text.matchAll(/<\/(\d+)>/g)].map(([, path]) => Number(path)),
      Array.from({ length: count }, (_, index) => index),
    );
  }
  const events = await played(t, { clientHalfClose: 'allow' }, quiet);
  const client = await connectRaw(events.proxy.port);
  client.send(get('/stream'));
  await client.until(/: /);
  client.socket.end();
  await turn();
  events.replica.sockets[0]?.write('5\r\nlater\r\n0\r\n\r\n');
  t.match((await client.closed).text, /later/);
});

const unlessInstalled = (program: string) =>
  spawnSync(program, ['-h']).error === undefined ? false : `${program} is not installed`;

t.test('curl that is killed frees its replica', { skip: unlessInstalled('curl') }, async (t) => {
  for (const path of ['/poll', '/stream']) {
    const { replica, proxy } = await played(t, {}, quiet);
    const curl = spawn('curl', ['-sN', `http://127.0.0.1:${proxy.port}${path}`], { stdio: 'ignore' });
    while (!has(`GET ${path}`)(replica.received)) await turn();
    const cut = new Promise((resolve) => replica.sockets[0]?.once('close', resolve));
    curl.kill('SIGKILL');
    await cut;
    noFault(t, proxy);
  }
});

/** Resolves when the next client that comes to that port has ended its side, and the server there has read that. */
function endOfSide(port: number): Promise<unknown> {
  return new Promise((resolve) => {
    const accepted = channel('net.server.socket');
    const onSocket = (message: unknown) => {
      const { socket } = message as { socket: Socket };
      if (socket.localPort !== port) return;
      accepted.unsubscribe(onSocket);
      socket.once('end', resolve);
    };
    accepted.subscribe(onSocket);
  });
}

const OPENBSD_NC = String(spawnSync('nc', ['-h']).stderr).includes('OpenBSD');

t.test(
  'nc -N is answered where that is allowed',
  { skip: OPENBSD_NC ? false : 'the nc of OpenBSD is not installed' },
  async (t) => {
    for (const [clientHalfClose, answer] of [
      ['close', ''],
      ['allow', 'late'],
    ] as const) {
      const { proxy } = await played(t, { clientHalfClose }, async (socket) => {
        await ended;
        socket.write(reply('late'));
      });
      const ended = endOfSide(proxy.port);
      const nc = spawn('nc', ['-N', '127.0.0.1', String(proxy.port)]);
      let heard = '';
      nc.stdout.on('data', (bytes) => {
        heard += bytes;
      });
      nc.stdin.end('GET / HTTP/1.0\r\n\r\n');
      await once(nc, 'close');
      t.equal(heard.slice(heard.indexOf('\r\n\r\n') + 4), answer, clientHalfClose);
    }
  },
);
