// Upgraded connections take no place of ordinary requests, and there is a maximum of their own.

import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { type Play, played } from '../fixtures/played.ts';
import { startProxy, tcp } from '../fixtures/proxy.ts';
import { connectRaw, exchangeRaw, type RawClient } from '../fixtures/raw-client.ts';
import { reply } from '../fixtures/scripted-replica.ts';
import { socketService } from '../fixtures/sockets.ts';

const GET = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
const ASK = 'GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n';
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n';
const FULL = /^HTTP\/1.1 503 .*each replica has 2 upgraded connections already/s;

const switches: Play = (socket, head) => socket.write(head.includes('Upgrade') ? `${SWITCH}open` : reply('plain'));

const until = async (fits: () => boolean) => {
  while (!fits()) await turn();
};

async function open(port: number): Promise<RawClient> {
  const client = await connectRaw(port);
  client.send(ASK);
  await client.until(/open$/);
  return client;
}

t.test('the attack: WebSockets that say nothing hold no places of ordinary requests', async (t) => {
  const { proxy } = await played(t, { maxInFlight: 2, queue: 0 }, switches);
  const clients = [];
  for (let count = 0; count < 20; count++) clients.push(await open(proxy.port));
  t.match(await exchangeRaw(proxy.port, GET), /plain$/);
  const { total, replicas } = proxy.proxy.meter.counters();
  t.equal(total.inFlight, 0, 'nor are they requests in flight to whoever looks');
  t.equal(replicas[0]?.inFlight, 0);
  for (const { socket } of clients) socket.destroy();
});

t.test('real WebSockets neither', async (t) => {
  const service = await socketService();
  const proxy = await startProxy([tcp(service.port)], { maxInFlight: 1, queue: 0 });
  t.teardown(() => Promise.all([proxy.close(), service.close()]));
  const { WebSocket } = await import('ws');
  const sockets = [];
  for (let count = 0; count < 3; count++) {
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`);
    await once(socket, 'open');
    sockets.push(socket);
  }
  t.match(await exchangeRaw(proxy.port, GET), /^HTTP\/1.1 200 /);
  sockets[2]?.send('still there');
  t.equal(String((await once(sockets[2] as (typeof sockets)[0], 'message'))[0]), 'still there');
  for (const socket of sockets) socket.terminate();
});

t.test('over their maximum an upgrade is a 503 that says so, and nothing else changes', async (t) => {
  const { proxy } = await played(t, { maxTunnels: 2 }, switches);
  const [first, second] = [await open(proxy.port), await open(proxy.port)];
  t.match(await exchangeRaw(proxy.port, ASK), FULL);
  t.match(await exchangeRaw(proxy.port, GET), /plain$/);
  first.socket.destroy();
  let answer = '';
  while (!answer.includes('101')) {
    const client = await connectRaw(proxy.port);
    client.send(ASK);
    answer = await client.until(/open$|failure"}$/);
    if (answer.includes('101'))
      t.match(await exchangeRaw(proxy.port, ASK), FULL, 'the one that ended made room for one');
    client.socket.destroy();
  }
  second.socket.destroy();
});

t.test('those that are only asked for count too', async (t) => {
  const asked: (() => void)[] = [];
  const { proxy } = await played(t, { maxTunnels: 2 }, (socket, head) => {
    if (head.includes('/refused')) socket.write(reply('no', '', '403 Forbidden'));
    else asked.push(() => socket.write(`${SWITCH}open`));
  });
  for (let count = 0; count < 5; count++) {
    // What is not switched gives its place back.
    t.match(await exchangeRaw(proxy.port, ASK.replace('/chat', '/refused')), /403/);
  }
  const clients = await Promise.all(Array.from({ length: 5 }, () => connectRaw(proxy.port)));
  for (const { send } of clients) send(ASK);
  await until(() => asked.length === 2 && clients.filter(({ text }) => FULL.test(text)).length === 3);
  for (const answer of asked) answer();
  await until(() => clients.filter(({ text }) => text.endsWith('open')).length === 2);
  for (const { socket } of clients) socket.destroy();
});

t.test('one that has no room for more leaves them to the next', async (t) => {
  const { all, proxy } = await played(t, { maxTunnels: 1 }, switches, switches);
  const clients = [await open(proxy.port), await open(proxy.port)];
  t.same(
    all.map(({ received }) => received.length),
    [1, 1],
  );
  t.match(await exchangeRaw(proxy.port, ASK), /^HTTP\/1.1 503 /);
  for (const { socket } of clients) socket.destroy();
});

t.test('the bound on load does not count them', async (t) => {
  const { all, proxy } = await played(t, { balanceFactor: 1, maxTunnels: 5 }, switches, switches);
  const clients = [];
  for (let count = 0; count < 5; count++) clients.push(await open(proxy.port));
  t.equal(all[0]?.received.length, 5);
  t.match(await exchangeRaw(proxy.port, GET), /plain$/);
  t.equal(proxy.proxy.meter.counters().diverted, 0);
  for (const { socket } of clients) socket.destroy();
});

t.test('an upgrade that waits for the one replica that may take it holds up nobody behind it', async (t) => {
  const held: (() => void)[] = [];
  const holds: Play = (socket, head) => {
    if (head.includes('Upgrade')) socket.write(`${SWITCH}open`);
    else held.push(() => socket.write(reply('plain')));
  };
  const { all, proxy } = await played(t, { maxInFlight: 1, maxTunnels: 1, queueTimeoutMs: 60_000 }, holds, holds);
  const tunnel = await open(proxy.port);
  const [one, two, upgrade, last] = (await Promise.all([1, 2, 3, 4].map(() => connectRaw(proxy.port)))) as [
    RawClient,
    RawClient,
    RawClient,
    RawClient,
  ];
  one.send(GET);
  await until(() => held.length === 1);
  two.send(GET);
  await until(() => held.length === 2);
  upgrade.send(ASK);
  last.send(GET);
  // The first replica, which has its tunnel, is free again.
  held[0]?.();
  await one.closed;
  await until(() => held.length === 3);
  held[2]?.();
  t.match((await last.closed).text, /plain$/);
  t.notMatch(upgrade.text, /./);
  held[1]?.();
  await upgrade.until(/open$/);
  t.match(all[1]?.received.join(''), /Upgrade/);
  for (const { socket } of [tunnel, two, upgrade]) socket.destroy();
});
