// A drained replica takes no new requests, keeps what it has, and its seat, and forgets it with its life.

import t from 'tap';
import { type FleetEvent, observe } from '../../lib/core/fleet/fleet.ts';
import { fleetNews } from '../../lib/core/fleet/fleet-news.ts';
import { emptyFleet, type FleetState, placement, resting, routes, stateOf } from '../../lib/core/fleet/fleet-state.ts';
import { absentees, failsOpen, mayReturn, whyNone } from '../../lib/core/fleet/outage.ts';
import type { Address, Wish } from '../../lib/core/ports.ts';
import { FLEET_RULES } from '../fixtures/fleet-rules.ts';

const address: Address = { type: 'tcp', host: 'a', port: 1 };
const after = (state: FleetState, ...events: FleetEvent[]) =>
  events.reduce((known, event) => observe(known, event, FLEET_RULES), state);
const incarnationOf = (state: FleetState, seat: number) => state.seats[seat - 1]?.replica.incarnation ?? 0;
const probed = (state: FleetState, seat: number, failure?: string): FleetEvent => ({
  type: 'probed',
  incarnation: incarnationOf(state, seat),
  failure,
  atMs: 0,
});
const drain = (state: FleetState, seat: number, isDrained = true): FleetEvent => ({
  type: 'drain',
  incarnation: incarnationOf(state, seat),
  isDrained,
  atMs: 0,
});
const routed = (state: FleetState, failOpen = false) => routes(state, failOpen).map(({ replica }) => replica.seat);

/** Two replicas that serve. */
function fleet(isGiven: boolean): FleetState {
  const wishes = ['a', 'b'].map((hostname): Wish => ({ hostname, weight: 1, ...(isGiven ? { address } : {}) }));
  let state = after(emptyFleet(1), { type: 'add', wishes, slowly: false, atMs: 0 });
  for (const { replica } of state.seats) {
    const { incarnation } = replica;
    if (!isGiven) {
      const started: FleetEvent[] = [
        { type: 'starting', incarnation, atMs: 0 },
        { type: 'started', replica, address, atMs: 0 },
      ];
      state = after(state, ...started);
    }
    state = after(state, probed(state, replica.seat));
  }
  return state;
}

t.test('it takes no requests, rests, and the ring stays as it is', async (t) => {
  const before = fleet(false);
  const state = after(before, drain(before, 1));
  t.same(routed(state), [2]);
  t.same(
    resting(state).map(({ seat }) => seat),
    [1],
  );
  t.same(placement(state), placement(before));
  t.same(absentees(state), [{ hostname: 'a', reason: 'drained' }]);
  t.equal(stateOf(state.seats[0] as never), 'drained');
  t.match(fleetNews(before, state), [{ type: 'replica-drained', replica: { hostname: 'a' } }]);
  t.equal(after(state, drain(state, 1)), state, 'once more changes nothing');
  const back = after(state, drain(state, 1, false));
  t.same(back, before);
  t.match(fleetNews(state, back), [{ type: 'replica-undrained', replica: { hostname: 'a' } }]);
});

t.test('heartbeats and suspicions do not bring it back', async (t) => {
  const before = fleet(false);
  const drained = after(before, drain(before, 1));
  const state = after(
    drained,
    { type: 'suspected', incarnation: incarnationOf(drained, 1), atMs: 0 },
    probed(drained, 1),
  );
  t.same(routed(state), [2]);
});

t.test('its next life is not drained', async (t) => {
  const before = fleet(false);
  let state = after(before, drain(before, 1));
  state = after(state, { type: 'exited', incarnation: incarnationOf(state, 1), reason: 'killed', atMs: 0 });
  t.equal(state.seats[0]?.isDrained, undefined);
  // Nor is it kept as the last choice when heartbeats convict it.
  let hung = after(before, drain(before, 1), drain(before, 2));
  for (let count = 0; count < FLEET_RULES.failuresToConvict; count++) hung = after(hung, probed(hung, 1, 'silent'));
  t.equal(hung.seats[0]?.phase, 'vacant');
  t.same(routed(hung), []);
});

t.test('a given replica stays drained while it is down, and when it is back', async (t) => {
  const before = fleet(true);
  let state = after(before, drain(before, 1));
  for (let count = 0; count < FLEET_RULES.failuresToConvict; count++) state = after(state, probed(state, 1, 'silent'));
  t.equal(state.seats[0]?.phase, 'down');
  t.same(routed(state, true), [2]);
  state = after(state, drain(state, 2));
  t.same(routed(state, true), [], 'it is no way out either when none passes its heartbeats');
  t.notOk(failsOpen(state, true));
  for (let count = 0; count < FLEET_RULES.riseToReturn; count++) state = after(state, probed(state, 1));
  t.equal(state.seats[0]?.phase, 'serving');
  t.same(routed(state), []);
  t.equal(whyNone(state, true), 'no replica: a drained, b drained');
  t.notOk(mayReturn(state), 'so that nobody waits for it');
});
