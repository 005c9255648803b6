// Members by name: what is asked of a name server, and what its answers mean. The server is real, with records of ours.

import t, { type Test } from 'tap';
import type { MemberChange } from '../../lib/core/ports.ts';
import { dnsSource } from '../../lib/fleet/members/dns.ts';
import { FoundMembers, type Source } from '../../lib/fleet/members/found.ts';
import { createLog } from '../../lib/log.ts';
import { type NameServer, nameServer } from '../fixtures/dns-server.ts';
import { eventually } from '../fixtures/eventually.ts';
import { VirtualClock } from '../fixtures/virtual-clock.ts';

const LIMITS = { maxMembers: 4, maxPlace: 512, freePlaces: 512 };

async function served(t: Test): Promise<NameServer> {
  const server = await nameServer();
  t.teardown(() => server.close());
  return server;
}

function source(server: NameServer, name: string, port: number | undefined): Source {
  const record = { name, port };
  return dnsSource({ name: `dns:${name}`, weight: 2, settleMs: 30_000, record, servers: [server.address] });
}

const look = (server: NameServer, name: string, port?: number) =>
  source(server, name, port).look(AbortSignal.timeout(20_000));
const hostnames = async (...args: Parameters<typeof look>) =>
  (await look(...args)).members.map(({ hostname }) => hostname);

t.test('a host: its A records, else its AAAA records, each once and in the order of numbers', async (t) => {
  const server = await served(t);
  server.hosts.set('app.test', ['10.0.0.10', '10.0.0.9', '10.0.0.9', 'fd00::1']);
  t.same((await look(server, 'app.test', 80)).members, [
    { hostname: '10.0.0.9:80', address: { type: 'tcp', host: '10.0.0.9', port: 80 } },
    { hostname: '10.0.0.10:80', address: { type: 'tcp', host: '10.0.0.10', port: 80 } },
  ]);
  t.same(server.asked, ['A app.test'], 'a host with both must not count twice');
  server.hosts.set('six.test', ['fd00::1']);
  t.same((await look(server, 'six.test', 80)).members, [
    { hostname: '[fd00::1]:80', address: { type: 'tcp', host: 'fd00::1', port: 80 } },
  ]);
});

t.test('a service: the targets of its SRV records of the lowest priority, each at one address', async (t) => {
  const server = await served(t);
  server.hosts.set('app-2.test', ['10.0.0.2', '10.0.0.3']).set('app-10.test', ['10.0.0.1']).set('gone.test', []);
  server.services.set('_http._tcp.test', [
    { target: 'app-10.test', port: 81, priority: 1 },
    { target: 'app-2.test', port: 80, priority: 1 },
    { target: 'gone.test', port: 80, priority: 1 },
    { target: 'spare.test', port: 80, priority: 2 },
    { target: 'a\r\nX-Evil: 1', port: 80, priority: 1 },
  ]);
  t.same((await look(server, '_http._tcp.test')).members, [
    { hostname: 'app-2.test:80', address: { type: 'tcp', host: '10.0.0.2', port: 80 } },
    { hostname: 'app-10.test:81', address: { type: 'tcp', host: '10.0.0.1', port: 81 } },
    { hostname: 'gone.test:80', address: undefined },
  ]);
  t.notOk(server.asked.some((one) => one.includes('spare')));
});

t.test('it is asked again when the answer is old, between 1 s and 5 s', async (t) => {
  const server = await served(t);
  server.hosts.set('app.test', ['10.0.0.1']);
  const againMs = [];
  for (const ttlSeconds of [0, 3, 600]) {
    server.ttlSeconds = ttlSeconds;
    againMs.push((await look(server, 'app.test', 80)).againMs);
  }
  t.same(againMs, [1000, 3000, 5000]);
});

t.test('a name that has no records lists nobody; a server that fails, or says nothing, is an error', async (t) => {
  const server = await served(t);
  t.same(await hostnames(server, 'nobody.test', 80), []);
  t.same(await hostnames(server, '_nobody.test'), []);
  server.mode = 'fail';
  await t.rejects(look(server, 'app.test', 80), { code: 'ESERVFAIL' });
  await t.rejects(look(server, '_app.test'), { code: 'ESERVFAIL' });
  server.mode = 'silent';
  const looking = source(server, 'app.test', 80);
  const giveUp = new AbortController();
  const given = looking.look(giveUp.signal);
  await eventually('it is asked', () => server.asked.includes('silence'));
  giveUp.abort();
  await t.rejects(given, { code: 'ECANCELLED' });
});

t.test('a target that cannot be looked up is not one that is gone: nothing is known then', async (t) => {
  const server = await served(t);
  server.services.set('_app.test', [{ target: 'a.test', port: 80 }]);
  server.failing.add('a.test');
  await t.rejects(look(server, '_app.test'), { code: 'ESERVFAIL' });
});

/** A source whose answers a test sets, watched by a clock that it moves. */
function watched() {
  const clock = new VirtualClock();
  const told: string[] = [];
  const log = createLog(
    'info',
    (line) => {
      const { event, reason, members } = JSON.parse(line);
      told.push([event, reason ?? members].join(' '));
    },
    () => new Date(0),
  );
  const listed: { hosts: readonly string[] | Error } = { hosts: ['a', 'b'] };
  let looks = 0;
  const source: Source = {
    ...{ name: 'dns:app:80', weight: 2, settleMs: 9 },
    look: async () => {
      looks += 1;
      if (listed.hosts instanceof Error) throw listed.hosts;
      const members = listed.hosts.map((host) => ({
        hostname: host,
        address: { type: 'tcp', host, port: 80 } as const,
      }));
      return { members, againMs: 3000 };
    },
  };
  const found: string[] = [];
  const make = async (change: MemberChange) => {
    if (change.type === 'found') found.push(change.finding.members.map(({ hostname }) => hostname).join(' '));
  };
  return { clock, told, log, listed, source, found, make, looks: () => looks };
}

t.test('what is found first is there at the start, as far as there is room', async (t) => {
  const { clock, log, source, listed } = watched();
  const first = (limits: Partial<typeof LIMITS>) =>
    new FoundMembers([source, source], { ...LIMITS, ...limits }, clock, log).first();
  t.same(await first({}), [
    { hostname: 'a', weight: 2, address: { type: 'tcp', host: 'a', port: 80 }, source: 'dns:app:80' },
    { hostname: 'b', weight: 2, address: { type: 'tcp', host: 'b', port: 80 }, source: 'dns:app:80' },
  ]);
  t.equal((await first({ maxMembers: 1 })).length, 1);
  t.equal((await first({ freePlaces: 3 })).length, 1);
  listed.hosts = new Error('no');
  t.same(await first({}), []);
});

t.test('the last answer holds while none comes; that is told once, and when one comes', async (t) => {
  const { clock, told, log, listed, source, found, make, looks } = watched();
  const unwatch = new FoundMembers([source], LIMITS, clock, log).watch(make);
  t.teardown(unwatch);
  await clock.advance(0);
  t.same(found, ['a b']);
  await clock.advance(2999);
  t.equal(looks(), 1);
  await clock.advance(1);
  t.equal(looks(), 2);
  listed.hosts = new Error('it is out');
  await clock.advance(3000);
  await clock.advance(1000);
  listed.hosts = [];
  await clock.advance(2000);
  t.same(found, ['a b', 'a b']);
  t.same(told, ['lookup-failed it is out', 'lookup-failed it lists nobody']);
  await clock.advance(3999);
  t.equal(looks(), 5, 'it waits longer each time');
  listed.hosts = ['a', 'b', 'c', 'd', 'e'];
  await clock.advance(1);
  t.equal(found.at(-1), 'a b c d', 'no more than are allowed');
  t.same(told.slice(2), ['lookup-restored 5', 'lookup-cut 5']);
  unwatch();
  await clock.advance(60_000);
  t.equal(looks(), 6, 'nobody is asked after the end');
});
