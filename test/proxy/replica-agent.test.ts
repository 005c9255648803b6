import { once } from 'node:events';
import t, { type Test } from 'tap';
import { SeatMeasures } from '../../lib/core/traffic/measures.ts';
import { realClock } from '../../lib/fleet/clock.ts';
import { trafficSettings } from '../../lib/parts/limits.ts';
import { proxyLimits } from '../../lib/proxy/proxy-limits.ts';
import { ReplicaAgent } from '../../lib/proxy/replicas/agent.ts';
import { dial } from '../../lib/proxy/replicas/socket.ts';
import { defaultOptions } from '../../lib/settings/options.ts';
import { arrivals } from '../fixtures/arrivals.ts';
import { startProxy, startTimed, tcp, testLedger } from '../fixtures/proxy.ts';
import { connectRaw, exchangeRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';
import { VirtualClock } from '../fixtures/virtual-clock.ts';

const GET = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
const limits = {
  ...proxyLimits(trafficSettings(defaultOptions())),
  maxIdle: 2,
  maxIdleInAll: 2,
  idleTimeoutMs: 200,
  connectTimeoutMs: 1000,
  maxFields: 16,
  maxHeadBytes: 1000,
};
const ref = { seat: 1, incarnation: 1, hostname: 'server1' };
const loadOfNone = () => ({
  ledger: testLedger(),
  inFlight: 0,
  idle: 0,
  dial,
  freed: () => undefined,
  measuresOf: () => new SeatMeasures(),
});
const lease = (agent: ReplicaAgent) => {
  agent.take(Number.POSITIVE_INFINITY, 1);
  return agent.lease(false);
};
const holder = () => {
  let ended = () => {};
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const nothing = () => undefined;
  const sink = {
    onInformation: nothing,
    onHead: nothing,
    onSwitch: nothing,
    onBody: nothing,
    onPause: nothing,
    onDrain: nothing,
    onConnected: nothing,
    onSlowConnect: nothing,
    onLost: nothing,
    endStream: nothing,
  };
  return { ...sink, onEnd: () => ended(), end };
};

t.test('the attack: bytes on an idle connection are not taken for the reply to the next request', async (t) => {
  const replica = await scriptedReplica((socket, _head, count) => socket.write(reply(`honest ${count}`)));
  // No time passes in which the connection would be closed for being idle.
  const proxy = await startTimed([tcp(replica.port)]);
  t.teardown(() => Promise.all([proxy.close(), replica.close()]));
  t.match(await exchangeRaw(proxy.port, GET), /honest 0$/);
  const poisoned = replica.sockets[0] as (typeof replica.sockets)[0];
  poisoned.write(reply('poison'));
  await once(poisoned, 'close');
  t.match(await exchangeRaw(proxy.port, GET), /honest 1$/);
  t.equal(replica.sockets.length, 2);
});

t.test('bytes behind the end of a reply end the connection, the reply is whole', async (t) => {
  const replica = await scriptedReplica((socket) => socket.write(`${reply('honest')}HTTP/1.1 200 poison`));
  const proxy = await startProxy([tcp(replica.port)]);
  t.teardown(() => Promise.all([proxy.close(), replica.close()]));
  t.match(await exchangeRaw(proxy.port, GET), /honest$/);
  t.match(await exchangeRaw(proxy.port, GET), /honest$/);
  t.equal(replica.sockets.length, 2);
});

t.test('the connection used last is used next, and no more than the limit are kept', async (t) => {
  const replica = await scriptedReplica((socket) => socket.write(reply('ok')));
  const agent = new ReplicaAgent(ref, tcp(replica.port), limits, loadOfNone(), 0, realClock);
  t.teardown(() => {
    agent.destroy();
    return replica.close();
  });
  const run = async () => {
    const connection = lease(agent);
    const sink = holder();
    connection.begin(sink, 'GET');
    connection.write('GET / HTTP/1.1\r\n\r\n');
    await sink.end;
    return connection;
  };
  const [first, second, third] = await Promise.all([run(), run(), run()]);
  t.equal(agent.inFlight, 3);
  first?.finish();
  second?.finish();
  third?.finish();
  t.equal(agent.inFlight, 0);
  t.notOk(third?.alive, 'two are kept');
  t.equal(lease(agent), second);
  t.not(agent.lease(true), first, 'a fresh one is a new one');
  t.equal(lease(agent), first);
});

// An agent with one idle connection, which is `behind` at the replica.
async function idling(t: Test) {
  const replica = await scriptedReplica((socket) => socket.write(reply('ok')));
  const clock = new VirtualClock();
  const agent = new ReplicaAgent(ref, tcp(replica.port), limits, loadOfNone(), 0, clock);
  t.teardown(() => {
    agent.destroy();
    return replica.close();
  });
  const connection = lease(agent);
  const sink = holder();
  connection.begin(sink, 'GET');
  connection.write('GET / HTTP/1.1\r\n\r\n');
  await sink.end;
  connection.finish();
  const [behind] = replica.sockets as [(typeof replica.sockets)[0]];
  return { agent, clock, behind };
}

t.test('an idle connection is closed after its time, however often other settings change', async (t) => {
  const { agent, clock, behind } = await idling(t);
  const closed = once(behind, 'close');
  for (let part = 0; part < 10; part++) {
    await clock.advance(limits.idleTimeoutMs / 8);
    agent.settingsChanged();
  }
  await closed;
});

t.test('an idle connection is closed after its time', async (t) => {
  const { clock, behind } = await idling(t);
  await clock.advance(limits.idleTimeoutMs);
  await arrivals();
  t.notOk(behind.closed);
  const closed = once(behind, 'close');
  await clock.advance(limits.idleTimeoutMs / 4);
  await closed;
});

t.test('a retired replica finishes what it has, and its connections are closed', async (t) => {
  let answer = () => {};
  const replica = await scriptedReplica((socket) => {
    answer = () => socket.write(reply('late'));
  });
  const proxy = await startProxy([tcp(replica.port)]);
  t.teardown(() => Promise.all([proxy.close(), replica.close()]));
  const client = await connectRaw(proxy.port);
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  while (replica.received[0] === undefined || replica.received[0] === '') await new Promise(setImmediate);
  proxy.publish({ draining: [ref] });
  let drained = false;
  const draining = proxy.drained(ref, new AbortController().signal).then(() => {
    drained = true;
  });
  t.match(await exchangeRaw(proxy.port, GET), /^HTTP\/1.1 503/);
  t.notOk(drained);
  answer();
  await client.until(/late$/);
  await draining;
  client.socket.destroy();
});

t.test('when the grace is over, what is left at a retired replica is cut', async (t) => {
  const replica = await scriptedReplica(() => undefined);
  const proxy = await startProxy([tcp(replica.port)]);
  t.teardown(() => Promise.all([proxy.close(), replica.close()]));
  const client = await connectRaw(proxy.port);
  client.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  while (replica.received[0] === undefined || replica.received[0] === '') await new Promise(setImmediate);
  proxy.publish({ draining: [ref] });
  const grace = new AbortController();
  const drained = proxy.drained(ref, grace.signal);
  await arrivals();
  grace.abort();
  await drained;
  await client.until(/^HTTP\/1.1 502/);
  client.socket.destroy();
});

t.test('no more connections are kept at all replicas together than descriptors are there for', async (t) => {
  const replica = await scriptedReplica((socket) => socket.write(reply('ok')));
  const load = loadOfNone();
  const agents = [1, 2].map(
    (seat) =>
      new ReplicaAgent({ ...ref, seat }, tcp(replica.port), { ...limits, maxIdleInAll: 3 }, load, seat, realClock),
  );
  t.teardown(() => {
    for (const agent of agents) agent.destroy();
    return replica.close();
  });
  const connections = agents.flatMap((agent) => [lease(agent), lease(agent)]);
  for (const connection of connections) {
    const one = holder();
    connection.begin(one, 'GET');
    connection.write(GET);
    await one.end;
    connection.finish();
  }
  t.equal(load.idle, 3);
  t.same(
    connections.map((connection) => connection.alive),
    [true, true, true, false],
  );
  lease(agents[0] as ReplicaAgent);
  t.equal(load.idle, 2);
  for (const agent of agents) agent.retire();
  t.equal(load.idle, 0);
});
