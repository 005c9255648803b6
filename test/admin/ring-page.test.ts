// The cost of a large ring: its page and its part of a snapshot are made once, not for each client.

import t from 'tap';
import { LiveFeed } from '../../lib/admin/feed/live-feed.ts';
import { createRingPage, type InsightPorts } from '../../lib/admin/insight.ts';
import type { LoadFacts } from '../../lib/admin/load/load-generator.ts';
import { emptyFleet, type FleetState, NO_LAPSES } from '../../lib/core/fleet/fleet-state.ts';
import { NO_POISON } from '../../lib/core/request/poison.ts';
import { HashRing } from '../../lib/core/ring/ring.ts';
import { noCounters } from '../../lib/core/traffic/counters.ts';

const fleetOf = (...hostnames: string[]): FleetState => ({
  ...emptyFleet(0),
  seats: hostnames.map((hostname, index) => ({
    phase: 'starting',
    replica: { seat: index + 1, incarnation: index + 1, hostname },
    joined: index,
    lapses: NO_LAPSES,
  })) as unknown as FleetState['seats'],
});

t.test('the page is made anew when a seat or a hostname is another, and only then', async (t) => {
  let state = fleetOf('a', 'b');
  let built = 0;
  let diverted = 0;
  const page = createRingPage({
    state: () => state,
    ringOf: () => {
      built += 1;
      return new HashRing([{ slot: 1, seat: 1 }], 4);
    },
    hash: 'even',
    virtualNodes: 1,
    balanceFactor: 1.25,
    poison: () => NO_POISON,
    diverted: async () => diverted,
    erring: () => [],
    eased: () => [],
    failOpen: false,
  } as unknown as InsightPorts);
  const read = async () => JSON.parse(Buffer.concat(await page()).toString());
  t.match(await read(), {
    slots: 4,
    virtualNodes: 1,
    hash: 'even',
    points: [{ slot: 1, seat: 1, replica: 'a' }],
    shares: { a: 1, b: 0 },
    balance: { factor: 1.25, diverted: 0 },
  });
  diverted = 7;
  state = { ...state };
  t.match(await read(), { balance: { diverted: 7 } });
  t.equal(built, 1);
  state = fleetOf('a', 'c');
  t.match(await read(), { shares: { a: 1, c: 0 } });
  t.equal(built, 2);
});

t.test('a ring is read once for all who watch', async (t) => {
  let read = 0;
  class CountedRing extends HashRing {
    override digest() {
      read += 1;
      return super.digest();
    }
  }
  const feed = new LiveFeed({
    clock: { now: () => 0, sleep: () => new Promise(() => undefined), every: () => () => undefined },
    timeOfDay: () => 0,
    counters: async () => noCounters(),
    erring: () => [],
    eased: () => [],
    autoscale: () => undefined,
    landings: async () => ({ last: 0, landed: 0, told: [] }),
    quarantined: () => [],
    peers: () => [],
    about: { hash: 'even', virtualNodes: 1, maxReplicas: 2, failOpen: true, startsReplicas: true, isSample: true },
    load: () => ({}) as LoadFacts,
  });
  const told: string[] = [];
  const response = { writeHead: () => undefined, write: (text: string) => told.push(text), on: () => undefined };
  const watch = (address: string) =>
    feed.watch(response as never, { address, alone: true, looksOnlyBecause: undefined });
  feed.fleetChanged(emptyFleet(0), new CountedRing([{ slot: 1, seat: 1 }], 4));
  for (const address of ['a', 'b', 'c']) watch(address);
  t.equal(read, 1);
  t.match(JSON.parse(/data: (.*)/.exec(told[2] ?? '')?.[1] ?? ''), {
    alone: true,
    ring: { slots: 4, points: [[1, 1]] },
  });
  feed.fleetChanged(emptyFleet(0), new CountedRing([{ slot: 2, seat: 1 }], 4));
  watch('d');
  t.match(told.at(-1), '"points":[[2,1]]');
  t.equal(read, 2);
});
