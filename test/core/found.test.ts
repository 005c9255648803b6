// What a name service or an orchestrator lists becomes seats: a seat outlives the services in it, however somebody else
// replaces them, and a key moves only when their number changes for good.

import t from 'tap';
import { type FleetEvent, observe } from '../../lib/core/fleet/fleet.ts';
import { endedUnasked, fleetNews } from '../../lib/core/fleet/fleet-news.ts';
import {
  emptyFleet,
  type FleetState,
  members,
  placement,
  resting,
  routes,
  stateOf,
} from '../../lib/core/fleet/fleet-state.ts';
import { absentees, failsOpen, mayReturn, whyNone } from '../../lib/core/fleet/outage.ts';
import type { Address, FoundMember } from '../../lib/core/ports.ts';
import { FLEET_RULES } from '../fixtures/fleet-rules.ts';

const SETTLE_MS = 30_000;
const SOURCE = 'dns:app:80';

const at = (host: string): Address => ({ type: 'tcp', host, port: 80 });
/** `a` is a member at the address a, `a@b` one at b, `a@` one without an address; `a#3` has place 3. */
function member(written: string): FoundMember {
  const [, hostname = '', host = hostname, seat] = /^(\w+)(?:@(\w*))?(?:#(\d+))?$/.exec(written) ?? [];
  return {
    hostname,
    address: host === '' ? undefined : at(host),
    ...(seat === undefined ? {} : { seat: Number(seat) }),
  };
}
const found = (written: string, atMs: number, more: { settleMs?: number; weight?: number; source?: string } = {}) => {
  const list = written === '' ? [] : written.split(' ').map(member);
  const finding = { source: SOURCE, weight: 1, settleMs: SETTLE_MS, members: list, ...more };
  return { type: 'found', finding, atMs } as const;
};
const after = (state: FleetState, ...events: FleetEvent[]) =>
  events.reduce((known, event) => observe(known, event, FLEET_RULES), state);

/** The state in which all that are there have passed a probe. */
const probed = (state: FleetState, atMs = 0) =>
  state.seats.reduce(
    (fleet, { replica }) =>
      after(fleet, { type: 'probed', incarnation: replica.incarnation, failure: undefined, atMs }),
    state,
  );
const play = (...events: FleetEvent[]) =>
  events.reduce((state, event) => probed(after(state, event), event.atMs), emptyFleet(1));
/** Who has which seat: `1a 2b`. */
const seated = (state: FleetState) => state.seats.map(({ replica }) => `${replica.seat}${replica.hostname}`).join(' ');
const routed = (state: FleetState) =>
  routes(state)
    .map(({ replica }) => replica.hostname)
    .join(' ');

t.test(
  'the first that a source lists have seats at once, in its order; to be told again changes nothing',
  async (t) => {
    const state = play(found('a b c', 0));
    t.equal(seated(state), '1a 2b 3c');
    t.equal(routed(state), 'a b c');
    t.match(state.seats[0], { isGiven: true, source: SOURCE });
    t.equal(after(state, found('c a b', 5)), state);
    t.equal(after(state, found('', 5)), state, 'nor does an empty list');
  },
);

t.test('a rolling update that ends each before the next moves no key', async (t) => {
  const before = play(found('a b c', 0));
  let state = after(before, found('b c', 1000));
  t.equal(seated(state), '1a 2b 3c');
  t.equal(routed(state), 'b c', 'it takes no new requests');
  t.same(
    resting(state).map(({ hostname }) => hostname),
    ['a'],
  );
  t.same(fleetNews(before, state), [{ type: 'replica-unlisted', replica: before.seats[0]?.replica }]);
  t.equal(stateOf(state.seats[0] as never), 'down');
  t.same(absentees(state), [{ hostname: 'a', reason: `not listed by ${SOURCE}` }]);
  t.equal(after(state, found('b c', 2000)), state);
  const inherited = after(state, found('b c x', 3000));
  t.equal(seated(inherited), '1x 2b 3c');
  t.match(inherited.leaving, [{ replica: { hostname: 'a' }, isGiven: true, drains: true }]);
  t.match(fleetNews(state, inherited), [{ type: 'replica-leaving', replica: { hostname: 'a' } }]);
  t.same(endedUnasked(state, inherited), []);
  state = ['c x', 'c x y', 'x y', 'x y z'].reduce(
    (fleet, list, index) => probed(after(fleet, found(list, 4000 + index))),
    probed(inherited),
  );
  t.equal(seated(state), '1x 2y 3z');
  t.equal(routed(state), 'x y z');
  t.same(placement(state), placement(before));
  t.same(
    members(state).map(({ hostname }) => hostname),
    ['x', 'y', 'z'],
    'they joined later',
  );
});

t.test('nor does one that begins each before it ends the last', async (t) => {
  const before = play(found('a b c', 0));
  const state = ['a b c x', 'b c x', 'b c x y', 'c x y', 'c x y z', 'x y z'].reduce(
    (fleet, list, index) => probed(after(fleet, found(list, 1000 * index))),
    before,
  );
  t.equal(seated(state), '1x 2y 3z');
  t.same(state.newcomers, []);
});

t.test('one that is listed again has its seat back, and one at another address too', async (t) => {
  const before = play(found('a b', 0), found('b', 1000));
  const back = after(before, found('a b', 2000));
  t.equal(routed(back), 'a b');
  t.match(fleetNews(before, back), [{ type: 'replica-listed', replica: { hostname: 'a' } }]);
  const elsewhere = after(back, found('a@x b', 3000));
  t.equal(seated(elsewhere), '1a 2b');
  t.match(elsewhere.seats[0], { phase: 'started', address: at('x'), joined: back.seats[0]?.joined });
  t.match(elsewhere.leaving, [{ replica: back.seats[0]?.replica, isGiven: true }]);
  t.equal(routed(probed(elsewhere)), 'a b');
});

t.test('more of them join when they have been there for a while, and fewer leave then', async (t) => {
  const more = play(found('a b', 0), found('a b c', 1000));
  t.equal(seated(more), '1a 2b');
  t.same(more.newcomers, [{ source: SOURCE, hostname: 'c', sinceMs: 1000 }]);
  t.equal(after(more, found('a b c', 2000)), more);
  t.equal(seated(after(more, found('a b', 2000), found('a b c', 1000 + SETTLE_MS))), '1a 2b', 'it was away meanwhile');
  const grown = probed(after(more, found('a b c', 1000 + SETTLE_MS)), 40_000);
  t.equal(seated(grown), '1a 2b 3c');
  t.match(grown.seats[2], { firstServedMs: 40_000 });
  t.same(grown.newcomers, []);
  const fewer = after(grown, found('b c', 50_000), found('b c', 49_999 + SETTLE_MS));
  t.equal(seated(fewer), '1a 2b 3c');
  const shrunk = after(fewer, found('b c', 50_000 + SETTLE_MS));
  t.equal(seated(shrunk), '2b 3c');
  t.match(shrunk.leaving, [{ replica: { hostname: 'a' }, drains: true, isGiven: true }]);
});

t.test('the seat that has been empty longest goes to the newcomer that has waited longest', async (t) => {
  const state = play(found('a b c', 0), found('a b c y', 1000), found('a b c x y', 2000), found('a c x y', 3000));
  t.equal(seated(state), '1a 2y 3c');
  const both = play(found('a b c', 0), found('a c', 1000), found('c', 2000), found('c y', 3000), found('c x y', 4000));
  t.equal(seated(both), '1x 2y 3c');
});

t.test('an exact list: each has a seat of its own, the one that it says, at once', async (t) => {
  const exact = { settleMs: 0 };
  const state = play(found('a#1 c#3 b#2', 0, exact));
  t.equal(seated(state), '1a 2b 3c');
  t.equal(seated(after(state, found('a#1 c#3 d#4', 1000, exact))), '1a 3c 4d', 'nobody takes the seat of another');
  const coming = after(state, found('a#1 b@#2 c#3', 1000, exact));
  t.equal(seated(coming), '1a 2b 3c');
  t.equal(routed(coming), 'a c');
  t.equal(routed(probed(after(coming, found('a#1 b@x#2 c#3', 2000, exact)))), 'a b c');
  t.equal(seated(play(found('a#1 b@#2', 0, exact))), '1a', 'none without an address joins');
  t.equal(seated(play(found('a#600 b#7 c#7', 0, exact))), '1a 2c 7b', 'a seat that cannot be is the lowest free one');
});

t.test('there are no more than the ring has room for', async (t) => {
  const many = Array.from({ length: 80 }, (_, index) => `m${index}`).join(' ');
  const state = play(found(many, 0, { weight: 7 }));
  t.equal(state.seats.length, 73);
  t.equal(placement(state).size, 511);
  t.equal(state.newcomers?.length, 7);
  t.equal(after(state, found(many, SETTLE_MS, { weight: 7 })).seats.length, 73);
});

t.test('each source has its own; what both have found has one seat', async (t) => {
  const state = play(found('a b', 0), found('B c', 0, { source: 'dns:other:80' }));
  t.equal(seated(state), '1a 2b 3c');
  const later = after(state, found('a b x', 1000), found('c y', 2000, { source: 'dns:other:80' }));
  t.equal(seated(later), '1a 2b 3c');
  t.equal(later.newcomers?.length, 2);
  const given = play({ type: 'add', wishes: [{ hostname: 'g', weight: 1, address: at('g') }], slowly: false, atMs: 0 });
  t.equal(seated(after(given, found('a', 0), found('a', SETTLE_MS))), '1g 2a', 'one that nobody has found stays');
});

t.test('what somebody has drained stays drained when it is listed again, and is told as that', async (t) => {
  const state = play(found('a b', 0));
  const incarnation = state.seats[0]?.replica.incarnation ?? 0;
  const drained = after(
    state,
    { type: 'drain', incarnation, isDrained: true, atMs: 1 },
    found('b', 2),
    found('a b', 3),
  );
  t.equal(routed(drained), 'b');
  t.equal(stateOf(drained.seats[0] as never), 'drained');
});

t.test('if none is listed with an address, requests wait, and it is said why', async (t) => {
  const state = play(found('a', 0, { settleMs: 0 }), found('a@', 1, { settleMs: 0 }));
  t.equal(whyNone(state, true), `no replica: a not listed by ${SOURCE}`);
  t.ok(mayReturn(state));
  t.notOk(failsOpen(state, true));
});

t.test('one that is down and not listed is not what is left when all are down', async (t) => {
  let state = play(found('a b', 0));
  for (const { replica } of state.seats) {
    for (let count = 0; count < 3; count++) {
      const { incarnation } = replica;
      state = after(state, { type: 'probed', incarnation, failure: 'late', kind: 'other', atMs: count });
    }
  }
  t.equal(routes(state, true).length, 2);
  t.same(
    routes(after(state, found('b', 9)), true).map(({ replica }) => replica.hostname),
    ['b'],
  );
});

t.test('one that fails while it is not listed is still not listed', async (t) => {
  let state = play(found('a b', 0), found('b', 1));
  const incarnation = state.seats[0]?.replica.incarnation ?? 0;
  for (let count = 0; count < 3; count++) {
    state = after(state, { type: 'probed', incarnation, failure: 'late', kind: 'other', atMs: 2 + count });
  }
  t.match(state.seats[0], { phase: 'down', absentSinceMs: 1 });
  t.equal(routed(probed(state, 9)), 'b');
  t.equal(routed(probed(probed(after(state, found('a b', 10)), 11), 12)), 'a b');
});
