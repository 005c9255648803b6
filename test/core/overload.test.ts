import t from 'tap';
import { Overload } from '../../lib/core/request/overload.ts';
import { type Model, play } from '../fixtures/overloaded-replicas.ts';

const fixed = (ms: number) => () => ms;
const exponential = (ms: number) => (_: number, draw: number) => -Math.log(1 - draw) * ms;

// Three replicas, at 0.8 of what they can do, then three times that, then 0.6 of it.
const BEGIN_MS = 10_000;
const END_MS = 40_000;
function overloaded(seed: number, servers: number, ms: number, service: Model['service']) {
  const most = (3 * servers) / ms;
  const rate = (nowMs: number) => most * (nowMs < BEGIN_MS ? 0.8 : nowMs < END_MS ? 3 : 0.6);
  return { most: most * 1000, part: play({ seed, replicas: 3, servers, service, rate, lastsMs: 55_000 }) };
}

const SEEDS = [1, 7, 3];
const SERVICES = [
  { name: 'one at a time, 5 ms each', servers: 1, ms: 5, service: fixed(5) },
  { name: 'one at a time, 5 ms on average', servers: 1, ms: 5, service: exponential(5) },
  { name: 'ten at a time, 20 ms on average', servers: 10, ms: 20, service: exponential(20) },
  { name: 'ten at a time, 200 ms on average', servers: 10, ms: 200, service: exponential(200) },
];

for (const { name, servers, ms, service } of SERVICES) {
  t.test(`three times what replicas can do: ${name}`, async (t) => {
    for (const seed of SEEDS) {
      const { most, part } = overloaded(seed, servers, ms, service);
      const before = part(5000, BEGIN_MS);
      const during = part(BEGIN_MS, END_MS);
      const settled = part(BEGIN_MS + 15_000, END_MS);
      const after = part(END_MS + 5000, 55_000);
      const told = JSON.stringify({ seed, before, during, settled, after });
      t.equal(before.shed, 0, `nobody is turned away before it: ${told}`);
      t.ok(during.goodput > 0.88 * most, `it goes on with what they can do, ${most} a second: ${told}`);
      t.ok(settled.p50Ms < 50 + 5 * ms + 50, `those let in are served soon: ${told}`);
      t.ok(settled.p99Ms < 2 * Math.max(100, before.p99Ms), `nearly all of them: ${told}`);
      t.equal(after.shed, 0, `nobody is turned away after it: ${told}`);
      t.ok(after.p99Ms < 1.5 * before.p99Ms, `and all is as before: ${told}`);
    }
  });
}

t.test(
  'where it is known how long requests take at ease, those let in are served soon from the second second on',
  async (t) => {
    for (const seed of SEEDS) {
      for (const ms of [5, 10]) {
        const { part } = overloaded(seed, 1, ms, fixed(ms));
        const [before, soon] = [part(5000, BEGIN_MS), part(BEGIN_MS + 2000, END_MS)];
        t.ok(soon.p99Ms <= 2 * Math.max(before.p99Ms, 50), JSON.stringify({ seed, ms, before, soon }));
      }
    }
  },
);

t.test('an overload that comes from nothing', async (t) => {
  const rate = (nowMs: number) => (nowMs < BEGIN_MS ? 0.005 : nowMs < END_MS ? 1.8 : 0.005);
  const part = play({ seed: 1, replicas: 3, servers: 1, service: fixed(5), rate, lastsMs: 50_000 });
  t.ok(part(BEGIN_MS, END_MS).goodput > 540);
  t.ok(part(BEGIN_MS + 3000, END_MS).p99Ms < 100);
  t.match(part(END_MS + 5000, 50_000), { shed: 0, p99Ms: 5 });
});

t.test('replicas that become slow, but bear any number of requests, are not overloaded', async (t) => {
  const services: Record<string, Model['service']> = {
    'all requests': (nowMs) => (nowMs < BEGIN_MS ? 5 : 500),
    'some requests': (nowMs, draw) => (nowMs >= BEGIN_MS && draw < 0.3 ? 1000 : 5),
  };
  for (const [name, service] of Object.entries(services)) {
    for (const seed of SEEDS) {
      const part = play({ seed, replicas: 3, servers: 10_000, service, rate: () => 0.6, lastsMs: 60_000 });
      t.equal(part(0, 60_000).shed, 0, `${name}: nobody is turned away`);
      t.ok(part(BEGIN_MS + 20_000, 60_000).p99Ms <= 1000, `${name}: and nobody waits`);
    }
  }
});

t.test('clients that wait for their reply are not turned away, however many they are', async (t) => {
  const cases: Omit<Model, 'seed' | 'lastsMs' | 'replicas'>[] = [
    { servers: 1, service: fixed(50), clients: 300 },
    { servers: 1, service: exponential(5), clients: 1000 },
    { servers: 10_000, service: exponential(100), clients: 600 },
  ];
  for (const one of cases) {
    for (const seed of SEEDS) {
      const part = play({ ...one, seed, replicas: 3, lastsMs: 30_000 });
      t.equal(part(0, 30_000).shed, 0);
      const most = one.servers === 1 ? 3000 / (one.clients === 300 ? 50 : 5) : 6000;
      t.ok(part(10_000, 30_000).goodput > 0.95 * most);
    }
  }
});

t.test('without a wait there are no limits', async (t) => {
  const rate = (nowMs: number) => (nowMs < 5000 ? 0.48 : 1.8);
  const waitMs = Number.POSITIVE_INFINITY;
  const part = play({ seed: 1, replicas: 3, servers: 1, service: fixed(5), rate, waitMs, lastsMs: 15_000 });
  t.equal(part(0, 15_000).shed, 0);
});

t.test('while the fleet changes no overload begins', async (t) => {
  const rate = (nowMs: number) => (nowMs < 5000 ? 0.48 : 1.8);
  const model = { seed: 1, replicas: 3, servers: 1, service: fixed(5), rate, isSteady: false, lastsMs: 15_000 };
  t.equal(play(model)(0, 15_000).shed, 0);
});

t.test('while nothing is finished nothing is limited', async (t) => {
  const overload = new Overload();
  const facts = { finished: 0, finishedMs: 0, finishedMs2: 0, waiting: 0, replicas: 3, isSteady: true };
  for (let nowMs = 0; nowMs < 20_000; nowMs += 100) {
    overload.advance({ ...facts, nowMs, arrived: nowMs, inFlight: nowMs }, 50);
    t.equal(overload.mostInFlight, Number.POSITIVE_INFINITY);
  }
});
