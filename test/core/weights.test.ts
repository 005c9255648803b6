// Other weights of replicas that somebody else runs, while they serve.

import t from 'tap';
import { observe, type UntimedEvent } from '../../lib/core/fleet/fleet.ts';
import { fleetNews } from '../../lib/core/fleet/fleet-news.ts';
import {
  emptyFleet,
  type FleetState,
  placement,
  placesOf,
  routes,
  weightsOf,
} from '../../lib/core/fleet/fleet-state.ts';
import { FLEET_RULES } from '../fixtures/fleet-rules.ts';

const after = (state: FleetState, ...events: readonly UntimedEvent[]) =>
  events.reduce((fleet, event) => observe(fleet, { ...event, atMs: 0 }, FLEET_RULES), state);
const weigh = (...weights: readonly (readonly [number, number])[]): UntimedEvent => ({
  type: 'weigh',
  weights: new Map(weights),
});
const wish = (port: number, weight: number) => ({
  hostname: `app${port}`,
  weight,
  address: { type: 'tcp', host: '127.0.0.1', port } as const,
});

function served(): FleetState {
  const added = after(emptyFleet(1), { type: 'add', wishes: [wish(1, 1), wish(2, 2), wish(3, 1)], slowly: false });
  return added.seats.reduce(
    (fleet, { replica: { incarnation } }) => after(fleet, { type: 'probed', incarnation, failure: undefined }),
    added,
  );
}

t.test('it takes the lowest free places, or gives some back, and stays the same replica that serves', async (t) => {
  const before = served();
  t.same(
    [...placement(before)],
    [
      [1, 1],
      [2, 2],
      [3, 2],
      [4, 4],
    ],
  );
  const heavier = after(before, weigh([1, 3]));
  t.same(
    [...placement(heavier)],
    [
      [1, 1],
      [2, 2],
      [3, 2],
      [4, 4],
      [5, 1],
      [6, 1],
    ],
  );
  t.same(
    heavier.seats.map(({ replica }) => replica.incarnation),
    before.seats.map(({ replica }) => replica.incarnation),
  );
  t.same(
    routes(heavier).map(({ weight }) => weight),
    [3, 2, 1],
  );
  t.same(fleetNews(before, heavier), []);
  const lighter = after(heavier, weigh([1, 2], [2, 1]));
  t.same([...weightsOf(lighter).values()], [2, 1, 1]);
  t.same(placesOf((lighter.seats[0] as FleetState['seats'][number]).replica), [1, 5]);
  t.same(after(lighter, weigh([1, 1], [2, 2])), before, 'there and back again');
});

t.test('the same weight, a seat that is not there and a replica of our own change nothing', async (t) => {
  const state = served();
  t.equal(after(state, weigh([1, 1], [2, 2], [9, 4])), state);
  const own = after(emptyFleet(1), { type: 'add', wishes: [{ hostname: 'server1', weight: 1 }], slowly: false });
  t.equal(after(own, weigh([1, 2])), own);
});
