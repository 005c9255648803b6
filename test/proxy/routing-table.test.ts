import t from 'tap';
import type { Route } from '../../lib/core/fleet/fleet-state.ts';
import { pointOf } from '../../lib/core/ring/easing.ts';
import { SEAT_LAYOUT, SeatMeasures, SPILL_REASONS } from '../../lib/core/traffic/measures.ts';
import { realClock } from '../../lib/fleet/clock.ts';
import { trafficSettings } from '../../lib/parts/limits.ts';
import { type ProxyLimits, proxyLimits } from '../../lib/proxy/proxy-limits.ts';
import { ReplicaAgent } from '../../lib/proxy/replicas/agent.ts';
import type { Leaseholder } from '../../lib/proxy/replicas/lease.ts';
import { type Load, RoutingTable } from '../../lib/proxy/replicas/routing-table.ts';
import { dial } from '../../lib/proxy/replicas/socket.ts';
import { defaultOptions } from '../../lib/settings/options.ts';
import { inOrder, tcp, testLedger } from '../fixtures/proxy.ts';

interface Held {
  readonly inFlight: number;
  readonly weight?: number;
  readonly suspected?: boolean;
  /** Below 1 if it is eased. */
  readonly share?: number;
}

const limits: ProxyLimits = proxyLimits(trafficSettings(defaultOptions()));

/** A table of seats 1, 2, … in the order given, each with so many requests in flight; the key does not matter. */
function tableOf(
  seats: readonly Held[],
  balanceFactor = 1.25,
  maxTunnels = 20,
  balanceFloor = 1,
): { table: RoutingTable; load: Load } {
  const measures: SeatMeasures[] = [];
  const load: Load = {
    ledger: testLedger(),
    inFlight: 0,
    idle: 0,
    diverted: 0,
    dial,
    freed: () => undefined,
    measuresOf: (seat) => {
      measures[seat] ??= new SeatMeasures();
      return measures[seat];
    },
  };
  const routes = seats.map(({ weight = 1, suspected = false }, index): Route => {
    const replica = { seat: index + 1, incarnation: index + 1, hostname: `server${index + 1}` };
    return { replica, address: tcp(1), suspected, weight };
  });
  const agents = routes.map(({ replica, address }, index) => {
    const agent = new ReplicaAgent(
      replica,
      address,
      { ...limits, balanceFloor, maxInFlight: 20, maxTunnels },
      load,
      index,
      realClock,
    );
    for (let taken = 0; taken < (seats[index] as Held).inFlight; taken++) agent.take(Number.POSITIVE_INFINITY, 1);
    return agent;
  });
  const policy = inOrder(...routes.map((route) => route.replica.seat));
  const why = { type: 'slow', ms: 300, othersMs: 3 } as const;
  const eased = routes.flatMap(({ replica }, index) => {
    const { share = 1 } = seats[index] as Held;
    return share < 1 ? [{ replica, share, why }] : [];
  });
  const agentOf = (incarnation: number) => agents[incarnation - 1] as ReplicaAgent;
  return {
    table: new RoutingTable(
      policy,
      routes,
      agentOf,
      { balanceFactor, balanceFloor, maxInFlight: 20, maxTunnels },
      load,
      eased,
    ),
    load,
  };
}

// Keys of which the first is in no share of at most a half, and the second in each of at least an eighth.
const OUTSIDE = 1;
const INSIDE = 2;

// Whom a request would go to; its place is given back.
const picked = (table: RoutingTable, ...tried: number[]) => pickedFor(OUTSIDE, table, ...tried);
const pickedFor = (key: number, table: RoutingTable, ...tried: number[]) => {
  const agent = table.take(key, tried, false);
  const lease = agent?.lease(false);
  lease?.begin({} as Leaseholder, 'GET');
  lease?.abandon();
  return agent?.replica.seat;
};

t.test('up to the floor a seat is not full, however few are in flight in all', async (t) => {
  const { table } = tableOf([{ inFlight: 3 }, { inFlight: 0 }, { inFlight: 0 }], 1.25, 20, 4);
  t.ok(table.hasRoom(1));
  t.equal(table.objection(1, 1), 'none');
  t.equal(table.take(1, [], false)?.replica.seat, 1);
  t.notOk(table.hasRoom(1));
  t.equal(table.take(1, [], false)?.replica.seat, 2, 'and then always to the same next one');
  t.equal(table.take(1, [], false)?.replica.seat, 2);
});

t.test('the owner, while it has room', async (t) => {
  const { table, load } = tableOf([{ inFlight: 1 }, { inFlight: 1 }, { inFlight: 1 }]);
  t.equal(picked(table), 1);
  t.equal(load.diverted, 0);
  t.same(
    [1, 2, 3].map((seat) => table.objection(seat, 1)),
    ['none', 'none', 'none'],
  );
});

t.test('a full seat is passed over for the next with room, and that is counted', async (t) => {
  const { table, load } = tableOf([{ inFlight: 3 }, { inFlight: 2 }, { inFlight: 0 }]);
  // ⌈1.25 × 6 / 3⌉ = 3 at most.
  t.equal(picked(table), 2);
  t.equal(load.diverted, 1);
  t.same(
    [1, 2, 3, 4].map((seat) => table.objection(seat, 1)),
    ['busy', 'none', 'none', 'absent'],
  );
});

t.test('room goes by weight', async (t) => {
  const { table } = tableOf([{ inFlight: 3, weight: 2 }, { inFlight: 2 }, { inFlight: 0 }]);
  // Half of the weight: ⌈1.25 × 6 / 2⌉ = 4 at most.
  t.equal(picked(table), 1);
});

t.test('a suspected seat is last choice, full ones before it', async (t) => {
  const { table } = tableOf([{ inFlight: 0, suspected: true }, { inFlight: 6 }, { inFlight: 6 }], 1);
  t.equal(table.objection(1, 1), 'suspected');
  t.equal(picked(table), 2, 'all over the bound: the owner of those that are not suspected');
  t.equal(picked(table, 2), 3);
  t.equal(picked(table, 2, 3), 1, 'better than none');
  t.equal(picked(table, 1, 2, 3), undefined);
});

t.test('an eased seat gets the keys of its share; the others are for the next, or for it before none', async (t) => {
  t.ok(pointOf(OUTSIDE) > 1 / 2 && pointOf(INSIDE) < 1 / 8);
  const { table } = tableOf([{ inFlight: 0, share: 1 / 8 }, { inFlight: 0 }, { inFlight: 0 }]);
  t.equal(pickedFor(INSIDE, table), 1);
  t.equal(pickedFor(OUTSIDE, table), 2);
  t.same([INSIDE, OUTSIDE].map(table.ownerOf), [1, 2], 'so for the ids that are dealt');
  t.same(
    [INSIDE, OUTSIDE].map((key) => table.objection(1, key)),
    ['none', 'eased'],
  );
  t.equal(pickedFor(OUTSIDE, table, 2, 3), 1, 'better than none');
  const full = tableOf([{ inFlight: 0, suspected: true }, { inFlight: 0, share: 1 / 2 }, { inFlight: 20 }]);
  t.equal(pickedFor(OUTSIDE, full.table), 2, 'and better than one that is suspected');
  t.equal(pickedFor(OUTSIDE, full.table, 2), 1);
});

t.test('the part of an eased seat in the bound on load is as small as its share', async (t) => {
  const { table } = tableOf([{ inFlight: 2, share: 1 / 2 }, { inFlight: 2 }, { inFlight: 2 }]);
  // ⌈1.25 × 7 / 5⌉ = 2 at most there, ⌈1.25 × 7 × 2 / 5⌉ = 4 at the others.
  t.same([1, 2, 3].map(table.hasRoom), [false, true, true]);
  t.equal(pickedFor(INSIDE, table), 2);
  t.equal(table.objection(1, INSIDE), 'busy');
});

t.test('while nobody is eased keys are not looked at', async (t) => {
  const { table } = tableOf([{ inFlight: 0 }, { inFlight: 0 }]);
  t.same([INSIDE, OUTSIDE].map(table.ownerOf), [1, 1]);
});

t.test('a seat that was tried is not picked again because it has room', async (t) => {
  const { table } = tableOf([{ inFlight: 0 }, { inFlight: 5 }, { inFlight: 1 }]);
  t.equal(picked(table, 1), 3);
});

t.test('a suspected replica with as many requests as one may have gets no more', async (t) => {
  const { table } = tableOf([{ inFlight: 20, suspected: true }]);
  t.equal(picked(table), undefined);
  t.ok(table.hasUntried([]), 'but the request may wait for it');
  t.notOk(table.hasUntried([1]));
});

t.test('an offer takes a place among the tunnels and one in flight, or neither', async (t) => {
  const { table, load } = tableOf([{ inFlight: 0 }, { inFlight: 20 }], Number.POSITIVE_INFINITY, 1);
  const { ledger } = load;
  t.equal(table.take(1, [], true)?.replica.seat, 1);
  t.same([ledger.inFlightAt(0), ledger.tunnelsAt(0)], [1, 1]);
  t.equal(table.take(1, [], true), undefined, 'no tunnel is left at the first, and no place at the second');
  t.same([ledger.inFlightAt(0), ledger.tunnelsAt(0), ledger.inFlightAt(1), ledger.tunnelsAt(1)], [1, 1, 20, 0]);
  t.equal(table.take(1, [], false)?.replica.seat, 1, 'ordinary requests are not concerned');
});

t.test('a request that goes past its owner counts there, once and with the reason', async (t) => {
  const spills = ({ load }: ReturnType<typeof tableOf>) => [
    ...load.measuresOf(1).cells.subarray(SEAT_LAYOUT.spills, SEAT_LAYOUT.spills + SPILL_REASONS.length),
  ];
  const cases = [
    { first: { inFlight: 0 }, tried: [], counted: [0, 0, 0, 0, 0] },
    { first: { inFlight: 0, suspected: true }, tried: [], counted: [0, 1, 0, 0, 0] },
    { first: { inFlight: 0, share: 1 / 8 }, tried: [], counted: [0, 0, 1, 0, 0] },
    { first: { inFlight: 20 }, tried: [], counted: [0, 0, 0, 1, 0] },
    { first: { inFlight: 5 }, tried: [], counted: [0, 0, 0, 1, 0] },
    { first: { inFlight: 0 }, tried: [1], counted: [0, 0, 0, 0, 1] },
  ];
  t.same(SPILL_REASONS, ['absent', 'suspected', 'eased', 'busy', 'tried']);
  for (const { first, tried, counted } of cases) {
    const one = tableOf([first, { inFlight: 0 }, { inFlight: 0 }]);
    t.equal(picked(one.table, ...tried), counted.includes(1) ? 2 : 1);
    t.same(spills(one), counted);
  }
  const alone = tableOf([{ inFlight: 0, suspected: true }]);
  picked(alone.table);
  t.same(spills(alone), [0, 0, 0, 0, 0], 'it has come to its owner after all');
});
