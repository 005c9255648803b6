// Several balancers, each a process of its own, over the same replicas: one ring, one fleet, whoever is asked.

import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import t, { type Test } from 'tap';
import { freePort } from '../../bench/harness/ports.ts';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { endOfBefore, stopNewest, upgrade } from '../../bench/harness/upgrades.ts';
import { nameServer } from '../fixtures/dns-server.ts';
import { openEvents } from '../fixtures/event-source.ts';
import { eventually } from '../fixtures/eventually.ts';
import { type NamedService, namedServices } from '../fixtures/named-services.ts';

const QUICK = ['--heartbeat-interval', '100ms', '--heartbeat-timeout', '2s', '--key', 'header:x-key'];
const KEYS = Array.from({ length: 24 }, (_, index) => `key${index}`);

interface Stage {
  readonly file: string;
  /** Starts one of the balancers of the service. */
  start(...options: string[]): Promise<Program>;
}

async function stage(t: Test): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-members-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, 'members');
  return {
    file,
    start: async (...options) => {
      const program = await startProgram(['--members', file, ...QUICK, ...options]);
      t.teardown(() => program.stop());
      return program;
    },
  };
}

const upstream = (services: readonly NamedService[]) => services.map(({ address }) => address).join(',');

/** Who answers each key, as that balancer sends it. */
async function owners({ url }: Program): Promise<string[]> {
  const replies = KEYS.map(async (key) => {
    const response = await fetch(url, { headers: { 'x-key': key } });
    return `${response.status} ${await response.text()}`;
  });
  return Promise.all(replies);
}

/** Resolves when that is so: a follower learns it a moment later. */
function soon(what: string, read: () => Promise<unknown>, expected: unknown): Promise<void> {
  return eventually(what, async () => isDeepStrictEqual(await read(), expected));
}

async function digestOf(program: Program): Promise<string> {
  return ((await program.json('/balancer/ring')).body as { digest: string }).digest;
}

t.test('three balancers, one ring: a client that changes them keeps its replica', async (t) => {
  const services = await namedServices(t, 4);
  const { start } = await stage(t);
  const controller = await start('--role', 'controller', '--upstream', upstream(services));
  const followers = [await start(), await start('--role', 'follower')];
  const expected = await owners(controller);
  t.equal(new Set(expected).size, 4, 'all replicas are used');
  for (const follower of followers) {
    t.same(await follower.hostnames(), await controller.hostnames());
    t.equal(await digestOf(follower), await digestOf(controller));
    t.same(await owners(follower), expected);
  }

  await t.test('a change at the controller is one of all', async (t) => {
    const [fifth] = (await namedServices(t, 1, 'fifth')) as [NamedService];
    const [, second = ''] = await controller.hostnames();
    t.equal((await controller.call('DELETE', '/rm', { n: 1, hostnames: [second] })).status, 200);
    const added = { n: 1, hostnames: ['fifth'], weights: [2], addresses: [fifth.address] };
    t.equal((await controller.call('POST', '/add', added)).status, 200);
    const after = await owners(controller);
    t.ok(after.includes('200 fifth'));
    for (const follower of followers) {
      await soon('the same owners', () => owners(follower), after);
      t.same(await follower.hostnames(), await controller.hostnames());
      t.equal(await digestOf(follower), await digestOf(controller));
    }
    const [first = ''] = await controller.hostnames();
    t.equal((await controller.call('POST', '/balancer/drain', { hostname: first })).status, 200);
    const drained = await owners(controller);
    t.notOk(drained.some((one) => one === after[0] && one === `200 ${services[0]?.name}`));
    for (const follower of followers) await soon('drained', () => owners(follower), drained);
    t.equal((await controller.call('POST', '/balancer/undrain', { hostname: first })).status, 200);
    for (const follower of followers) await soon('no longer drained', () => owners(follower), after);
    t.equal((await controller.call('DELETE', '/rm', { n: 1, hostnames: ['fifth'] })).status, 200);
    const left = await controller.hostnames();
    for (const follower of followers) t.same(await follower.hostnames(), left, 'as soon as it is answered');
  });

  await t.test('a follower changes nothing, and says where the fleet is changed', async (t) => {
    const [follower] = followers as [Program];
    const before = await follower.hostnames();
    const [hostname = ''] = before;
    const changes: [string, string, unknown][] = [
      ['POST', '/add', { n: 1 }],
      ['DELETE', '/rm', { n: 1 }],
      ['POST', '/balancer/kill', { hostname }],
      ['POST', '/balancer/drain', { hostname }],
      ['POST', '/balancer/undrain', { hostname }],
      ['POST', '/balancer/roll', {}],
    ];
    for (const [method, path, body] of changes) {
      const { status, text } = await follower.call(method, path, body);
      t.equal(status, 409, path);
      t.match(text, `change the fleet at ${controller.url}`, path);
      t.match(text, '<Error> this balancer follows the members of');
    }
    t.same(await follower.hostnames(), before);
    const events = await openEvents(`${follower.url}/balancer/events`);
    t.teardown(() => events.close());
    const { looksOnlyBecause } = (await events.until('snapshot')) as { looksOnlyBecause: string };
    t.match(looksOnlyBecause, `change the fleet at ${controller.url}`, 'the dashboard says so');
    t.equal((await follower.call('POST', '/balancer/pause', { forMs: 1 })).status, 200, 'what is its own alone goes');
  });

  await t.test('a balancer that is killed costs its connections only', async (t) => {
    const expected = await owners(followers[1] as Program);
    for (const program of [followers[0] as Program, controller]) {
      program.process.kill('SIGKILL');
      await program.exited;
      t.same(await owners(followers[1] as Program), expected);
    }
  });
});

t.test('replicas that the controller starts are those of its followers, life after life', async (t) => {
  const { start, file } = await stage(t);
  const follower = await start();
  t.equal((await follower.call('GET', '/')).status, 503, 'balancers may be started in any order');
  await follower.logged(({ event, level }) => event === 'members-unread' && level === 'error');
  const controller = await start('--role', 'controller', '--replicas', '2', '--replica-listen', 'port');
  const names = async (program: Program) => {
    const replies = KEYS.map((key) => fetch(`${program.url}/home`, { headers: { 'x-key': key } }));
    return Promise.all(replies.map(async (reply) => (await reply).text()));
  };
  const before = await names(controller);
  await soon('the same owners', () => names(follower), before);
  t.match(JSON.parse(await readFile(file, 'utf8')), {
    version: 1,
    controller: controller.url,
    members: [{ places: [1], hostname: 'server1', address: /^127\.0\.0\.1:\d+$/ }, { places: [2] }],
  });

  t.equal((await controller.call('POST', '/balancer/kill', { hostname: 'server1' })).status, 200);
  await controller.logged(({ event, seat }) => event === 'replica-lost' && seat === 1);
  await controller.logged(
    ({ event, seat, hostname }) => event === 'replica-serving' && seat === 1 && hostname !== 'server1',
  );
  const after = await names(controller);
  t.notSame(after, before);
  await soon('the next life', () => names(follower), after);
  t.equal(await digestOf(follower), await digestOf(controller), 'and no key has moved');
});

t.test(
  'a controller and its followers are upgraded, and go on as they were',
  { skip: process.platform !== 'linux' && 'an upgrade takes Linux' },
  async (t) => {
    const services = await namedServices(t, 2);
    const { start } = await stage(t);
    const controller = await start('--role', 'controller', '--upstream', upstream(services));
    const follower = await start();
    const expected = await owners(follower);
    for (const program of [controller, follower]) {
      t.teardown(() => stopNewest(program));
      await endOfBefore(program, (await upgrade(program)).before);
    }
    t.same(await owners(follower), expected);
    const [third] = (await namedServices(t, 1, 'third')) as [NamedService];
    const added = { n: 1, hostnames: ['third'], addresses: [third.address] };
    t.equal((await controller.call('POST', '/add', added)).status, 200);
    await soon('the one that was added', () => follower.hostnames(), await controller.hostnames());
    t.equal((await follower.call('POST', '/add', added)).status, 409);
  },
);

t.test('balancers that differ say so: in the log, in the metrics and on the dashboard', async (t) => {
  const services = await namedServices(t, 2);
  const [here, there] = [await freePort(), await freePort()];
  const start = async (own: number, other: number, key: string) => {
    const peers = ['--admin-port', String(own), '--peers', `http://127.0.0.1:${other}`];
    const program = await startProgram(['--upstream', upstream(services), ...QUICK, '--key', key, ...peers]);
    t.teardown(() => program.stop());
    return program;
  };
  const one = await start(here, there, 'header:x-key');
  const lost = await one.logged(({ event }) => event === 'peer-lost');
  t.match(lost, { level: 'warn', peer: `http://127.0.0.1:${there}`, reason: /ECONNREFUSED/ });
  const other = await start(there, here, 'client');
  for (const program of [one, other]) {
    const { differs, level } = await program.logged(({ event }) => event === 'peer-differs');
    t.equal(level, 'error');
    t.match(differs, [/^--key is (client|header:x-key) here and (client|header:x-key) there$/]);
  }
  const metrics = await (await fetch(`http://127.0.0.1:${here}/balancer/metrics`)).text();
  t.match(metrics, `ringmaster_peer_differs{peer="http://127.0.0.1:${there}"} 1`);
  t.match(metrics, `ringmaster_peer_reachable{peer="http://127.0.0.1:${there}"} 1`);
  const events = await openEvents(`http://127.0.0.1:${here}/balancer/events`);
  t.teardown(() => events.close());
  t.match(await events.until('snapshot'), { parted: [{ url: `http://127.0.0.1:${there}`, differs: [/^--key is/] }] });
  await other.stop();
  await start(there, here, 'header:x-key');
  await events.until('traffic', ({ parted }) => parted.length === 0);
  await one.logged(({ event }) => event === 'peer-found');
});

t.test('three balancers that tell each other nothing keep the bound on load of all together', async (t) => {
  const services = await namedServices(t, 4);
  const balancers: Program[] = [];
  for (let index = 0; index < 3; index++) {
    const bound = ['--balance-factor', '1.25', '--balance-floor', '1', '--key', 'header:x-key'];
    const program = await startProgram(['--upstream', upstream(services), ...bound]);
    t.teardown(() => program.stop());
    balancers.push(program);
  }
  for (const service of services) service.hold();
  const held = () => services.map((service) => service.held);
  const all = () => held().reduce((sum, one) => sum + one, 0);
  const replies: Promise<number>[] = [];
  // One key, so that one replica is the first choice of all.
  for (let sent = 1; sent <= 60; sent++) {
    const { url } = balancers[sent % 3] as Program;
    replies.push(fetch(url, { headers: { 'x-key': 'a' } }).then(({ status }) => status));
    await eventually('it is at a replica', () => all() === sent);
  }
  // Each of the three lets its first choice have ⌈1.25 · 20 / 4⌉ = 7. One balancer would have allowed ⌈1.25 · 60 / 4⌉ =
  // 19 in all, and three stay within 1.25 · 60 / 4 + 3 = 21.75.
  t.same(
    held().toSorted((a, b) => b - a),
    [21, 18, 18, 3],
  );
  for (const service of services) service.release();
  t.same(new Set(await Promise.all(replies)), new Set([200]));
});

t.test('a broken list changes nothing, and the next good one holds', async (t) => {
  const services = await namedServices(t, 2);
  const { start, file } = await stage(t);
  const replace = async (text: string) => {
    await writeFile(`${file}.new`, text);
    await rename(`${file}.new`, file);
  };
  const lines = services.map(({ name, address }, index) => `${index + 1} ${name} ${address}`);
  await replace(`# two of them\n${lines.join('\n')}\n`);
  const follower = await start();
  const before = await owners(follower);
  await replace('1 app1\n');
  const unread = await follower.logged(({ event }) => event === 'members-unread');
  t.match(unread, { level: 'error', keeps: 'the last good list', reason: /^line 1: the address must be/ });
  t.same(await owners(follower), before);
  await replace(`${lines[1]}\n`);
  await soon('the new list', () => follower.hostnames(), [services[1]?.name]);
  t.same(new Set(await owners(follower)), new Set([`200 ${services[1]?.name}`]));
});

t.test(
  '--members dns: balancers that look at different moments have the same seats, and nobody writes a list',
  async (t) => {
    const services = await namedServices(t, 4);
    const names = await nameServer();
    t.teardown(() => names.close());
    names.hosts.set('local.test', ['127.0.0.1']);
    const list = (...listed: readonly number[]) => {
      for (const at of listed) names.hosts.set(`app-${at}.test`, ['127.0.0.1']);
      const targets = listed.map((at) => ({
        target: `app-${at}.test`,
        port: Number(services[at]?.address.split(':')[1]),
      }));
      names.services.set('_http._tcp.test', targets);
    };
    list(0, 1, 3);
    const start = async () => {
      const program = await startProgram([
        ...['--members', 'dns:_http._tcp.test', '--dns-servers', names.address, '--dns-settle', '1s'],
        ...['--max-replicas', '20', ...QUICK],
      ]);
      t.teardown(() => program.stop());
      return program;
    };
    const early = await start();
    const before = await owners(early);
    t.equal(new Set(before).size, 3);
    list(2, 3, 0);
    await soon('the list of now', async () => new Set(await early.hostnames()).size, 3);
    await soon('the third is there', async () => (await early.hostnames()).some((name) => /^app-2/.test(name)), true);
    await soon('the second is gone', async () => (await early.hostnames()).some((name) => /^app-1/.test(name)), false);
    const late = await start();
    await soon('the same owners', () => owners(late), await owners(early));
    await soon('the same ring', () => digestOf(late), await digestOf(early));
    const refused = await late.call('POST', '/add', { n: 1, hostnames: ['own'] });
    t.equal(refused.status, 409, refused.text);
  },
);
