// Tunnels with a key that are not where the key leads, by a clock that stands still.

import { once } from 'node:events';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import type { Options } from '../../lib/settings/options.ts';
import { advanceUntil } from '../fixtures/arrivals.ts';
import { routeTo, startTimed, tcp } from '../fixtures/proxy.ts';
import { socketService } from '../fixtures/sockets.ts';

const KEY = [{ type: 'header', name: 'x-room' }] as const;
const ref = { seat: 1, incarnation: 1, hostname: 'server1' };

/** Two services; the first one is the owner of each key. */
async function stage(t: Test, options: Partial<Options> = {}) {
  const services = [await socketService(), await socketService()] as const;
  const addresses = services.map(({ port }) => tcp(port));
  const proxy = await startTimed(addresses, { key: KEY, rehomeTunnelsMs: 5000, ...options });
  t.teardown(() => Promise.all([proxy.close(), ...services.map((service) => service.close())]));
  const [first, second] = addresses.map((address, index) => routeTo(index + 1, address));
  if (first === undefined || second === undefined) throw new Error('there are two');
  const order = [1, 2];
  const open = async (headers: Record<string, string> = { 'X-Room': 'one' }) => {
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`, { headers });
    await once(socket, 'open');
    return { socket, closed: once(socket, 'close').then(([code]) => code as number) };
  };
  return {
    ...proxy,
    open,
    counts: () => services.map(({ sockets }) => sockets.filter((one) => !one.destroyed).length),
    away: () => proxy.publish({ order, routes: [second], resting: [ref] }),
    suspected: () => proxy.publish({ order, routes: [{ ...first, suspected: true }, second] }),
    back: () => proxy.publish({ order, routes: [first, second] }),
    removed: () => proxy.publish({ order: [2], routes: [second], draining: [ref] }),
    rehomed: () => proxy.log.filter(({ code }) => code === 'rehomed'),
  };
}

type Stage = Awaited<ReturnType<typeof stage>>;

/** In steps, as ticks would be late otherwise. */
async function pass({ clock }: Stage, ms: number): Promise<void> {
  for (let step = 0; step < ms / 100; step++) await clock.advance(100);
}

t.test('once its owner is back for so long, a tunnel at the stand-in is ended, and comes to the owner', async (t) => {
  const here = await stage(t);
  await here.away();
  const [one, other] = [await here.open(), await here.open({ 'X-Room': 'another' })];
  t.same(here.counts(), [0, 2]);
  await here.back();
  await pass(here, 4500);
  t.same(here.rehomed(), []);
  await advanceUntil(here.clock, Promise.all([one.closed, other.closed]));
  t.equal(await one.closed, 1006, 'its client sees a connection that broke, and comes back');
  t.match(here.rehomed(), [{ level: 'info' }, { level: 'info' }]);
  t.match(here.proxy.meter.counters().total.counts, { failed: 0, abandoned: 2 });
  await here.open();
  t.same(here.counts()[0], 1);
});

t.test('a tunnel whose owner takes no requests for so long is ended, since others go elsewhere', async (t) => {
  const here = await stage(t);
  const { closed } = await here.open();
  t.same(here.counts(), [1, 0]);
  await here.away();
  await advanceUntil(here.clock, closed);
  await here.open();
  t.same(here.counts()[1], 1);
});

t.test('an owner that is away for a moment keeps its tunnels', async (t) => {
  const here = await stage(t);
  const { socket } = await here.open();
  for (let times = 0; times < 3; times++) {
    await here.suspected();
    await pass(here, 4000);
    await here.back();
    await pass(here, 4000);
  }
  t.same(here.rehomed(), []);
  t.equal(socket.readyState, socket.OPEN);
});

t.test('a tunnel without a key is where it is, and so is each with --rehome-tunnels off', async (t) => {
  for (const [options, headers] of [
    [{}, {}],
    [{ rehomeTunnelsMs: Number.POSITIVE_INFINITY }, { 'X-Room': 'one' }],
  ] as const) {
    const here = await stage(t, { ...options, tunnelIdleTimeoutMs: 1_000_000 });
    await here.away();
    const { socket } = await here.open(headers);
    await here.back();
    await pass(here, 20_000);
    t.same(here.rehomed(), []);
    t.equal(socket.readyState, socket.OPEN);
  }
});

t.test('a tunnel at the next seat because its owner has all it may have stays there', async (t) => {
  const here = await stage(t, { maxTunnels: 1 });
  const [first, second] = [await here.open(), await here.open()];
  t.same(here.counts(), [1, 1]);
  await pass(here, 20_000);
  t.same(here.rehomed(), []);
  first.socket.terminate();
  await first.closed;
  await advanceUntil(here.clock, second.closed);
  t.equal(here.rehomed().length, 1, 'until there is room');
});

t.test('at a replica that is removed, tunnels have the time that its removal gives them', async (t) => {
  const here = await stage(t, { tunnelIdleTimeoutMs: 1_000_000 });
  const { socket } = await here.open();
  await here.removed();
  await pass(here, 20_000);
  t.same(here.rehomed(), []);
  t.equal(socket.readyState, socket.OPEN);
});
