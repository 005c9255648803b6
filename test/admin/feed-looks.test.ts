// How the live feed reads the counters of the data plane: when it does, what a late or failed answer does, and that
// another reader changes nothing for it. The traffic is random; SEED=… repeats it.

import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { type FeedPorts, LiveFeed } from '../../lib/admin/feed/live-feed.ts';
import type { LoadFacts } from '../../lib/admin/load/load-generator.ts';
import { emptyFleet } from '../../lib/core/fleet/fleet-state.ts';
import { HashRing } from '../../lib/core/ring/ring.ts';
import { type Counters, countersSince, mergeCounters, noCounters } from '../../lib/core/traffic/counters.ts';
import { ErringReplicas } from '../../lib/core/traffic/erring.ts';
import { SeatMeasures } from '../../lib/core/traffic/measures.ts';
import { Tally } from '../../lib/core/traffic/traffic.ts';
import { BalancerError } from '../../lib/errors.ts';
import { Meter } from '../../lib/proxy/meter.ts';
import { inOrder } from '../fixtures/proxy.ts';
import { type Random, random, runSeed } from '../fixtures/random.ts';
import { VirtualClock } from '../fixtures/virtual-clock.ts';

const SEED = runSeed();
t.comment(`SEED=${SEED}`);

interface Told {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: what an event says is up to its name.
  readonly data: any;
}

const ABOUT = {
  hash: 'even',
  virtualNodes: 1,
  maxReplicas: 3,
  failOpen: true,
  startsReplicas: true,
  isSample: true,
} as const;
const NO_LOAD: LoadFacts = {
  ...{ perSecond: 0, keys: 'uniform', path: '/', leftMs: 0, sent: 0, failed: 0, left: 0 },
  ...{ source: 'request', whyNoKeys: null },
};

/** A feed that has begun, and what a client that watches from the start is told. */
function startFeed(clock: VirtualClock, ports: Pick<FeedPorts, 'counters' | 'landings'>) {
  const erring = new ErringReplicas(clock.now());
  const feed = new LiveFeed({
    clock,
    timeOfDay: () => 1e12 + clock.now(),
    erring: ({ replicas }, nowMs) =>
      erring.look(replicas, nowMs).map(({ seat, incarnation }) => ({ seat, incarnation, hostname: `server${seat}` })),
    quarantined: () => [],
    peers: () => [],
    about: ABOUT,
    eased: () => [],
    load: () => NO_LOAD,
    autoscale: () => undefined,
    ...ports,
  });
  const told: Told[] = [];
  const write = (text: string) => {
    for (const [, name = '', data = ''] of text.matchAll(/event: (.*)\ndata: (.*)\n/g)) {
      told.push({ name, data: JSON.parse(data) });
    }
  };
  const response = { writeHead: () => undefined, write, on: () => undefined, end: () => undefined, writableLength: 0 };
  feed.begin();
  feed.watch(response as never, { address: 'a', alone: true, looksOnlyBecause: undefined });
  return { feed, told, rows: () => told.flatMap(({ name, data }) => (name === 'traffic' ? [data.row] : [])) };
}

const policy = { ...inOrder(1, 2, 3), slotOf: (key: number) => key };

/** A meter, and a function that makes 10 ms of traffic on it. */
function meterWithTraffic(chance: Random) {
  const agents = new Map(
    [1, 2, 3].map((seat) => [
      seat,
      { replica: { seat, incarnation: seat }, inFlight: 0, tally: new Tally(), measures: new SeatMeasures() },
    ]),
  );
  const load = { inFlight: 0, diverted: 0 };
  const meter = new Meter(agents, load);
  const happen = (nowMs: number) => {
    if (nowMs % 100 === 0) meter.onTick(nowMs);
    // Alternates quiet seconds and busy ones.
    for (let count = chance.below(nowMs % 3000 < 1000 ? 2 : 60); count > 0; count--) {
      const agent = agents.get(1 + chance.below(4));
      const startedMs = 1000;
      const answeredMs = startedMs + ([1, 3, 7, 20][chance.below(4)] as number);
      const times = { startedMs, placedMs: startedMs, askedMs: 0, connectedMs: 0, answeredMs, endedMs: answeredMs };
      const error = chance.chance(0.02) ? new BalancerError('connection-lost', '') : undefined;
      const status = agent?.replica.seat === 3 && nowMs > 5000 ? 500 : 200 + 204 * chance.below(2);
      meter.count({ agent, request: {}, status, times, key: chance.below(512), error }, policy);
    }
    load.inFlight = chance.below(20);
    load.diverted += chance.below(2);
    if (nowMs === 9500) agents.delete(2);
  };
  return { meter, happen };
}

const RAN_MS = 15_000;

/** What a feed tells of 15 seconds of traffic while other readers look at the same counters. */
async function tellOf(others: (meter: Meter, clock: VirtualClock) => () => void) {
  const clock = new VirtualClock();
  const { meter, happen } = meterWithTraffic(random(SEED));
  const ports = { counters: async () => meter.counters(), landings: async (after: number) => meter.landings(after) };
  const { feed, told } = startFeed(clock, ports);
  const disturb = others(meter, clock);
  while (clock.now() < RAN_MS) {
    happen(clock.now());
    disturb();
    await clock.advance(10);
  }
  feed.close();
  return { told, counters: meter.counters() };
}

// Shows only the first difference, since all of them would be too many to read.
function firstDifference(some: readonly Told[], others: readonly Told[]) {
  const length = Math.max(some.length, others.length);
  const pairs = Array.from({ length }, (_, index) => [some[index], others[index]]);
  return pairs.find(([one, other]) => JSON.stringify(one) !== JSON.stringify(other));
}

t.test('who watches is told the same, whoever else looks at the counters', async (t) => {
  const alone = await tellOf(() => () => undefined);
  const second: { told: Told[]; sum: Counters; last: Counters } = { told: [], sum: noCounters(), last: noCounters() };
  const together = await tellOf((meter, clock) => {
    const other = startFeed(clock, {
      counters: async () => meter.counters(),
      landings: async (after) => meter.landings(after),
    });
    second.told = other.told;
    const chance = random(SEED + 1);
    let last = 0;
    return () => {
      if (chance.chance(0.3)) last = meter.landings(last).last;
      if (!chance.chance(0.2)) return;
      const now = meter.counters();
      second.sum = mergeCounters(second.sum, countersSince(second.last, now));
      second.last = now;
    };
  });
  t.same(firstDifference(together.told, alone.told), undefined);
  t.same(firstDifference(second.told, alone.told), undefined, 'and so is who watches another feed');

  const names = new Set(alone.told.map(({ name }) => name));
  t.same([...names].sort(), ['fleet', 'snapshot', 'sparks', 'traffic'], 'there was something to tell of');
  t.ok(alone.told.some(({ data }) => data.log?.some(({ what }: { what: string }) => what === 'erring')));
  const { total, diverted } = alone.counters;
  const { sum, last } = second;
  const since = mergeCounters(sum, countersSince(last, together.counters));
  t.same([since.total.counts, since.total.times, since.diverted], [total.counts, total.times, diverted]);
});

t.test('a feed that was made has no effect before it begins', async (t) => {
  const clock = new VirtualClock();
  let looks = 0;
  const feed = new LiveFeed({
    clock,
    timeOfDay: () => 0,
    counters: async () => {
      looks += 1;
      return noCounters();
    },
    landings: async () => ({ last: 0, landed: 0, told: [] }),
    erring: () => [],
    quarantined: () => [],
    peers: () => [],
    eased: () => [],
    autoscale: () => undefined,
    about: ABOUT,
    load: () => NO_LOAD,
  });
  await clock.advance(5000);
  t.equal(looks, 0);
  feed.begin();
  await clock.advance(5000);
  t.equal(looks, 5);
  feed.close();
});

const requestsOf = (requests: number): Counters => {
  const { total, ...rest } = noCounters();
  return { ...rest, total: { ...total, counts: { ...total.counts, requests } } };
};

t.test('while an answer is late nobody asks again, and its row is of all the time that it took', async (t) => {
  const clock = new VirtualClock();
  const asked: ((counters: Counters) => void)[] = [];
  const { feed, rows } = startFeed(clock, {
    counters: () => new Promise((resolve) => asked.push(resolve)),
    landings: async () => ({ last: 0, landed: 0, told: [] }),
  });
  await clock.advance(3400);
  t.equal(asked.length, 1);
  asked[0]?.(requestsOf(340));
  await clock.advance(600);
  asked[1]?.(requestsOf(400));
  await clock.advance(1000);
  asked[2]?.(requestsOf(600));
  await turn();
  const base = 1e12;
  t.match(rows(), [
    [base + 3400, 100],
    [base + 4000, 100],
    [base + 5000, 200],
  ]);
  feed.close();
  asked[3]?.(requestsOf(700));
  await clock.advance(5000);
  t.equal(rows().length, 3, 'nothing is told after the end');
});

t.test('a look that fails is made up for by the next, and no news of the fleet wait for one', async (t) => {
  const clock = new VirtualClock();
  const looks = { counters: 0, landings: 0 };
  const { feed, told, rows } = startFeed(clock, {
    counters: async () => {
      looks.counters += 1;
      if (looks.counters === 1) throw new Error('not now');
      return requestsOf(600);
    },
    landings: async () => {
      looks.landings += 1;
      if (looks.landings === 1) throw new Error('nor where they landed');
      return new Promise(() => undefined);
    },
  });
  await clock.advance(100);
  feed.fleetChanged(emptyFleet(0), new HashRing([{ slot: 1, seat: 1 }], 4));
  await clock.advance(50);
  t.equal(told.at(-1)?.name, 'fleet');
  await clock.advance(2000);
  t.match(rows(), [[1e12 + 2000, 300]]);
  t.equal(looks.landings, 2, 'one look at a time');
  feed.close();
});
