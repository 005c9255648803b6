// A fleet that goes by a list which somebody else keeps: the same seats for all who have it, life after life.

import t from 'tap';
import { fleetNews } from '../../lib/core/fleet/fleet-news.ts';
import { emptyFleet, type FleetState, members, placement, routes } from '../../lib/core/fleet/fleet-state.ts';
import { membersOf } from '../../lib/core/members/member-list.ts';
import type { Member } from '../../lib/core/ports.ts';
import { fleetAfter } from '../fixtures/fleet-rules.ts';

const member = (places: readonly number[], hostname: string, port: number | undefined, isDrained = false): Member => ({
  ...{ places, hostname, isDrained },
  address: port === undefined ? undefined : { type: 'tcp', host: 'a', port },
});

const A = member([1], 'a', 1);
const B = member([2, 5], 'b', 2);
const C = member([7], 'c', 3);

const listed = (state: FleetState, ...members: Member[]) =>
  fleetAfter(state, { type: 'members', members, slowly: true });

/** The state once each replica that is there has passed a heartbeat. */
const well = (state: FleetState) =>
  state.seats.reduce(
    (fleet, { replica }) => fleetAfter(fleet, { type: 'probed', incarnation: replica.incarnation, failure: undefined }),
    state,
  );

const three = well(listed(emptyFleet(1), A, B, C));
const ports = (state: FleetState) =>
  Object.fromEntries(
    routes(state).map(({ replica, address }) => [replica.hostname, address.type === 'tcp' && address.port]),
  );
const leaving = (state: FleetState) =>
  state.leaving.map(({ replica, isGiven, drains }) => [replica.hostname, isGiven, drains]);

t.test('a list is the fleet, in its order, on its places', async (t) => {
  t.same(
    [...placement(three)],
    [
      [1, 1],
      [2, 2],
      [5, 2],
      [7, 7],
    ],
  );
  t.same(ports(three), { a: 1, b: 2, c: 3 });
  const other = listed(three, C, A, B);
  t.same(
    members(other).map(({ hostname }) => hostname),
    ['c', 'a', 'b'],
  );
  t.same([...placement(other)], [...placement(three)], 'the order means nothing for the ring');
  t.same(membersOf(other), [C, A, B], 'and whoever follows a follower has the same');
});

t.test('the same list changes nothing', async (t) => {
  t.equal(listed(three, A, B, C), three);
  const vacant = listed(three, member([1], 'a', undefined), B, C);
  t.equal(listed(vacant, member([1], 'a', undefined), B, C), vacant);
});

t.test('two who have seen other lists before agree by the last one', async (t) => {
  const late = listed(emptyFleet(2), A, C);
  const early = listed(listed(listed(three, B), member([1, 2], 'b', 2), C), A, C);
  t.same([...placement(early)], [...placement(late)]);
});

t.test('who is not in the list leaves, with time to finish, and is not stopped', async (t) => {
  const two = listed(three, A, C);
  t.same(leaving(two), [['b', true, true]]);
  t.same(ports(two), { a: 1, c: 3 });
  t.same(
    fleetNews(three, two).map(({ type }) => type),
    ['replica-leaving'],
  );
});

t.test('weights and drains are taken over by the same life', async (t) => {
  const changed = listed(three, member([1, 9], 'a', 1, true), B, C);
  t.equal(changed.seats[0]?.replica.incarnation, three.seats[0]?.replica.incarnation);
  t.same(placement(changed).get(9), 1);
  t.same(ports(changed), { b: 2, c: 3 });
  t.same(
    fleetNews(three, changed).map(({ type }) => type),
    ['replica-drained'],
  );
  const back = listed(changed, A, B, C);
  t.same([...placement(back)], [...placement(three)]);
  t.same(ports(back), { a: 1, b: 2, c: 3 });
  t.same(ports(well(listed(emptyFleet(1), member([1], 'a', 1, true), C))), { c: 3 }, 'from the first moment');
});

t.test('the next life in a seat: the one before gets requests until it has passed a heartbeat', async (t) => {
  const next = member([1], 'server_x', 4);
  const coming = listed(three, next, B, C);
  t.same(ports(coming), { a: 1, b: 2, c: 3 });
  t.same(fleetNews(three, coming), [], 'nobody is lost');
  t.equal(fleetAfter(coming, { type: 'inventory', present: [], askedAtMs: 1 }), coming, 'no inventory misses it');
  const served = well(coming);
  t.same(ports(served), { server_x: 4, b: 2, c: 3 });
  t.same(leaving(served), [['a', true, true]]);
  t.same([...placement(served)], [...placement(three)]);
  t.equal(served.seats[0]?.firstServedMs, three.seats[0]?.firstServedMs, 'it has no slow start');

  const after = listed(coming, member([1], 'server_y', 5), B, C);
  t.same(ports(after), { a: 1, b: 2, c: 3 }, 'and so until the one after that');
  t.same(leaving(after), [['server_x', true, true]]);
  t.same(
    leaving(listed(coming, B, C)),
    [
      ['server_x', true, false],
      ['a', true, true],
    ],
    'unless the seat goes',
  );
});

t.test('one that is down is followed at once', async (t) => {
  const fails = { type: 'probed', incarnation: 1, failure: 'no answer' } as const;
  const down = fleetAfter(three, fails, fails, fails);
  t.equal(down.seats[0]?.phase, 'down');
  const next = listed(down, member([1], 'a', 4), B, C);
  t.same(leaving(next), [['a', true, true]]);
  t.same(ports(well(next)), { a: 4, b: 2, c: 3 });
});

t.test('a seat without an address keeps its places, and is not started here', async (t) => {
  const vacant = listed(three, member([1], 'server_x', undefined), B, C);
  t.same([...placement(vacant)], [...placement(three)]);
  t.same(ports(vacant), { b: 2, c: 3 });
  t.same(leaving(vacant), [['a', true, true]]);
  t.match(fleetNews(three, vacant)[0], {
    type: 'replica-lost',
    reason: 'the list of members has no address for it',
    againAtMs: undefined,
  });
  t.equal(fleetAfter(vacant, { type: 'restored' }).seats[0], vacant.seats[0], 'whatever the runtime says');
  t.same(ports(well(listed(vacant, member([1], 'server_x', 8), B, C))), { server_x: 8, b: 2, c: 3 });
  t.same(leaving(listed(vacant, B, C)), [['a', true, true]]);
});

t.test('a seat that was started here is not the one of the list', async (t) => {
  const own = fleetAfter(emptyFleet(1), { type: 'add', wishes: [{ hostname: 'a', weight: 1 }], slowly: false });
  const taken = listed(own, A);
  t.equal(taken.seats[0]?.isGiven, true);
  t.same(ports(well(taken)), { a: 1 });
});

t.test('those that a fleet begins with have no slow start, and those that join have', async (t) => {
  const begun = fleetAfter(emptyFleet(1), { type: 'members', members: [A], slowly: false });
  t.equal(begun.seats[0]?.firstServedMs, Number.NEGATIVE_INFINITY);
  t.equal(listed(begun, A, B).seats[1]?.firstServedMs, undefined);
});
