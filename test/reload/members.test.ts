// Who joins, who leaves and who has another weight, by what differs between two files and who is there.

import t from 'tap';
import { observe } from '../../lib/core/fleet/fleet.ts';
import { emptyFleet, type FleetState } from '../../lib/core/fleet/fleet-state.ts';
import { HashRing } from '../../lib/core/ring/ring.ts';
import { imagination } from '../../lib/fleet/imagine.ts';
import { fleetChange, type MemberPorts, memberTaker } from '../../lib/reload/members.ts';
import { upstreams } from '../../lib/settings/lists/upstream.ts';
import { defaultOptions, type Options } from '../../lib/settings/options.ts';
import { FLEET_RULES } from '../fixtures/fleet-rules.ts';
import { VirtualClock } from '../fixtures/virtual-clock.ts';

const listed = (written: string): Options => ({
  ...defaultOptions(),
  upstream: upstreams.read(written) ?? new Map(),
});
const counted = (replicas: number): Options => ({ ...defaultOptions(), replicas });

function fleetOf(written: string, started = 0): FleetState {
  const given = written === '' ? [] : [...listed(written).upstream].map(([hostname, one]) => ({ hostname, ...one }));
  const own = Array.from({ length: started }, (_, index) => ({ hostname: `server${index + 1}`, weight: 1 }));
  return observe(emptyFleet(1), { type: 'add', wishes: [...own, ...given], slowly: false, atMs: 0 }, FLEET_RULES);
}

function portsOf(state: FleetState, others: Partial<MemberPorts> = {}): MemberPorts {
  const imagine = imagination(() => state, FLEET_RULES, new VirtualClock());
  const ringOf: MemberPorts['ringOf'] = (places) =>
    new HashRing(
      [...places].map(([place, seat]) => ({ slot: place - 1, seat })),
      16,
    );
  const ports = {
    state: () => state,
    imagine,
    ringOf,
    slots: 16,
    maxPlaces: 16,
    maxReplicas: 4,
    random: () => 0,
    ...others,
  };
  return ports as unknown as MemberPorts;
}

function change(state: FleetState, next: Options, before: Options) {
  const { added, removed, weights } = fleetChange(portsOf(state), next, before);
  const name = (seat: number) => state.seats.find(({ replica }) => replica.seat === seat)?.replica.hostname ?? '';
  return {
    added: added.map(({ hostname, weight }) => `${hostname}*${weight}`),
    removed: removed.map(({ hostname }) => hostname),
    weights: Object.fromEntries([...weights].map(([seat, weight]) => [name(seat), weight])),
  };
}

t.test('what is new in the list joins, what is no longer in it leaves, another weight is given', async (t) => {
  const before = 'a:1,b:1*2,c:1';
  t.same(change(fleetOf(before), listed('a:1*3,b:1,d:1*2'), listed(before)), {
    added: ['d:1*2'],
    removed: ['c:1'],
    weights: { 'a:1': 3, 'b:1': 1 },
  });
  t.same(change(fleetOf(before), listed(before), listed(before)), { added: [], removed: [], weights: {} });
});

t.test('an address is the same however it is written', async (t) => {
  t.same(change(fleetOf('App:80'), listed('app:080'), listed('App:80')), { added: [], removed: [], weights: {} });
});

t.test('what /add and /rm have done stays, unless the file says something new of it', async (t) => {
  // b was removed by hand, and x added.
  const state = fleetOf('a:1,x:1');
  t.same(change(state, listed('a:1*2,b:1'), listed('a:1,b:1')), { added: [], removed: [], weights: { 'a:1': 2 } });
  t.same(change(state, listed('a:1,b:1*2'), listed('a:1,b:1')).added, ['b:1*2']);
  t.same(change(state, listed('a:1,x:1*2'), listed('a:1')).weights, { 'x:1': 2 }, 'it is there already');
  t.same(change(state, listed('a:1'), listed('a:1,b:1')).removed, [], 'it has gone already');
});

t.test('there must be room for those that join beside those that leave', async (t) => {
  const before = 'a:1*8,b:1*4';
  t.throws(() => change(fleetOf(before), listed('c:1*8'), listed(before)), {
    code: 'bad-config',
    message: /at most 16, what the ring has room for, not 20 together with those that leave/,
  });
  t.same(change(fleetOf(before), listed('c:1*4'), listed(before)).added, ['c:1*4']);
});

t.test('another number of replicas is scaled to, whatever there are', async (t) => {
  const state = fleetOf('', 3);
  t.same(change(state, counted(4), counted(3)).added, ['undefined*1']);
  t.equal(change(state, counted(1), counted(3)).removed.length, 2);
  t.same(change(state, counted(3), counted(5)), { added: [], removed: [], weights: {} });
  t.same(change(state, counted(5), counted(5)).added, [], 'nothing new');
  t.throws(() => change(fleetOf('a:1', 3), counted(4), counted(3)), {
    message: /replicas\.replicas may be at most 3 now, not 4/,
  });
});

t.test('those that join have joined before anything else is done; undone, they leave again', async (t) => {
  const done: string[] = [];
  let state = fleetOf('a:1');
  const ports = portsOf(state, {
    state: () => state,
    add: async (wishes) => {
      done.push(`add ${wishes.map(({ hostname }) => hostname)}`);
      state = fleetOf('a:1,b:1');
    },
    weigh: async (weights) => void done.push(`weigh ${[...weights]}`),
    remove: async (replicas) => void done.push(`remove ${replicas.map(({ hostname }) => hostname)}`),
  });
  const { finish, undo } = await memberTaker(ports).begin(listed('a:1*2,b:1'), listed('a:1'));
  t.same(done.splice(0), ['add b:1']);
  await finish();
  t.same(done.splice(0), ['weigh 1,2']);
  await undo();
  t.same(done.splice(0), ['weigh 1,1', 'remove b:1']);
});
