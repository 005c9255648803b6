import t from 'tap';
import { type FleetState, members, routes } from '../../lib/core/fleet/fleet-state.ts';
import type { ReplicaRef } from '../../lib/core/ports.ts';
import { BalancerError } from '../../lib/errors.ts';
import { WrongAnswer } from '../../lib/fleet/health/http-probe.ts';
import { Supervisor } from '../../lib/fleet/supervisor.ts';
import type { SupervisorRules } from '../../lib/fleet/supervisor-ports.ts';
import { createLog } from '../../lib/log.ts';
import { FakeRuntime } from '../fixtures/fake-runtime.ts';
import { settle, VirtualClock } from '../fixtures/virtual-clock.ts';

const rules: SupervisorRules = {
  maxPlace: 512,
  failuresToConvict: 3,
  startTimeoutMs: 2000,
  adoptTimeoutMs: 2700,
  parallelStarts: 4,
  backoffBaseMs: 250,
  backoffCapMs: 30_000,
  stableMs: 10_000,
  riseToReturn: 2,
  intervalMs: 500,
  timeoutMs: 400,
  graceMs: 1000,
  inventoryIntervalMs: 5000,
  joinAttempts: 3,
  mustServe: false,
  beginTimeoutMs: 5000,
};

function setUp(changed: Partial<SupervisorRules> = {}) {
  const clock = new VirtualClock();
  const runtime = new FakeRuntime();
  const hung = new Set<string>();
  const unfit = new Set<string>();
  const published: FleetState[] = [];
  const log: { event: string; [detail: string]: unknown }[] = [];
  const held = { until: Promise.resolve() as Promise<void> };
  const drains = { until: Promise.resolve() as Promise<void>, asked: 0, cut: 0 };
  const supervisor = new Supervisor(
    {
      runtime,
      clock,
      log: createLog(
        'debug',
        (line) => log.push(JSON.parse(line)),
        () => new Date(0),
      ),
      probe: (address) => {
        const incarnation = Number(/\d+/.exec(address.type === 'unix' ? address.path : '')?.[0]);
        const replica = runtime.present.get(incarnation);
        if (replica === undefined) return Promise.reject(new Error('refused'));
        if (unfit.has(replica.hostname)) return Promise.reject(new WrongAnswer(404, '/heartbeat'));
        return hung.has(replica.hostname) ? new Promise(() => undefined) : Promise.resolve();
      },
      publish: (state) => {
        published.push(state);
        return held.until;
      },
      drained: (_replica, signal) => {
        drains.asked += 1;
        signal.addEventListener('abort', () => {
          drains.cut += 1;
        });
        return drains.until;
      },
    },
    { ...rules, ...changed },
    { nameSeed: 1, lastIncarnation: 0 },
  );
  const names = () => members(supervisor.state).map((replica) => replica.hostname);
  const routed = () => routes(supervisor.state).map((route) => route.replica.hostname);
  /** Lets time pass until the promise settles. */
  const finish = async <T>(promise: Promise<T>, stepMs = 10): Promise<T> => {
    let done = false;
    const settled = promise.finally(() => {
      done = true;
    });
    settled.catch(() => undefined);
    for (let step = 0; step < 10_000 && !done; step++) await clock.advance(stepMs);
    return settled;
  };
  return { clock, runtime, hung, unfit, published, held, log, drains, supervisor, names, routed, finish };
}

const wishes = (...hostnames: (string | undefined)[]) => hostnames.map((hostname) => ({ hostname, weight: 1 }));

async function withThree() {
  const world = setUp();
  await world.finish(world.supervisor.begin(wishes('server1', 'server2', 'server3')));
  return world;
}

t.test('creating one has no effect: nothing is watched, listed or begun, and it can be ended', async (t) => {
  const { runtime, supervisor, finish, clock } = setUp();
  let asked = 0;
  runtime.list = () => {
    asked += 1;
    return Promise.resolve([]);
  };
  runtime.watch = () => {
    asked += 1;
    return () => undefined;
  };
  await clock.advance(20_000);
  t.same([asked, runtime.hasBegun, supervisor.hasBegun], [0, false, false]);
  await finish(supervisor.close());
  t.ok(runtime.closed);
});

t.test('what an earlier process left is adopted before anything is heard or looked for', async (t) => {
  const { runtime, supervisor, finish, clock, names } = setUp();
  runtime.present.set(5, { seat: 1, incarnation: 5, hostname: 'server1' });
  const list = runtime.list.bind(runtime);
  runtime.list = async () => {
    await clock.sleep(8000);
    return list();
  };
  const begun = supervisor.begin(wishes('server1'));
  await clock.advance(1000);
  runtime.tell({ type: 'restored' });
  await finish(begun);
  await clock.advance(20_000);
  t.same([names(), runtime.started, runtime.stopped], [['server1'], [], []]);
  await finish(supervisor.close());
});

t.test('a runtime that cannot begin says why; nothing was begun', async (t) => {
  const { runtime, supervisor, finish } = setUp();
  runtime.begin = () => Promise.reject(new BalancerError('runtime-unavailable', 'cannot reach Docker'));
  await t.rejects(finish(supervisor.begin(wishes('server1'))), { message: 'cannot reach Docker' });
  t.same([supervisor.hasBegun, runtime.started], [false, []]);
  await finish(supervisor.close());
});

t.test('one that is ended while its runtime begins starts nothing', async (t) => {
  const { runtime, supervisor, finish, clock } = setUp();
  runtime.begin = () => clock.sleep(1000);
  const begun = supervisor.begin(wishes('server1'));
  await clock.advance(100);
  await finish(supervisor.close());
  await finish(begun);
  await clock.advance(10_000);
  t.same(runtime.started, []);
});

t.test('one that was ended before it begins leaves its runtime alone', async (t) => {
  const { runtime, supervisor, finish } = setUp();
  await finish(supervisor.close());
  await finish(supervisor.begin(wishes('server1')));
  t.same([runtime.hasBegun, supervisor.hasBegun, runtime.started], [false, false, []]);
});

t.test('begin resolves when all replicas serve', async (t) => {
  const { routed, supervisor } = await withThree();
  t.same(routed(), ['server1', 'server2', 'server3']);
  await supervisor.close();
});

t.test('begin does not wait for ever for one that does not come up; it is tried on', async (t) => {
  const { runtime, supervisor, finish, routed, clock } = setUp();
  let broken = true;
  runtime.beforeStart = async (replica) => {
    if (broken && replica.seat === 2) throw new Error('no room');
  };
  await finish(supervisor.begin(wishes('server1', 'server2')));
  t.same(routed(), ['server1']);
  broken = false;
  await clock.advance(5000);
  t.same(routed(), ['server1', 'server2']);
  await supervisor.close();
});

t.test('begin gives up waiting after its time, not trying', async (t) => {
  const { runtime, supervisor, finish, routed, clock } = setUp();
  runtime.beforeStart = (replica) =>
    replica.seat === 2 && clock.now() < 8000 ? new Promise(() => undefined) : Promise.resolve();
  await finish(supervisor.begin(wishes('server1', 'server2')), 100);
  t.ok(clock.now() <= 5100, `${clock.now()} ms`);
  t.same(routed(), ['server1']);
  await clock.advance(10_000);
  t.same(routed(), ['server1', 'server2']);
  await supervisor.close();
});

t.test('what an earlier process left goes on in its seat; only what is missing is added', async (t) => {
  const { runtime, supervisor, finish, names, published } = setUp();
  for (const replica of [
    { seat: 1, incarnation: 5, hostname: 'server1' },
    { seat: 3, incarnation: 9, hostname: 'server_abc' },
    { seat: 1, incarnation: 2, hostname: 'server_old' },
  ]) {
    runtime.present.set(replica.incarnation, replica);
  }
  await finish(supervisor.begin(wishes('server1', 'server2', 'server3')));
  t.same(names(), ['server1', 'server_abc', 'server2']);
  t.same(
    runtime.started.map((replica) => [replica.seat, replica.hostname, replica.incarnation > 9]),
    [[2, 'server2', true]],
  );
  t.match(runtime.stopped, [{ replica: { hostname: 'server_old' } }]);
  t.ok(published.length > 0);
  await supervisor.close();
});

t.test(
  'one of those that were left hangs: begin waits for a heartbeat of it, and it is replaced like any that hangs',
  async (t) => {
    const { runtime, supervisor, finish, hung, routed, clock, log } = setUp();
    for (const incarnation of [1, 2, 3]) {
      runtime.present.set(incarnation, { seat: incarnation, incarnation, hostname: `server${incarnation}` });
    }
    hung.add('server2');
    await finish(supervisor.begin(wishes('server1', 'server2', 'server3')));
    t.ok(clock.now() <= 2 * rules.timeoutMs + 50, `${clock.now()} ms`);
    t.same(routed(), ['server1', 'server3']);
    await clock.advance(rules.adoptTimeoutMs + rules.timeoutMs + rules.intervalMs);
    t.match(
      log.find((line) => line.event === 'replica-lost'),
      { hostname: 'server2', reason: /no answer/ },
    );
    t.equal(routed().length, 3);
    await supervisor.close();
  },
);

t.test('none of those that were left answers: begin waits until any serves', async (t) => {
  const { runtime, supervisor, finish, hung, routed } = setUp();
  runtime.present.set(1, { seat: 1, incarnation: 1, hostname: 'server1' });
  hung.add('server1');
  runtime.beforeStart = (replica) => (replica.seat === 3 ? new Promise(() => undefined) : Promise.resolve());
  await finish(supervisor.begin(wishes('server1', 'server2', 'server3')));
  t.same(routed(), ['server2']);
  const closing = supervisor.close();
  await finish(closing);
});

t.test('a hostname that is another’s ends begin and add at once', async (t) => {
  const { runtime, supervisor, finish, clock } = setUp();
  runtime.beforeStart = async (replica) => {
    if (replica.hostname === 'server2') throw new BalancerError('name-taken', 'it is taken');
  };
  await t.rejects(finish(supervisor.begin(wishes('server1', 'server2'))), {
    code: 'name-taken',
    message: 'server2 did not come up: it is taken',
  });
  t.ok(clock.now() < 1000);
  await finish(supervisor.close());
});

t.test('a hostname of the first ones that is another’s is given up for another; the log says so', async (t) => {
  const { runtime, supervisor, finish, names, routed, clock, log } = setUp();
  runtime.beforeStart = async (replica) => {
    if (replica.hostname === 'server2') throw new BalancerError('name-taken', 'server2 is taken by somebody else');
  };
  await finish(supervisor.begin(wishes('server1', 'server2').map((wish) => ({ ...wish, ifFree: true }))));
  t.ok(clock.now() < 1000);
  t.equal(routed().length, 2);
  t.match(names(), ['server1', /^server_\w+$/]);
  t.match(
    log.find((line) => line.event === 'replica-lost'),
    { hostname: 'server2', reason: 'server2 is taken by somebody else' },
  );
  await supervisor.close();
});

t.test('what the runtime refuses under any name ends begin at once, with the reason', async (t) => {
  const { runtime, supervisor, finish, clock } = setUp();
  runtime.beforeStart = async () => {
    throw new BalancerError('name-refused', 'too little memory');
  };
  const begun = supervisor.begin(wishes('server1').map((wish) => ({ ...wish, ifFree: true })));
  await t.rejects(finish(begun), { message: 'server1 did not come up: too little memory' });
  t.ok(clock.now() < 1000);
  await finish(supervisor.close());
});

t.test('where all names are taken, each try waits longer than the one before', async (t) => {
  const { runtime, supervisor, finish, clock } = setUp();
  runtime.beforeStart = async () => {
    throw new BalancerError('name-taken', 'taken');
  };
  await finish(supervisor.begin(wishes('server1').map((wish) => ({ ...wish, ifFree: true }))));
  await clock.advance(10_000);
  t.ok(runtime.started.length < 10, `${runtime.started.length} tries`);
  await finish(supervisor.close());
});

t.test(
  'when the runtime answers again, what waits to be tried is tried at once, and an inventory is taken',
  async (t) => {
    const { runtime, supervisor, routed, clock } = await withThree();
    let broken = true;
    runtime.beforeStart = async () => {
      if (broken) throw new Error('gone');
    };
    const victim = routes(supervisor.state)[0]?.replica;
    if (victim !== undefined) runtime.exit(victim);
    await clock.advance(3000);
    broken = false;
    runtime.present.delete(2);
    runtime.tell({ type: 'restored' });
    await clock.advance(50);
    t.equal(routed().length, 3);
    await supervisor.close();
  },
);

t.test('a replica that the runtime doubts is probed at once', async (t) => {
  const { runtime, supervisor, hung, clock, log } = await withThree();
  await clock.advance(100);
  hung.add('server2');
  const doubted = routes(supervisor.state)[1]?.replica;
  if (doubted !== undefined) runtime.tell({ type: 'doubted', replica: doubted });
  await clock.advance(rules.timeoutMs);
  t.match(log.at(-1), { event: 'replica-suspected', hostname: 'server2' });
  await supervisor.close();
});

t.test('an exit is answered at once: out of the routes, another started in its seat', async (t) => {
  const { runtime, supervisor, routed, names, clock } = await withThree();
  const victim = routes(supervisor.state)[1]?.replica;
  if (victim === undefined) throw new Error('no victim');
  runtime.exit(victim);
  t.same(routed(), ['server1', 'server3'], 'before anything else happens');
  await clock.advance(50);
  t.equal(routed().length, 3);
  t.equal(routes(supervisor.state)[1]?.replica.seat, victim.seat);
  t.same(names().slice(0, 2), ['server1', 'server3']);
  await supervisor.close();
});

t.test('a hung replica is detected within 3 s by these rules, ended without grace, and replaced', async (t) => {
  const { runtime, supervisor, hung, routed, clock, log } = await withThree();
  hung.add('server2');
  await clock.advance(3000);
  t.notOk(routed().includes('server2'));
  t.equal(routed().length, 3);
  t.match(runtime.stopped, [{ replica: { hostname: 'server2' }, graceMs: 0 }]);
  t.match(
    log.find((line) => line.event === 'replica-lost'),
    { hostname: 'server2', reason: /no answer/ },
  );
  await supervisor.close();
});

t.test('a suspected replica is probed at once and cleared if it answers', async (t) => {
  const { supervisor, clock, log } = await withThree();
  await clock.advance(100);
  supervisor.suspect(2);
  t.equal(routes(supervisor.state)[1]?.suspected, true);
  await clock.advance(0);
  t.equal(routes(supervisor.state)[1]?.suspected, false);
  supervisor.suspect(99);
  t.equal(log.filter((line) => line.event === 'replica-suspected').length, 1);
  await supervisor.close();
});

t.test('many failed requests at once bring one probe, not a conviction', async (t) => {
  const { supervisor, hung, clock, routed } = await withThree();
  hung.add('server2');
  for (let request = 0; request < 100; request++) {
    supervisor.suspect(2);
    await settle();
  }
  await clock.advance(rules.timeoutMs + 50);
  t.ok(routed().includes('server2'));
  await supervisor.close();
});

t.test('add resolves when the new ones serve, in the order asked for', async (t) => {
  const { supervisor, names, finish } = await withThree();
  await finish(supervisor.add(wishes('S5', undefined, 'S4')));
  t.same(names().slice(3, 4).concat(names().slice(5)), ['S5', 'S4']);
  t.match(names()[4], /^server_/);
  await supervisor.close();
});

t.test('add that cannot be done says why and leaves nothing behind', async (t) => {
  const { supervisor, runtime, names, finish } = await withThree();
  runtime.beforeStart = async (replica) => {
    if (replica.hostname === 'S5') throw new Error('the disk is full');
  };
  await t.rejects(finish(supervisor.add(wishes('S4', 'S5'))), {
    code: 'start-failed',
    message: 'S5 did not come up: the disk is full; nothing was added',
  });
  t.same(names(), ['server1', 'server2', 'server3']);
  t.equal(runtime.present.size, 3);
  await supervisor.close();
});

t.test('the order of an add is that of its payload, also when a start had to be repeated', async (t) => {
  const { supervisor, runtime, names, finish } = await withThree();
  let failed = false;
  runtime.beforeStart = async (replica) => {
    if (replica.hostname !== 'S5' || failed) return;
    failed = true;
    throw new Error('not yet');
  };
  await finish(supervisor.add(wishes('S5', 'S4')));
  t.same(names().slice(3), ['S5', 'S4']);
  await supervisor.close();
});

t.test('an add of a name that is never given back ends with the reason', async (t) => {
  const { supervisor, runtime, finish, names } = await withThree();
  runtime.beforeStop = () => Promise.reject(new Error('no reply'));
  await t.rejects(finish(supervisor.remove(members(supervisor.state).slice(0, 1)), 100), { code: 'stop-failed' });
  await t.rejects(finish(supervisor.add(wishes('server1')), 100), {
    code: 'start-failed',
    message: /nothing was added/,
  });
  t.same(names(), ['server2', 'server3']);
  runtime.beforeStop = () => Promise.resolve();
  await finish(supervisor.close(), 100);
});

t.test('of many that are added a few start at a time, each with its own time', async (t) => {
  const { supervisor, runtime, finish, clock, log, names } = await withThree();
  let underWay = 0;
  let most = 0;
  // On a shared machine, all 61 at once would take 24 s each, but a start may only take 2 s.
  runtime.beforeStart = async () => {
    underWay += 1;
    most = Math.max(most, underWay);
    await clock.sleep(400 * underWay);
    underWay -= 1;
  };
  await finish(supervisor.add(Array.from({ length: 61 }, () => ({ hostname: undefined, weight: 1 }))), 50);
  t.equal(names().length, 64);
  t.equal(most, rules.parallelStarts);
  t.same(
    log.filter((line) => line.event === 'replica-lost'),
    [],
  );
  await supervisor.close();
});

t.test('a start that hangs is given up after the start timeout', async (t) => {
  const { supervisor, runtime, finish } = await withThree();
  let aborted = 0;
  runtime.beforeStart = (_replica, signal) => {
    signal.addEventListener('abort', () => {
      aborted += 1;
    });
    return new Promise(() => undefined);
  };
  await t.rejects(finish(supervisor.add(wishes('S5'))), {
    message: /S5 did not come up: it was not up within 2000 ms/,
  });
  t.equal(aborted, 3);
  await supervisor.close();
});

t.test('remove resolves when the requests are finished and the replica is gone', async (t) => {
  const { supervisor, runtime, drains, routed, clock } = await withThree();
  let finishRequests = () => {};
  drains.until = new Promise((resolve) => {
    finishRequests = resolve;
  });
  let removed = false;
  const removing = supervisor.remove(members(supervisor.state).slice(0, 1)).then(() => {
    removed = true;
  });
  t.same(routed(), ['server2', 'server3'], 'no new request goes there');
  await clock.advance(500);
  t.notOk(removed);
  t.same(runtime.stopped, [], 'it is not ended while it has requests');
  finishRequests();
  await removing;
  t.match(runtime.stopped, [{ replica: { hostname: 'server1' }, graceMs: rules.graceMs }]);
  await supervisor.close();
});

t.test('requests that outlast the grace are cut', async (t) => {
  const { supervisor, drains, finish } = await withThree();
  drains.until = new Promise(() => undefined);
  await finish(supervisor.remove(members(supervisor.state).slice(0, 1)));
  t.equal(drains.cut, 1);
  drains.until = Promise.resolve();
  await supervisor.close();
});

t.test('a replica that is removed while it starts is ended, and its start is given up', async (t) => {
  const { supervisor, runtime, clock, finish } = setUp();
  let signal: AbortSignal | undefined;
  runtime.beforeStart = (_replica, given) => {
    signal = given;
    return new Promise(() => undefined);
  };
  void supervisor.begin(wishes('server1'));
  await clock.advance(10);
  await finish(supervisor.remove(members(supervisor.state)));
  t.ok(signal?.aborted);
  t.match(runtime.stopped, [{ replica: { hostname: 'server1' } }]);
  await supervisor.close();
});

t.test('a stop that fails is tried again; a remove that takes too long says so', async (t) => {
  const { supervisor, runtime, finish, clock, log } = await withThree();
  let broken = true;
  runtime.beforeStop = async () => {
    if (broken) throw new Error('no reply');
  };
  await t.rejects(finish(supervisor.remove(members(supervisor.state).slice(0, 1)), 100), {
    code: 'stop-failed',
    message: /server1 is out of the ring but did not end in 8000 ms/,
  });
  t.ok(log.filter((line) => line.event === 'stop-failed').length > 2);
  broken = false;
  await clock.advance(30_000);
  t.same(supervisor.state.leaving, []);
  await supervisor.close();
});

t.test('what happens to the fleet is logged when requests go by it, and in order', async (t) => {
  const { supervisor, runtime, held, finish, routed, log } = setUp();
  const told = () => log.map(({ event, hostname }) => `${event} ${hostname}`);
  let hold = () => {};
  held.until = new Promise((resolve) => {
    hold = resolve;
  });
  await finish(supervisor.begin(wishes('server1')));
  t.same([routed(), told()], [['server1'], []]);
  held.until = Promise.resolve();
  runtime.exit(members(supervisor.state)[0] as ReplicaRef);
  await settle();
  t.same(told(), [], 'what comes after it waits too');
  hold();
  await settle();
  t.same(told().slice(0, 3), ['replica-starting server1', 'replica-serving server1', 'replica-lost server1']);
  held.until = Promise.reject(new Error('no such pair'));
  held.until.catch(() => undefined);
  await finish(supervisor.add(wishes('server2')));
  await settle();
  t.ok(told().includes('replica-serving server2'), 'a refused plan does not hide it');
  await finish(supervisor.close());
});

t.test('the inventory finds what events did not tell', async (t) => {
  const { supervisor, runtime, routed, clock } = await withThree();
  runtime.present.set(99, { seat: 9, incarnation: 99, hostname: 'stray' });
  runtime.present.delete(1);
  await clock.advance(6000);
  t.notOk(runtime.present.has(99));
  t.equal(routed().length, 3);
  t.notOk(routed().includes('server1'));
  await supervisor.close();
});

t.test('held, it begins nothing whatever happens; then it goes on', async (t) => {
  const { runtime, supervisor, routed, clock, finish } = await withThree();
  const [first, second] = routes(supervisor.state).map(({ replica }) => replica);
  if (first === undefined || second === undefined) throw new Error('no victims');
  runtime.beforeStop = () => clock.sleep(300);
  runtime.exit(first);
  let isHeld = false;
  const hold = supervisor.hold(new AbortController().signal).then(() => {
    isHeld = true;
  });
  await clock.advance(100);
  t.notOk(isHeld, 'a replica is being stopped');
  await clock.advance(1000);
  await hold;
  const started = runtime.started.length;
  runtime.exit(second);
  await clock.advance(10_000);
  t.equal(runtime.started.length, started);
  t.same(routed().length, 2);
  supervisor.goOn();
  await clock.advance(1000);
  t.equal(routed().length, 3);
  await finish(supervisor.close());
});

t.test('a fleet that is taken over goes on as it was, and is left alone by the one before', async (t) => {
  const old = await withThree();
  await old.supervisor.hold(new AbortController().signal);
  const next = setUp();
  for (const replica of old.runtime.present.values()) next.runtime.present.set(replica.incarnation, replica);
  await next.supervisor.takeOver(old.supervisor.state);
  t.same(next.published, [old.supervisor.state]);
  await next.clock.advance(10_000);
  t.same(next.routed(), ['server1', 'server2', 'server3']);
  old.supervisor.letGo();
  next.supervisor.goOn();
  await next.finish(next.supervisor.add(wishes('server4')));
  t.same(next.names(), ['server1', 'server2', 'server3', 'server4']);
  t.equal(new Set([...next.runtime.present.keys()]).size, 4, 'no incarnation is used twice');
  await t.rejects(old.supervisor.add(wishes('other')), { code: 'closing' });
  const [victim] = old.runtime.present.values();
  if (victim !== undefined) old.runtime.exit(victim);
  await old.clock.advance(10_000);
  t.same([old.runtime.started.length, old.runtime.stopped.length], [3, 0]);
  await next.supervisor.close();
});

t.test('close ends every replica and the runtime', async (t) => {
  const { supervisor, runtime, finish } = await withThree();
  await finish(supervisor.close());
  t.equal(runtime.present.size, 0);
  t.ok(runtime.closed);
});

t.test('close during an add refuses it', async (t) => {
  const { supervisor, runtime, finish, clock } = await withThree();
  runtime.beforeStart = () => new Promise(() => undefined);
  const adding = supervisor.add(wishes('S5'));
  adding.catch(() => undefined);
  await clock.advance(10);
  await finish(supervisor.close());
  await t.rejects(adding, { code: 'closing' });
});

t.test('if one must serve, a beginning in which none does is given up, with each reason once', async (t) => {
  const { runtime, supervisor, finish, clock } = setUp({ mustServe: true });
  runtime.beforeStart = () => Promise.reject(new BalancerError('start-failed', 'exit code 1'));
  await t.rejects(finish(supervisor.begin(wishes('a', 'b'))), {
    code: 'start-failed',
    message: 'no replica came up: exit code 1',
  });
  t.ok(clock.now() < 2000, 'three attempts, and no longer');
  const many = setUp({ mustServe: true });
  let starts = 0;
  many.runtime.beforeStart = async ({ hostname }) => {
    starts += 1;
    if (hostname === 'slow') await many.clock.sleep(500);
    throw new BalancerError('start-failed', 'exit code 1');
  };
  await t.rejects(many.finish(many.supervisor.begin(wishes('a', 'b', 'slow'))), { message: /exit code 1$/ });
  t.ok(many.clock.now() >= 500, 'each has had its chance');
  t.ok(starts >= 3 && starts < 9, `${starts} starts`);
});

t.test('if one must serve and none starts in time, what was awaited is said', async (t) => {
  const { runtime, supervisor, finish } = setUp({ mustServe: true, startTimeoutMs: 10_000 });
  Object.assign(runtime, { awaited: 'it did not listen' });
  runtime.beforeStart = () => new Promise(() => undefined);
  await t.rejects(finish(supervisor.begin(wishes('a'))), {
    message: 'no replica came up: it did not listen within 5000 ms',
  });
});

t.test('if one must serve, a wrong answer is waited for a moment, since pages may come late', async (t) => {
  const wrong = setUp({ mustServe: true, parallelStarts: 1 });
  wrong.unfit.add('a').add('b');
  await t.rejects(wrong.finish(wrong.supervisor.begin(wishes('a', 'b'))), { message: /answers 404 to \/heartbeat/ });
  t.ok(wrong.clock.now() >= 700 && wrong.clock.now() < 2000, `${wrong.clock.now()} ms`);
  const late = setUp({ mustServe: true });
  late.unfit.add('a');
  const begun = late.supervisor.begin(wishes('a'));
  await late.clock.advance(600);
  late.unfit.clear();
  await late.finish(begun);
  t.same(late.routed(), ['a']);
});

t.test('if one must serve and one does, the others are tried on', async (t) => {
  const { runtime, supervisor, finish, routed } = setUp({ mustServe: true });
  runtime.beforeStart = ({ hostname }) =>
    hostname === 'a' ? Promise.resolve() : Promise.reject(new BalancerError('start-failed', 'exit code 1'));
  await finish(supervisor.begin(wishes('a', 'b')));
  t.same(routed(), ['a']);
});

t.test('a start that takes long is told before its time is up, if it is known what is awaited', async (t) => {
  const { runtime, supervisor, log, clock } = setUp({ startTimeoutMs: 30_000 });
  const seen = ({ hostname }: ReplicaRef) => `of ${hostname} that is all`;
  Object.assign(runtime, { awaited: 'it did not listen', seen });
  runtime.beforeStart = ({ hostname }) => (hostname === 'a' ? Promise.resolve() : new Promise(() => undefined));
  void supervisor.begin(wishes('a', 'b'));
  await clock.advance(6000);
  t.match(
    log.filter(({ event }) => event === 'replica-late'),
    [{ level: 'warn', hostname: 'b', reason: 'it did not listen within 5000 ms: of b that is all' }],
  );
});
