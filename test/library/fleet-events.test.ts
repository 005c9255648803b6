// What a program is told of the fleet, by the states that a fleet goes through.

import t from 'tap';
import { emptyFleet, type FleetState, NO_LAPSES, type Seat } from '../../lib/core/fleet/fleet-state.ts';
import type { ReplicaRef } from '../../lib/core/ports.ts';
import { fleetTeller } from '../../lib/library/fleet-events.ts';

const address = { type: 'tcp', host: '127.0.0.1', port: 3000 } as const;
const ref = (seat: number, incarnation: number): ReplicaRef => ({ seat, incarnation, hostname: `r${incarnation}` });
const common = (replica: ReplicaRef) => ({
  replica,
  joined: 0,
  firstServedMs: 0,
  lapses: { ...NO_LAPSES, reason: 'killed' },
  insists: false,
  isGiven: false,
});
const health = { suspected: false, failures: 0 } as unknown as Extract<Seat, { phase: 'serving' }>['health'];
const serving = (replica: ReplicaRef) =>
  ({ ...common(replica), phase: 'serving', address, sinceMs: 0, health }) as const;
const vacant = (replica: ReplicaRef, predecessor?: ReturnType<typeof serving>): Seat => ({
  ...common(replica),
  phase: 'vacant',
  startAtMs: 0,
  predecessor,
});
const down = (replica: ReplicaRef): Seat => ({
  ...common(replica),
  phase: 'down',
  address,
  sinceMs: 0,
  complaint: { kind: 'refused', reason: 'refused' } as Extract<Seat, { phase: 'down' }>['complaint'],
  bad: 1,
  good: 0,
});

function told(...states: (readonly Seat[] | Partial<FleetState>)[]): string[] {
  const events: string[] = [];
  const observe = fleetTeller((event, ...details) => {
    const words = details.map((one) => (typeof one === 'string' ? one : one.hostname));
    events.push([event, ...words].join(' '));
  });
  for (const state of states) {
    const change = Array.isArray(state) ? { seats: state } : state;
    observe({ ...emptyFleet(0), ...change }, (replica) => replica.incarnation);
  }
  return events;
}

t.test('added when it serves, told once', async (t) => {
  t.same(told([vacant(ref(1, 1))], [serving(ref(1, 1))], [serving(ref(1, 1))]), ['added r1']);
});

t.test('lost, then replaced in its seat by whoever serves next', async (t) => {
  const lives = [serving(ref(1, 1))];
  t.same(told(lives, [vacant(ref(1, 2))], [vacant(ref(1, 3))], [serving(ref(1, 3))]), [
    'added r1',
    'lost r1 killed',
    'replaced r3 r1',
  ]);
  t.same(told(lives, [serving(ref(1, 2))]), ['added r1', 'lost r1 killed', 'replaced r2 r1']);
});

t.test('lost, then returned: a service that was down, a replica that was convicted for nothing', async (t) => {
  const lives = [serving(ref(1, 1))];
  t.same(told(lives, [down(ref(1, 1))], [down(ref(1, 1))], lives), ['added r1', 'lost r1 refused', 'returned r1']);
  t.same(told(lives, [vacant(ref(1, 2), serving(ref(1, 1)))], lives), ['added r1', 'lost r1 killed', 'returned r1']);
});

t.test('removed when it is gone, not when it begins to leave', async (t) => {
  const leaving = [{ replica: ref(1, 1), drains: true, isGiven: false, failedStops: 0, retryAtMs: 0 }];
  const before = told([serving(ref(1, 1))], { leaving });
  t.same(before, ['added r1']);
  t.same(told([serving(ref(1, 1))], { leaving }, []), ['added r1', 'removed r1']);
  t.same(
    told([serving(ref(1, 1))], { leaving }, { leaving, seats: [serving(ref(1, 2))] }, [serving(ref(1, 2))]),
    ['added r1', 'added r2', 'removed r1'],
    'whoever gets its seat is no replacement',
  );
});

t.test('a start that fails is no loss: nobody has served', async (t) => {
  t.same(told([vacant(ref(1, 1))], [vacant(ref(1, 2))], []), []);
});
