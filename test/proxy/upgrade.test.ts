import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { parseReplyHead } from '../../lib/http/reply-head.ts';
import { offeredProtocols, switchingHead } from '../../lib/http/upgrade.ts';
import type { Options } from '../../lib/settings/options.ts';
import { advanceUntil, arrivals, pour, standstill } from '../fixtures/arrivals.ts';
import { type Play, played as playedBy, timed } from '../fixtures/played.ts';
import { startProxy, startTimed, tcp } from '../fixtures/proxy.ts';
import { connectRaw, exchangeRaw } from '../fixtures/raw-client.ts';
import { reply } from '../fixtures/scripted-replica.ts';
import { socketService } from '../fixtures/sockets.ts';

const ASK = 'GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n';
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n';
const ref = { seat: 1, incarnation: 1, hostname: 'server1' };

const played = (t: Test, plays: Play[], options: Partial<Options> = {}) => playedBy(t, options, ...plays);

async function webSocket(t: Test, options: Partial<Options> = {}) {
  const service = await socketService();
  const proxy = await startTimed([tcp(service.port)], options);
  t.teardown(() => Promise.all([proxy.close(), service.close()]));
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/chat`);
  await once(socket, 'open');
  return { service, proxy, socket, clock: proxy.clock };
}

const lost = async (socket: { once(event: 'close', listener: () => void): unknown }) =>
  new Promise<void>((resolve) => socket.once('close', resolve));

t.test('a WebSocket goes through: messages of all sizes, both ways, and an orderly end', async (t) => {
  const { proxy, service, socket } = await webSocket(t);
  for (const size of [0, 1, 125, 126, 65_536, 3_000_000]) {
    const message = Buffer.alloc(size, size % 251);
    socket.send(message);
    const [echo] = (await once(socket, 'message')) as [Buffer];
    t.ok(message.equals(echo), `${size} bytes`);
  }
  const gone = lost(service.sockets[0] as (typeof service.sockets)[0]);
  socket.close(1000, 'done');
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  t.same([code, String(reason)], [1000, 'done']);
  await gone;
  while (!proxy.log.some((line) => line.status === 101)) await turn();
  t.notOk(
    proxy.log.some((line) => line.level === 'error'),
    'which is no failure',
  );
});

t.test('many at a time, with ordinary requests between', async (t) => {
  const service = await socketService();
  const proxy = await startProxy([tcp(service.port)]);
  t.teardown(() => Promise.all([proxy.close(), service.close()]));
  const sockets = Array.from({ length: 50 }, () => new WebSocket(`ws://127.0.0.1:${proxy.port}/`));
  await Promise.all(
    sockets.map(async (socket, index) => {
      await once(socket, 'open');
      socket.send(`number ${index}`);
      const [echo] = await once(socket, 'message');
      t.equal(String(echo), `number ${index}`);
    }),
  );
  t.match(await exchangeRaw(proxy.port, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), /plain/);
  for (const socket of sockets) socket.terminate();
});

t.test('the replica gets the offer, and the fields that every request gets', async (t) => {
  let head = '';
  const service = await socketService((_socket, request) => {
    head = request.rawHeaders.join('|');
  });
  const proxy = await startProxy([tcp(service.port)]);
  t.teardown(() => Promise.all([proxy.close(), service.close()]));
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`, ['a', 'b'], { perMessageDeflate: true });
  await once(socket, 'open');
  t.match(head, /Sec-WebSocket-Protocol\|a,b/);
  t.match(head, /Via\|1.1 ringmaster\|X-Forwarded-For\|127.0.0.1\|.*Connection\|Upgrade\|Upgrade\|websocket$/);
  t.match(socket.extensions, /permessage-deflate/);
  socket.terminate();
});

t.test('bytes behind the offer are held until the replica has switched', async (t) => {
  const { replica, proxy } = await played(t, [() => undefined]);
  const client = await connectRaw(proxy.port);
  client.send(`${ASK}early`);
  while (!replica.received[0]?.includes('Upgrade: test')) await turn();
  client.send(' and late');
  await arrivals();
  t.match(replica.received[0], /\r\n\r\n$/, 'nothing of them has come');
  replica.sockets[0]?.write(`${SWITCH}hello`);
  await client.until(/^HTTP\/1.1 101 .*\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\nhello$/s);
  while (!replica.received[0]?.endsWith('early and late')) await turn();
  client.socket.destroy();
});

t.test('any other answer is an ordinary reply, and what came behind the offer goes nowhere', async (t) => {
  const { replica, proxy } = await played(t, [(socket) => socket.write(reply('no', 'A: b\r\n', '403 Forbidden'))]);
  const client = await connectRaw(proxy.port);
  client.send(`${ASK}GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n`);
  const { text, reset } = await client.closed;
  t.match(text, /^HTTP\/1.1 403 Forbidden\r\nA: b\r\n.*Connection: close\r\n\r\nno$/s);
  t.notOk(reset);
  t.notMatch(replica.received.join(), /smuggled/);
});

t.test('a replica that switches to what was not offered, or unasked, is a 502', async (t) => {
  const other = SWITCH.replace('Upgrade: test', 'Upgrade: other');
  const none = 'HTTP/1.1 101 Switching Protocols\r\n\r\n';
  for (const answer of [other, none]) {
    const { proxy } = await played(t, [(socket) => socket.write(answer)]);
    t.match(await exchangeRaw(proxy.port, ASK), /^HTTP\/1.1 502 /);
  }
  const { proxy } = await played(t, [(socket) => socket.write(SWITCH)]);
  const plain = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  t.match(await exchangeRaw(proxy.port, plain), /^HTTP\/1.1 502 /);
});

t.test('either side that ends takes the other with it', async (t) => {
  const ends: ((of: { end(): unknown; destroy(): unknown; resetAndDestroy(): unknown }) => unknown)[] = [
    (of) => of.end(),
    (of) => of.destroy(),
    (of) => of.resetAndDestroy(),
  ];
  for (const end of ends) {
    const { replica, proxy } = await played(t, [(socket) => socket.write(SWITCH)]);
    const open = async () => {
      const client = await connectRaw(proxy.port);
      client.send(ASK);
      await client.until(/\r\n\r\n$/);
      return { client, behind: replica.sockets.at(-1) as (typeof replica.sockets)[0] };
    };
    const first = await open();
    const replicaGone = lost(first.behind);
    end(first.client.socket);
    await replicaGone;
    const second = await open();
    end(second.behind);
    await second.client.closed;
    t.pass('both');
  }
});

t.test('the last words of one side reach the other before the end does', async (t) => {
  const { replica, proxy } = await played(t, [(socket) => socket.end(`${SWITCH}farewell`)]);
  const client = await connectRaw(proxy.port);
  client.send(ASK);
  t.match((await client.closed).text, /farewell$/);
  t.equal(replica.sockets.length, 1);
  const { replica: other, proxy: second } = await played(t, [(socket) => socket.write(SWITCH)]);
  const leaving = await connectRaw(second.port);
  leaving.send(ASK);
  await leaving.until(/\r\n\r\n$/);
  leaving.socket.end('x'.repeat(500_000));
  await lost(other.sockets[0] as (typeof other.sockets)[0]);
  t.match(other.received[0], /x{500000}$/);
});

t.test('a client that has said all still hears what the replica says, and the replica hears that', async (t) => {
  // As `docker attach` and `nc` do it: the end of what is sent is what the answer waits for.
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    let text = '';
    socket.on('data', (bytes) => {
      const began = text.includes('\r\n\r\n');
      text += bytes;
      if (!began) socket.write(SWITCH);
    });
    socket.on('end', async () => {
      for (let part = 0; part < 5; part++) {
        socket.write(`<part ${part}>`);
        await arrivals();
      }
      socket.end(`<all of ${text.slice(text.indexOf('\r\n\r\n') + 4)}>`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy = await startProxy([tcp((server.address() as AddressInfo).port)]);
  t.teardown(async () => {
    await proxy.close();
    server.close();
  });
  const client = await connectRaw(proxy.port);
  client.send(ASK);
  await client.until(/\r\n\r\n$/);
  client.socket.end('input');
  t.match((await client.closed).text, /<part 0>.*<part 4><all of input>$/s);
  await proxy.drained(ref, new AbortController().signal);
  t.notOk(proxy.log.some((line) => line.level === 'error'));
});

t.test('a tunnel whose client has said all, and whose replica does not end, is closed after its time', async (t) => {
  const sockets: net.Socket[] = [];
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined).once('data', () => socket.write(SWITCH));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy = await startTimed([tcp((server.address() as AddressInfo).port)], { tunnelIdleTimeoutMs: 500 });
  const { clock } = proxy;
  t.teardown(async () => {
    await proxy.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const client = await connectRaw(proxy.port);
  client.send(ASK);
  await client.until(/\r\n\r\n$/);
  client.socket.end();
  await arrivals();
  await clock.advance(400);
  await arrivals();
  t.notOk(client.socket.closed);
  await advanceUntil(clock, client.closed);
  await proxy.drained(ref, new AbortController().signal);
  t.match(
    proxy.log.filter((line) => line.code === 'tunnel-idle'),
    [{ level: 'info' }],
    'which is nobody’s fault',
  );
  t.match(proxy.proxy.meter.counters().total.counts, { failed: 0, abandoned: 1 });
});

t.test('a client that goes on sending into a tunnel that has ended reads its last words', async (t) => {
  const { proxy } = await played(t, [
    (socket) => {
      socket.write(SWITCH);
      socket.once('data', () => socket.end('farewell'));
    },
  ]);
  const client = await connectRaw(proxy.port);
  client.send(ASK);
  await client.until(/\r\n\r\n$/);
  // More than fits between two sockets, so that it is read; and no more than a busy machine takes within the time for
  // lingering.
  const { socket } = client;
  for (let count = 0; (count < 10 || !client.text.endsWith('farewell')) && !socket.destroyed; count++) {
    client.send(Buffer.alloc(500_000));
    do await turn();
    while (socket.writableLength > 2_000_000 && !socket.destroyed);
  }
  const { text, reset } = await client.closed;
  t.match(text, /farewell$/);
  t.notOk(reset);
});

t.test('a tunnel whose replica takes nothing is closed after its time too', async (t) => {
  const { replica, proxy, clock } = await timed(t, { tunnelIdleTimeoutMs: 500 }, (socket) => {
    socket.write(SWITCH);
    socket.pause();
  });
  const client = await connectRaw(proxy.port);
  client.send(ASK);
  await client.until(/\r\n\r\n$/);
  pour(client.socket, Buffer.alloc(20_000_000));
  await standstill(() => client.socket.bytesWritten);
  await clock.advance(400);
  t.notOk(proxy.log.some((line) => line.code === 'tunnel-idle'));
  await advanceUntil(clock, client.closed);
  await proxy.drained(ref, new AbortController().signal);
  t.equal(replica.sockets.length, 1);
});

t.test('a tunnel on which nothing is said is closed after its time', async (t) => {
  const { service, proxy, socket, clock } = await webSocket(t, { tunnelIdleTimeoutMs: 1000 });
  // Each word keeps it up.
  for (let count = 0; count < 4; count++) {
    await clock.advance(800);
    socket.send('still here');
    await once(socket, 'message');
  }
  await clock.advance(800);
  t.notOk(proxy.log.some((line) => line.code === 'tunnel-idle'));
  const gone = lost(service.sockets[0] as (typeof service.sockets)[0]);
  const closed = once(socket, 'close');
  await clock.advance(400);
  const [code] = await closed;
  t.equal(code, 1006);
  await gone;
  t.ok(proxy.log.some((line) => line.code === 'tunnel-idle'));
});

t.test('a tunnel outlasts its replica’s draining, but only until the deadline', async (t) => {
  const { proxy, socket } = await webSocket(t);
  proxy.publish({ draining: [ref] });
  const deadline = new AbortController();
  let drained = false;
  const draining = proxy.drained(ref, deadline.signal).then(() => {
    drained = true;
  });
  socket.send('while it drains');
  t.equal(String((await once(socket, 'message'))[0]), 'while it drains');
  t.notOk(drained);
  deadline.abort();
  await Promise.all([once(socket, 'close'), draining]);
});

t.test('shutdown waits for tunnels until its deadline, and cuts them then', async (t) => {
  const { proxy, socket } = await webSocket(t);
  const deadline = new AbortController();
  const closed = proxy.proxy.close(deadline.signal);
  socket.send('while it closes');
  await once(socket, 'message');
  deadline.abort();
  await Promise.all([once(socket, 'close'), closed]);
});

t.test('an offer that broke before the reply is made at the next seat', async (t) => {
  const { proxy } = await played(t, [(socket) => socket.destroy(), (socket) => socket.write(`${SWITCH}second`)]);
  const client = await connectRaw(proxy.port);
  client.send(ASK);
  await client.until(/second$/);
  client.socket.destroy();
});

t.test('an offer behind other requests waits for their replies', async (t) => {
  const { proxy } = await played(t, [
    async (socket, head) => {
      await arrivals();
      socket.write(head.includes('Upgrade') ? `${SWITCH}switched` : reply(`<${head.split(' ')[1]}>`));
    },
  ]);
  const client = await connectRaw(proxy.port);
  client.send(`GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n${ASK}`);
  await client.until(/<\/1>.*<\/2>HTTP\/1.1 101 .*switched$/s);
  client.socket.destroy();
});

t.test('a client that does not read does not fill memory, nor does a replica', async (t) => {
  const { replica, proxy } = await played(t, [(socket) => socket.write(SWITCH)]);
  const client = await connectRaw(proxy.port);
  client.send(ASK);
  await client.until(/\r\n\r\n$/);
  const behind = replica.sockets[0] as (typeof replica.sockets)[0];
  const fill = async (from: typeof behind) => {
    pour(from, Buffer.alloc(200 * 2 ** 20));
    await standstill(() => from.bytesWritten);
    return from.bytesWritten / 2 ** 20;
  };
  client.socket.pause();
  behind.pause();
  // What fits into the system's buffers of four sockets, and no more.
  t.ok((await fill(behind)) < 50);
  t.ok((await fill(client.socket)) < 50);
  client.socket.destroy();
});

const offered = (fields: string[], minor = 1) =>
  offeredProtocols({
    method: 'GET',
    url: '/',
    httpVersionMajor: 1,
    httpVersionMinor: minor,
    rawHeaders: fields.flatMap((field) => field.split(': ')),
  });

t.test('what is offered on: all but what changes how this hop speaks', async (t) => {
  t.equal(offered(['Connection: Upgrade', 'Upgrade: websocket']), 'websocket');
  t.equal(offered(['connection: keep-alive, upgrade', 'upgrade: a/1, b', 'Upgrade: c']), 'a/1, b, c');
  t.equal(offered(['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c']), '');
  t.equal(offered(['Connection: Upgrade', 'Upgrade: websocket, h2c, TLS/1.0, HTTP/2.0, h2']), 'websocket');
  t.equal(offered(['Upgrade: websocket']), '', 'not nominated');
  t.equal(offered(['Connection: Upgrade']), '');
  t.equal(offered(['Connection: Upgrade', 'Upgrade: websocket'], 0), '', 'HTTP/1.0');
});

t.test('the attack: h2c through the proxy arrives as an ordinary request', async (t) => {
  const { replica, proxy } = await played(t, [(socket) => socket.write(reply('plain'))]);
  const answer = await exchangeRaw(
    proxy.port,
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n',
  );
  t.match(answer, /^HTTP\/1.1 200 .*plain$/s);
  t.notMatch(replica.received[0], /upgrade|h2c|http2-settings/i);
});

t.test('a 101 keeps its own fields, and none of the hop behind', async (t) => {
  const head = parseReplyHead(
    'HTTP/1.1 101 Go\r\nSec-WebSocket-Accept: x\r\nConnection: upgrade, x-hop\r\nX-Hop: 1\r\nupgrade: WebSocket\r\n',
    'GET',
    16,
  );
  t.equal(
    switchingHead(head, 'websocket'),
    'HTTP/1.1 101 Go\r\nSec-WebSocket-Accept: x\r\nVia: 1.1 ringmaster\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n',
  );
});
