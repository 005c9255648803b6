// A replica that is well is replaced: it has its seat until the next one serves, and keeps it if that one does not.

import t from 'tap';
import { type FleetEvent, observe, plan } from '../../lib/core/fleet/fleet.ts';
import { fleetNews } from '../../lib/core/fleet/fleet-news.ts';
import { emptyFleet, type FleetState, members, placement, routes } from '../../lib/core/fleet/fleet-state.ts';
import type { Address } from '../../lib/core/ports.ts';
import { FLEET_RULES } from '../fixtures/fleet-rules.ts';

const address: Address = { type: 'tcp', host: 'a', port: 1 };
const after = (state: FleetState, ...events: FleetEvent[]) =>
  events.reduce((known, event) => observe(known, event, FLEET_RULES), state);
const replicaIn = (state: FleetState, seat: number) => {
  const found = state.seats.find(({ replica }) => replica.seat === seat);
  if (found === undefined) throw new Error(`no seat ${seat}`);
  return found.replica;
};
const begun = (state: FleetState, seat: number) => {
  const replica = replicaIn(state, seat);
  const { incarnation } = replica;
  return after(state, { type: 'starting', incarnation, atMs: 1 }, { type: 'started', replica, address, atMs: 2 });
};
const good = (incarnation: number): FleetEvent => ({ type: 'probed', incarnation, failure: undefined, atMs: 3 });

function fleet(): FleetState {
  const wishes = ['a', 'b'].map((hostname) => ({ hostname, weight: 1 }));
  const wanted = after(emptyFleet(1), { type: 'add', wishes, slowly: false, atMs: 0 });
  return [1, 2].reduce((state, seat) => {
    const up = begun(state, seat);
    return after(up, good(replicaIn(up, seat).incarnation));
  }, wanted);
}

const whole = fleet();
const { incarnation } = replicaIn(whole, 1);
const replacing = after(whole, { type: 'replace', incarnation, atMs: 0 });

t.test('it gets requests until the next one serves, and then finishes those that it has', async (t) => {
  t.match(plan(replacing, 0, FLEET_RULES), [{ type: 'start', replica: { seat: 1 } }]);
  t.same(routes(replacing), routes(whole));
  t.same(fleetNews(whole, replacing), [], 'nothing was lost');
  const probed = after(replacing, good(incarnation));
  t.not(replicaIn(probed, 1).incarnation, incarnation, 'that it answers does not give it the seat back');
  const up = begun(replacing, 1);
  t.same(routes(up), routes(whole));
  const next = replicaIn(up, 1);
  const done = after(up, good(next.incarnation));
  t.same(
    routes(done).map(({ replica }) => replica.incarnation),
    [next.incarnation, replicaIn(whole, 2).incarnation],
  );
  t.match(done.leaving, [{ replica: { incarnation }, drains: true }]);
  t.same(placement(done), placement(whole), 'no key moves');
  t.same(
    members(done).map(({ seat }) => seat),
    [1, 2],
    'nor does its place in the list',
  );
});

t.test('it keeps its seat if the next one is not wanted, or does not come up', async (t) => {
  t.same(after(replacing, { type: 'keep', incarnation, atMs: 0 }).seats, whole.seats);
  const up = begun(replacing, 1);
  const kept = after(up, { type: 'keep', incarnation, atMs: 5 });
  t.same(kept.seats, whole.seats);
  t.match(kept.leaving, [{ replica: { incarnation: replicaIn(up, 1).incarnation }, drains: false }]);
  const starting = after(replacing, { type: 'starting', incarnation: replicaIn(replacing, 1).incarnation, atMs: 1 });
  const next = replicaIn(starting, 1).incarnation;
  const failed = after(starting, { type: 'start-failed', incarnation: next, reason: 'no', atMs: 2 });
  t.same(routes(failed), routes(whole));
  t.same(after(failed, good(incarnation)).seats[0], whole.seats[0], 'its next heartbeat is enough');
});

t.test('only a replica of ours that serves can be replaced', async (t) => {
  t.equal(after(whole, { type: 'replace', incarnation: 99, atMs: 0 }), whole);
  t.equal(after(whole, { type: 'keep', incarnation, atMs: 0 }), whole);
  t.equal(after(replacing, { type: 'replace', incarnation, atMs: 0 }), replacing);
  const given = after(emptyFleet(1), {
    type: 'add',
    wishes: [{ hostname: 'a', weight: 1, address }],
    slowly: false,
    atMs: 0,
  });
  const serving = after(given, good(replicaIn(given, 1).incarnation));
  t.equal(after(serving, { type: 'replace', incarnation: replicaIn(serving, 1).incarnation, atMs: 0 }), serving);
});

t.test('if it dies meanwhile, the next one is awaited as any other', async (t) => {
  const lost = after(replacing, { type: 'exited', incarnation, reason: 'killed', atMs: 1 });
  t.equal(routes(lost).length, 1);
  const up = begun(lost, 1);
  t.equal(routes(after(up, good(replicaIn(up, 1).incarnation))).length, 2);
});
