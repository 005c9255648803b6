// The publisher between a fleet and a data plane that a test plays: what its plans say, and what it makes of the news.

import t from 'tap';
import { type FleetEvent, observe } from '../../lib/core/fleet/fleet.ts';
import { emptyFleet, type FleetState } from '../../lib/core/fleet/fleet-state.ts';
import type { DataPlane, PlaneNews } from '../../lib/core/plane-ports.ts';
import { RingKeeper } from '../../lib/core/ring/ring-keeper.ts';
import type { RoutingPlan } from '../../lib/core/routing-plan.ts';
import { Publisher } from '../../lib/fleet/publisher.ts';
import { createLog } from '../../lib/log.ts';
import { trafficSettings } from '../../lib/parts/limits.ts';
import { loadPair } from '../../lib/settings/hash-source.ts';
import { defaultOptions } from '../../lib/settings/options.ts';
import { FLEET_RULES } from '../fixtures/fleet-rules.ts';
import { settle, VirtualClock } from '../fixtures/virtual-clock.ts';

const HASH = { hash: { name: 'even' }, slots: 512, virtualNodes: 9 } as const;

/** A fleet of one given replica that serves, as it is then removed, and as it is when that has stopped. */
function lives(): { serving: FleetState; leaving: FleetState; gone: FleetState } {
  const address = { type: 'tcp', host: '127.0.0.1', port: 1 } as const;
  const wishes = [{ hostname: 'app1', weight: 1, address }];
  const added = observe(emptyFleet(1), { type: 'add', wishes, slowly: false, atMs: 0 }, FLEET_RULES);
  const incarnation = added.lastIncarnation;
  const serving = observe(added, { type: 'probed', incarnation, failure: undefined, atMs: 0 }, FLEET_RULES);
  const leaving = observe(serving, { type: 'remove', seats: [1], atMs: 0 }, FLEET_RULES);
  return { serving, leaving, gone: observe(leaving, { type: 'stopped', incarnation, atMs: 0 }, FLEET_RULES) };
}

/** A seat like the one of that fleet, with another number. */
function seatLike({ seats: [seat] }: FleetState, number: number): FleetState['seats'][number] {
  const { replica, ...rest } = seat as FleetState['seats'][number];
  return { ...rest, replica: { ...replica, seat: number, incarnation: 100 + number } } as FleetState['seats'][number];
}

async function played() {
  const plans: RoutingPlan[] = [];
  const log: Record<string, unknown>[] = [];
  let refusal: Error | undefined;
  let tell: (news: PlaneNews) => void = () => assertHeard();
  const plane = {
    publish: async (plan: RoutingPlan) => {
      plans.push(plan);
      if (refusal !== undefined) throw refusal;
    },
    watch: (listener: (news: PlaneNews) => void) => {
      tell = listener;
      return () => {
        tell = () => undefined;
      };
    },
  } as unknown as DataPlane;
  const rings = new RingKeeper({ ...HASH, pair: await loadPair(HASH), slowStartMs: 0 });
  const publisher = new Publisher(
    {
      plane,
      rings,
      clock: new VirtualClock(),
      log: createLog(
        'info',
        (line) => log.push(JSON.parse(line)),
        () => new Date(0),
      ),
      observe: () => undefined,
    },
    {
      ...HASH,
      explain: { needsToken: false, token: undefined, refusesProxied: false },
      traffic: trafficSettings(defaultOptions()),
    },
    { failOpen: true, hasHeartbeats: true },
  );
  publisher.begin();
  return {
    publisher,
    plans,
    log,
    refuse: (error: Error | undefined) => {
      refusal = error;
    },
    tell: (incarnation: number) => tell({ type: 'drained', incarnation }),
    lists: () => plans.map(({ routes, draining }) => [routes.length, draining.length]),
  };
}

function assertHeard(): never {
  throw new Error('nobody listens');
}

/** Whether a promise has resolved by now. */
async function hasResolved(promise: Promise<void>): Promise<boolean> {
  let resolved = false;
  void promise.then(() => {
    resolved = true;
  });
  await settle();
  return resolved;
}

t.test('who waits for a replica to drain is told, whether the news comes before, after or twice', async (t) => {
  const { serving, leaving, gone } = lives();
  const replica = (leaving.leaving[0] as FleetState['leaving'][number]).replica;
  const never = new AbortController().signal;
  for (const order of ['before', 'after', 'twice']) {
    const { publisher, tell, lists } = await played();
    publisher.publish(serving);
    publisher.publish(leaving);
    if (order !== 'after') tell(replica.incarnation);
    const drained = publisher.drained(replica, never);
    if (order === 'after') t.notOk(await hasResolved(drained));
    if (order !== 'before') tell(replica.incarnation);
    t.ok(await hasResolved(drained), order);
    publisher.publish(gone);
    t.same(lists(), [
      [1, 0],
      [0, 1],
      [0, 0],
    ]);
  }
});

t.test('other terms are those of the next plan, which comes at once, and of all after it', async (t) => {
  const { serving } = lives();
  const { publisher, plans, refuse } = await played();
  await publisher.change({ traffic: trafficSettings({ ...defaultOptions(), maxFields: 20 }) });
  t.equal(plans.length, 0, 'there is nothing to plan for yet');
  await publisher.publish(serving);
  t.equal(plans.at(-1)?.traffic.limits.maxFields, 20);
  await publisher.change({
    hash: { name: 'modulo' },
    traffic: trafficSettings({ ...defaultOptions(), maxFields: 30 }),
  });
  t.match(plans.at(-1), { version: 2, hash: { name: 'modulo' }, traffic: { limits: { maxFields: 30 } } });
  await publisher.publish(serving);
  t.match(plans.at(-1), { version: 3, hash: { name: 'modulo' }, traffic: { limits: { maxFields: 30 } } });
  refuse(new Error('no'));
  await t.rejects(publisher.change({ hash: { path: '/nowhere' } }), { message: 'no' });
});

t.test('plans tell which replicas ended unasked, the last ones, but for those that are spared', async (t) => {
  const { publisher, plans } = await played();
  const address = { type: 'tcp', host: '127.0.0.1', port: 1 } as const;
  const after = (state: FleetState, ...events: FleetEvent[]) =>
    events.reduce((known, event) => observe(known, event, FLEET_RULES), state);
  let state = after(emptyFleet(1), {
    ...{ type: 'add', slowly: false, atMs: 0 },
    wishes: [{ hostname: 'app1', weight: 1 }],
  });
  publisher.publish(state);
  const die = (isSpared: boolean) => {
    const { replica } = state.seats[0] as FleetState['seats'][number];
    const { incarnation } = replica;
    const startedAt = (state.seats[0] as { startAtMs: number }).startAtMs;
    state = after(
      state,
      { type: 'starting', incarnation, atMs: startedAt },
      { type: 'started', replica, address, atMs: startedAt },
      { type: 'probed', incarnation, failure: undefined, atMs: startedAt },
    );
    publisher.publish(state);
    if (isSpared) publisher.spare(replica);
    state = after(state, { type: 'exited', incarnation, reason: 'exit code 1', atMs: startedAt });
    publisher.publish(state);
    return incarnation;
  };
  const first = die(false);
  t.same(plans.at(-1)?.ended, [first]);
  die(true);
  t.same(plans.at(-1)?.ended, [first]);
  for (let count = 0; count < 40; count++) die(false);
  t.equal(plans.at(-1)?.ended?.length, 32);
  t.notOk(plans.at(-1)?.ended?.includes(first));
});

t.test(
  'replicas are eased in a plan while they take requests, a third at most, and only if outliers are',
  async (t) => {
    const { serving, gone } = lives();
    const three = { ...serving, seats: [1, 2, 3].map((number) => seatLike(serving, number)) };
    const why = { type: 'slow', ms: 300, othersMs: 3 } as const;
    const eased = three.seats.map((seat) => ({ replica: seat.replica, share: 1 / 2, why }));
    const { publisher, plans } = await played();
    const told = () => plans.at(-1)?.eased?.map((one) => one.replica.seat);
    await publisher.publish(three);
    t.same(told(), []);
    const ring = plans.at(-1)?.ring;
    await publisher.change({ eased });
    t.same(told(), [1]);
    t.equal(plans.at(-1)?.ring, ring, 'the ring is the same');
    await publisher.publish({ ...three, seats: three.seats.slice(1) });
    t.same(told(), [], 'of two none');
    await publisher.publish(three);
    const off = trafficSettings({ ...defaultOptions(), easeOutliers: false });
    await publisher.change({ traffic: off });
    t.same(told(), []);
    await publisher.change({ traffic: trafficSettings(defaultOptions()) });
    t.same(told(), [1]);
    await publisher.publish(gone);
    t.same(told(), []);
  },
);

t.test('news of a replica that does not leave is not kept for the time when it does', async (t) => {
  const { serving, leaving } = lives();
  const replica = (leaving.leaving[0] as FleetState['leaving'][number]).replica;
  const { publisher, tell } = await played();
  publisher.publish(serving);
  tell(replica.incarnation);
  publisher.publish(leaving);
  const drained = publisher.drained(replica, new AbortController().signal);
  t.notOk(await hasResolved(drained));
  tell(replica.incarnation);
  t.ok(await hasResolved(drained));
});

t.test('a replica whose time is over is in no list of the next plan', async (t) => {
  const { serving, leaving } = lives();
  const replica = (leaving.leaving[0] as FleetState['leaving'][number]).replica;
  const { publisher, tell, lists } = await played();
  publisher.publish(serving);
  publisher.publish(leaving);
  const over = new AbortController();
  const drained = publisher.drained(replica, over.signal);
  over.abort();
  t.same(lists().at(-1), [0, 0]);
  t.notOk(await hasResolved(drained), 'the plane has not cut it yet');
  tell(replica.incarnation);
  t.ok(await hasResolved(drained));
});

t.test('who waits until a state holds is told that its plan was refused, and so is the log', async (t) => {
  const { serving, leaving } = lives();
  const { publisher, refuse, log } = await played();
  refuse(new Error('no such pair'));
  publisher.publish(serving);
  await t.rejects(publisher.holds(), { message: 'no such pair' });
  t.match(
    log.find(({ event }) => event === 'plan-refused'),
    { version: 1, reason: 'no such pair' },
  );
  refuse(undefined);
  publisher.publish(leaving);
  await t.resolves(publisher.holds());
});
