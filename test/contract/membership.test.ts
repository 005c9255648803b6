import t, { type Test } from 'tap';
import type { Wish } from '../../lib/core/ports.ts';
import { listMembers } from '../../lib/fleet/members/list.ts';
import { given, MembersWorld, membershipContract, RULES } from './membership.ts';

const list = (wishes: readonly Wish[]) => ({
  source: listMembers(() => Promise.resolve(wishes)),
  ask: () => Promise.resolve(),
});

t.test('a list', async (t) => membershipContract(t, list));

t.test('calls of the admin endpoints', async (t) =>
  membershipContract(t, (wishes, admin) => ({
    source: listMembers(() => Promise.resolve([])),
    ask: () => admin.add(wishes),
  })),
);

async function begun(t: Test, ...wishes: Wish[]): Promise<MembersWorld> {
  const world = new MembersWorld();
  t.teardown(() => world.end());
  await world.begin(list(wishes));
  return world;
}

t.test('a list that is not all there is begun with what is, after two heartbeats; the rest is awaited', async (t) => {
  const world = new MembersWorld();
  t.teardown(() => world.end());
  world.health.set('127.0.0.1:3002', 'hung').set('127.0.0.1:3003', 'unfit');
  await world.begin(list([given('app1', 3001), given('app2', 3002), given('app3', 3003)]));
  t.ok(world.clock.now() <= 2 * RULES.timeoutMs + 20, `${world.clock.now()} ms`);
  t.same(Object.keys(world.routed()), ['app1']);
  await world.clock.advance(60_000);
  t.same(world.names(), ['app1', 'app2', 'app3']);
  world.health.clear();
  await world.clock.advance(1000);
  t.equal(Object.keys(world.routed()).length, 3);
});

t.test('given ones that are not there do not shorten what those that are started have', async (t) => {
  const world = new MembersWorld();
  t.teardown(() => world.end());
  world.health.set('127.0.0.1:3001', 'refused');
  world.runtime.beforeStart = () => world.clock.sleep(5000);
  await world.begin(list([given('app1', 3001), { hostname: 'own', weight: 1 }]));
  t.same(Object.keys(world.routed()), ['own']);
});

t.test(
  'an added one that is not there is not added: within the time that convicts, and the reason is said',
  async (t) => {
    const world = await begun(t, given('app1', 3001));
    world.health.set('127.0.0.1:3002', 'refused');
    const begunMs = world.clock.now();
    await t.rejects(world.finish(world.admin.add([given('app3', 3003), given('app2', 3002)])), {
      code: 'start-failed',
      message: 'app2 passed no heartbeat within 3000 ms: connect ECONNREFUSED; nothing was added',
    });
    t.ok(world.clock.now() - begunMs <= RULES.adoptTimeoutMs + 20);
    t.same(world.names(), ['app1'], 'nor is the one that was there');
    t.same(world.state.leaving, []);
  },
);

t.test('where heartbeats are rare, an added one is awaited no longer than a start may take', async (t) => {
  const world = new MembersWorld({ ...RULES, intervalMs: 3_600_000, adoptTimeoutMs: 10_801_200 });
  t.teardown(() => world.end());
  await world.begin(list([given('app1', 3001)]));
  world.health.set('127.0.0.1:3002', 'refused');
  await t.rejects(world.finish(world.admin.add([given('app2', 3002)])), {
    message: `app2 passed no heartbeat within ${RULES.startTimeoutMs} ms: connect ECONNREFUSED; nothing was added`,
  });
});

t.test('an added one that hangs is not added', async (t) => {
  const world = await begun(t, given('app1', 3001));
  world.health.set('127.0.0.1:3002', 'hung');
  await t.rejects(world.finish(world.admin.add([given('app2', 3002)])), {
    message: 'app2 passed no heartbeat within 3000 ms: no answer to the heartbeat within 400 ms; nothing was added',
  });
});

t.test('an added one that becomes well in time is added', async (t) => {
  const world = await begun(t, given('app1', 3001));
  world.health.set('127.0.0.1:3002', 'refused');
  const adding = world.admin.add([given('app2', 3002, 2)]);
  await world.clock.advance(1500);
  world.health.clear();
  await world.finish(adding);
  t.same(world.routed(), { app1: '127.0.0.1:3001', app2: '127.0.0.1:3002*2' });
});

t.test('an added one with an answer that waiting does not change is refused at once', async (t) => {
  const world = await begun(t, given('app1', 3001));
  world.health.set('127.0.0.1:3002', 'unfit');
  const begunMs = world.clock.now();
  await t.rejects(world.finish(world.admin.add([given('app2', 3002)])), {
    code: 'start-failed',
    message:
      'app2 passed no heartbeat: it answers 404 to /heartbeat: is it there? --heartbeat-path / or tcp; nothing was added',
  });
  t.ok(world.clock.now() - begunMs < 100);
});

t.test('one that is removed while it is awaited is not added', async (t) => {
  const world = await begun(t, given('app1', 3001));
  world.health.set('127.0.0.1:3002', 'refused');
  const adding = world.admin.add([given('app2', 3002)]);
  adding.catch(() => undefined);
  await world.clock.advance(100);
  await world.finish(world.admin.remove([world.replica('app2')]));
  await t.rejects(adding, { message: 'app2 was removed before it was up; nothing was added' });
});

t.test(
  'a given one that is not there takes those that were started with it away, and does not wait for them',
  async (t) => {
    const world = await begun(t, given('app1', 3001));
    world.health.set('127.0.0.1:3002', 'refused');
    world.runtime.beforeStart = () => new Promise(() => undefined);
    const begunMs = world.clock.now();
    const adding = world.admin.add([{ hostname: 'own', weight: 1 }, given('app2', 3002)]);
    await t.rejects(world.finish(adding), { message: /^app2 passed no heartbeat/ });
    t.ok(world.clock.now() - begunMs <= RULES.adoptTimeoutMs + 20);
    t.same(world.names(), ['app1']);
  },
);

t.test('two that are added at the same time do not answer for each other', async (t) => {
  const world = await begun(t, given('app1', 3001));
  world.health.set('127.0.0.1:3003', 'refused');
  const [good, bad] = [world.admin.add([given('app2', 3002)]), world.admin.add([given('app3', 3003)])];
  bad.catch(() => undefined);
  await world.finish(good);
  await t.rejects(world.finish(bad), { message: /^app3 passed no heartbeat/ });
  t.same(world.names(), ['app1', 'app2']);
});
