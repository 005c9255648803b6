// The contract of every source of members, as one suite for all of them. It runs the real supervisor with a fake
// runtime, services played by the test, and a clock that the test moves.

import type { Test } from 'tap';
import { addressText } from '../../lib/core/address.ts';
import { type FleetState, members, routes } from '../../lib/core/fleet/fleet-state.ts';
import type { Address, Membership, Wish } from '../../lib/core/ports.ts';
import { WrongAnswer } from '../../lib/fleet/health/http-probe.ts';
import { type AdminMembers, adminMembers } from '../../lib/fleet/members/admin.ts';
import { follow } from '../../lib/fleet/members/follow.ts';
import { Supervisor } from '../../lib/fleet/supervisor.ts';
import type { SupervisorRules } from '../../lib/fleet/supervisor-ports.ts';
import { createLog } from '../../lib/log.ts';
import { FakeRuntime } from '../fixtures/fake-runtime.ts';
import { FLEET_RULES } from '../fixtures/fleet-rules.ts';
import { VirtualClock } from '../fixtures/virtual-clock.ts';

/** A source that wants certain members, at the start or once it is asked to. */
export interface SourceUnderTest {
  readonly source: Membership;
  /** Called when the fleet has begun. Resolves when the members have joined. */
  readonly ask: () => Promise<void>;
}

export const RULES: SupervisorRules = {
  ...FLEET_RULES,
  adoptTimeoutMs: 3000,
  intervalMs: 500,
  timeoutMs: 400,
  graceMs: 1000,
  inventoryIntervalMs: 5000,
  joinAttempts: 3,
  mustServe: false,
  beginTimeoutMs: 10_000,
};

/** A service that is not mentioned is `well`. */
type Health = 'well' | 'hung' | 'refused' | 'unfit';

/** A fleet with such sources and an admin's calls besides them, as the balancer has it. */
export class MembersWorld {
  readonly clock = new VirtualClock();
  readonly runtime = new FakeRuntime();
  readonly admin: AdminMembers = adminMembers();
  /** The health of the services, by the text of their address. */
  readonly health = new Map<string, Health>();
  readonly probed: string[] = [];
  /** Resolves when the data plane has no request left at a replica that leaves. */
  drained: () => Promise<void> = () => Promise.resolve();
  readonly supervisor: Supervisor;
  #unfollow = () => {};

  constructor(rules: SupervisorRules = RULES) {
    const log = createLog(
      'off',
      () => undefined,
      () => new Date(0),
    );
    this.supervisor = new Supervisor(
      {
        runtime: this.runtime,
        clock: this.clock,
        log,
        probe: (address) => this.#probe(address),
        publish: async () => undefined,
        drained: () => this.drained(),
      },
      rules,
      { nameSeed: 1, lastIncarnation: 0 },
    );
  }

  get state(): FleetState {
    return this.supervisor.state;
  }

  names(): string[] {
    return members(this.state).map(({ hostname }) => hostname);
  }

  /** The address and the number of places of each routed replica, by hostname. */
  routed(): Record<string, string> {
    return Object.fromEntries(
      routes(this.state).map(({ replica, address, weight }) => [
        replica.hostname,
        `${addressText(address)}${weight === 1 ? '' : `*${weight}`}`,
      ]),
    );
  }

  seats(): Record<string, number> {
    return Object.fromEntries(this.state.seats.map(({ replica }) => [replica.hostname, replica.seat]));
  }

  replica(hostname: string) {
    const found = members(this.state).find((one) => one.hostname === hostname);
    if (found === undefined) throw new Error(`no ${hostname}`);
    return found;
  }

  async begin({ source, ask }: SourceUnderTest): Promise<void> {
    this.#unfollow = await this.finish(follow(this.supervisor, [source, this.admin]));
    await this.finish(ask());
  }

  async end(): Promise<void> {
    this.#unfollow();
    await this.finish(this.supervisor.close());
  }

  /** Lets time pass until the promise settles. */
  async finish<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    const settled = promise.finally(() => {
      done = true;
    });
    settled.catch(() => undefined);
    for (let step = 0; step < 10_000 && !done; step++) await this.clock.advance(10);
    return settled;
  }

  #probe(address: Address): Promise<void> {
    const text = addressText(address);
    this.probed.push(text);
    switch (this.health.get(text) ?? 'well') {
      case 'well':
        return Promise.resolve();
      case 'hung':
        return new Promise(() => undefined);
      case 'refused':
        return Promise.reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }));
      case 'unfit':
        return Promise.reject(new WrongAnswer(404, '/heartbeat'));
    }
  }
}

/** A replica that somebody else runs on that port. */
export function given(hostname: string, port: number, weight = 1): Wish {
  return { hostname, weight, address: { type: 'tcp', host: '127.0.0.1', port } };
}

/** Adds the contract's tests to `t`. `create` makes the source, which may add its members by calls of `admin`. */
export function membershipContract(
  t: Test,
  create: (wishes: readonly Wish[], admin: AdminMembers) => SourceUnderTest,
): void {
  const check = (name: string, wishes: readonly Wish[], run: (t: Test, world: MembersWorld) => Promise<void>) =>
    t.test(name, async (t) => {
      const world = new MembersWorld();
      t.teardown(() => world.end());
      await world.begin(create(wishes, world.admin));
      await run(t, world);
    });
  const three = [given('app1', 3001), given('app2', 3002, 3), given('app3', 3003)];

  check('who is given is routed to at its address, with its weight; nothing is started', three, async (t, world) => {
    t.same(world.routed(), { app1: '127.0.0.1:3001', app2: '127.0.0.1:3002*3', app3: '127.0.0.1:3003' });
    t.same(world.names(), ['app1', 'app2', 'app3'], 'in the order of the wishes');
    t.same(world.seats(), { app1: 1, app2: 2, app3: 5 }, 'on the lowest places');
    await world.clock.advance(20_000);
    t.equal(Object.keys(world.routed()).length, 3, 'no inventory misses them');
    t.same(world.runtime.started, []);
  });

  check(
    'who is not given is started, and replaced; both kinds are in one fleet',
    [given('app1', 3001), { hostname: 'own', weight: 2 }],
    async (t, world) => {
      t.match(world.runtime.started, [{ hostname: 'own', seat: 2, extraPlaces: [3] }]);
      t.match(world.routed(), { app1: '127.0.0.1:3001', own: /^unix:.*\*2$/ });
      world.runtime.exit(world.replica('own'));
      await world.clock.advance(100);
      t.match(world.names(), ['app1', /^server_/]);
      t.equal(world.runtime.started.length, 2);
    },
  );

  check('who misses heartbeats is down, and has its seat and name when it is well again', three, async (t, world) => {
    const before = world.state.seats.map(({ replica }) => replica);
    world.health.set('127.0.0.1:3002', 'hung');
    await world.clock.advance(4000);
    t.same(Object.keys(world.routed()), ['app1', 'app3']);
    t.match(world.state.seats[1], { phase: 'down', complaint: { reason: 'no answer to the heartbeat within 400 ms' } });
    world.health.delete('127.0.0.1:3002');
    await world.clock.advance(2000);
    t.equal(world.routed().app2, '127.0.0.1:3002*3');
    t.same(
      world.state.seats.map(({ replica }) => replica),
      before,
      'the same lives',
    );
    t.same(world.runtime.stopped, []);
  });

  check('who is removed finishes its requests and is let go, not stopped; nobody moves', three, async (t, world) => {
    let finishRequests = () => {};
    world.drained = () =>
      new Promise((resolve) => {
        finishRequests = resolve;
      });
    const removing = world.admin.remove([world.replica('app2')]);
    let removed = false;
    void removing.then(() => {
      removed = true;
    });
    await world.clock.advance(500);
    t.same(world.seats(), { app1: 1, app3: 5 });
    t.notOk(removed, 'it has a request');
    finishRequests();
    await world.finish(removing);
    t.same(world.state.leaving, []);
    t.same(world.runtime.stopped, []);
    const asked = world.probed.length;
    await world.clock.advance(2000);
    t.notOk(world.probed.slice(asked).includes('127.0.0.1:3002'), 'and is asked nothing more');
  });

  check('who is removed and added again has the lowest free seat', three, async (t, world) => {
    await world.finish(world.admin.remove([world.replica('app1'), world.replica('app2')]));
    await world.finish(world.admin.add([given('app2', 3002), given('app1', 3001)]));
    t.same(world.seats(), { app2: 1, app1: 2, app3: 5 });
    t.same(world.names(), ['app3', 'app2', 'app1']);
  });

  check('requests that outlast the grace do not hold up a removal', three, async (t, world) => {
    world.drained = () => new Promise(() => undefined);
    const begunMs = world.clock.now();
    await world.finish(world.admin.remove([world.replica('app1')]));
    t.ok(world.clock.now() - begunMs <= RULES.graceMs + 20);
    world.drained = () => Promise.resolve();
  });

  check(
    'at the end nothing is left over: no seat, no heartbeat, no stop of what is not ours',
    three,
    async (t, world) => {
      await world.end();
      t.same([world.state.seats, world.state.leaving, world.runtime.stopped], [[], [], []]);
      const asked = world.probed.length;
      await world.clock.advance(10_000);
      t.equal(world.probed.length, asked);
      t.ok(world.runtime.closed);
      await t.rejects(world.admin.add([given('app4', 3004)]), { code: 'closing' });
    },
  );
}
