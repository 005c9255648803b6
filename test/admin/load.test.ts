// The built-in load: its rate and its bounds on a virtual clock, where it puts keys, and what reaches a real service.

import { createServer } from 'node:http';
import t from 'tap';
import { startProgram } from '../../bench/harness/program.ts';
import { type DISTRIBUTIONS, drawKey, KEYS, type KeyedRequest, withKey } from '../../lib/admin/load/keyed-request.ts';
import { parseLoad } from '../../lib/admin/load/load-body.ts';
import { LoadGenerator } from '../../lib/admin/load/load-generator.ts';
import type { KeySource } from '../../lib/core/request/key-source.ts';
import { eventually } from '../fixtures/eventually.ts';
import { random } from '../fixtures/random.ts';
import { VirtualClock } from '../fixtures/virtual-clock.ts';

const HEADER: KeySource = { type: 'header', name: 'x-key' };

function generator(sources: readonly KeySource[], answer: () => Promise<number> = async () => 200) {
  const clock = new VirtualClock();
  const sent: KeyedRequest[] = [];
  const load = new LoadGenerator({
    clock,
    random: () => 0.5,
    sources: () => sources,
    path: '/home',
    send: (_, request) => {
      sent.push(request);
      return answer();
    },
  });
  load.begin('http://127.0.0.1:1');
  return { clock, sent, load };
}
const wish = (perSecond: number, more = {}) => parseLoad(JSON.stringify({ perSecond, ...more }));

t.test('it sends so many a second, ends by itself, and counts what failed', async (t) => {
  let status = 200;
  const { clock, sent, load } = generator([HEADER], async () => status);
  load.change(wish(100, { forMs: 3000 }));
  await clock.advance(1000);
  t.equal(sent.length, 100);
  t.match(load.facts, { perSecond: 100, leftMs: 2000, sent: 100, failed: 0, left: 0, source: 'header:x-key' });
  status = 503;
  await clock.advance(1000);
  t.match(load.facts, { sent: 200, failed: 100 });
  await clock.advance(60_000);
  t.match(load.facts, { perSecond: 0, leftMs: 0, sent: 300, failed: 200 });
  t.equal(sent.length, 300);
});

t.test('another load takes its place, 0 ends it, and so does the end of the balancer', async (t) => {
  const { clock, sent, load } = generator([HEADER]);
  load.change(wish(1000));
  await clock.advance(100);
  load.change(wish(10, { path: '/other' }));
  const before = sent.length;
  await clock.advance(1000);
  t.equal(sent.length - before, 10);
  t.equal(sent.at(-1)?.path, '/other');
  load.change(wish(0));
  await clock.advance(1000);
  t.equal(sent.length - before, 10);
  load.change(wish(10));
  load.close();
  await clock.advance(1000);
  load.change(wish(10));
  await clock.advance(1000);
  t.equal(sent.length - before, 10, 'nothing begins after the end');
});

t.test('no more than 256 are open, however slow the service is', async (t) => {
  const { clock, sent, load } = generator([HEADER], () => new Promise(() => undefined));
  load.change(wish(1000));
  await clock.advance(2000);
  t.equal(sent.length, 256);
  t.match(load.facts, { sent: 256, left: 2000 - 256 });
});

t.test('keys are where the source looks for them, or it is said why there are none', async (t) => {
  t.same(withKey('/home', HEADER, 7), { path: '/home', headers: { 'x-key': 'key-7' } });
  t.same(withKey('/home', { type: 'cookie', name: 'sid' }, 7)?.headers, { Cookie: 'sid=key-7' });
  t.equal(withKey('/home', { type: 'query', name: 'user id' }, 7)?.path, '/home?user%20id=key-7');
  t.equal(withKey('/home?a=1', { type: 'query', name: 'u' }, 7)?.path, '/home?a=1&u=key-7');
  t.same(withKey('/home', { type: 'host' }, 7)?.headers, { Host: 'key-7.example' });
  const both = { type: 'all', parts: [{ type: 'cookie', name: 'a' }, { type: 'cookie', name: 'b' }, HEADER] } as const;
  t.same(withKey('/', both, 7)?.headers, { Cookie: 'a=key-7; b=key-7', 'x-key': 'key-7' });
  t.equal(withKey('/', { type: 'all', parts: [HEADER, { type: 'prompt' }] }, 7), undefined);
  t.equal(withKey('/', undefined, 7), undefined);

  t.equal(generator([HEADER]).load.facts.whyNoKeys, null);
  const byId = generator([{ type: 'request' }]);
  t.match(byId.load.facts.whyNoKeys, /goes by an id of its own/);
  t.throws(() => byId.load.change(wish(10, { keys: 'zipf' })), { code: 'bad-body', message: /keys must be uniform/ });
  byId.load.change(wish(10));
  await byId.clock.advance(1000);
  t.same(byId.sent.at(-1), { path: '/home', headers: {} });
  t.match(generator([{ type: 'path' }]).load.facts.whyNoKeys, 'cannot set the key that path gives');
  t.match(generator([{ type: 'function' }]).load.facts.whyNoKeys, 'a function');
});

t.test('the distributions are what they are called', async (t) => {
  const chance = random(1);
  const draws = 40_000;
  const counted = (distribution: (typeof DISTRIBUTIONS)[number]) => {
    const counts = Array.from({ length: KEYS + 1 }, () => 0);
    const random01 = () => chance.below(2 ** 30) / 2 ** 30;
    for (let count = 0; count < draws; count++) {
      const key = drawKey(distribution, random01);
      counts[key] = (counts[key] ?? 0) + 1;
    }
    t.equal(counts[0], 0);
    return counts.slice(1) as number[];
  };
  const uniform = counted('uniform');
  t.equal(uniform.length, KEYS);
  t.ok(Math.max(...uniform) < 2 * Math.min(...uniform), `${Math.min(...uniform)} to ${Math.max(...uniform)}`);
  const [first = 0, second = 0, , fourth = 0] = counted('zipf');
  t.ok(Math.abs(first / second - 2) < 0.2 && Math.abs(first / fourth - 4) < 0.6, `${first}, ${second}, ${fourth}`);
  const [hot = 0, ...others] = counted('hot');
  t.ok(Math.abs(hot / draws - 0.5) < 0.02, `${hot}`);
  t.ok(Math.max(...others) < draws / 100);
});

t.test('a body that is wrong is refused with the name of what is wrong', async (t) => {
  const refused = (body: unknown, message: RegExp) =>
    t.throws(() => parseLoad(JSON.stringify(body)), { code: 'bad-body', message }, JSON.stringify(body));
  refused({}, /^perSecond must be a whole number from 0, which ends the load, to 1000/);
  refused({ perSecond: 1001 }, /not 1001/);
  refused({ perSecond: 1.5 }, /not 1\.5/);
  refused({ perSecond: 1, keys: 'all' }, /^keys must be one of uniform, zipf, hot/);
  refused({ perSecond: 1, forMs: 600_001 }, /^forMs must be a whole number from 1 to 600000/);
  refused({ perSecond: 1, path: 'home' }, /^path must begin with \//);
  refused({ perSecond: 1, path: '/a b' }, /^path must begin with \//);
  refused({ perSecond: 1, path: 1 }, /^path/);
  refused({ perSecond: 1, persecond: 2 }, /no member "persecond"/);
  t.same(wish(10), { perSecond: 10, keys: 'uniform', forMs: 300_000, path: undefined });
});

t.test('requests go through the port of clients, marked, each with a key', async (t) => {
  const seen: { key: string | undefined; mark: string | undefined }[] = [];
  const service = createServer(({ headers }, response) => {
    const [key, mark] = [headers['x-key'], headers['x-ringmaster-load']];
    if (mark !== undefined) seen.push({ key: String(key), mark: String(mark) });
    response.end('ok');
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  const { port } = service.address() as { port: number };
  const program = await startProgram(['--upstream', `127.0.0.1:${port}`, '--key', 'header:X-Key,request']);
  t.teardown(async () => {
    await program.stop();
    service.closeAllConnections();
    service.close();
  });
  const post = (body: unknown, headers = {}) =>
    program.json('/balancer/load', { method: 'POST', body: JSON.stringify(body), headers });
  t.equal(
    (await post({ perSecond: 10 }, { Origin: 'http://evil.example' })).status,
    403,
    'no page of others begins it',
  );
  const begun = await post({ perSecond: 100, keys: 'hot' });
  t.match(begun, { status: 200, body: { message: { perSecond: 100, keys: 'hot', path: '/' } } });
  await eventually('the load arrives', () => seen.length > 40);
  const ended = await post({ perSecond: 0 });
  t.match(ended, { status: 200, body: { message: { perSecond: 0 } } });
  t.ok(seen.every(({ key, mark }) => mark === '1' && /^key-\d+$/.test(key ?? '')));
  t.ok(new Set(seen.map(({ key }) => key)).size > 3);
  t.ok(seen.filter(({ key }) => key === 'key-1').length > 5);
});
