import t from 'tap';
import { emptyFleet, type FleetState, NO_LAPSES } from '../../lib/core/fleet/fleet-state.ts';
import type { Address } from '../../lib/core/ports.ts';
import { evenPair } from '../../lib/core/ring/hashes/even.ts';
import { RingKeeper } from '../../lib/core/ring/ring-keeper.ts';

const SLOTS = 512;
const keeperOf = (slowStartMs: number) =>
  new RingKeeper({ pair: evenPair(SLOTS, 9), slots: SLOTS, virtualNodes: 9, slowStartMs });
const address: Address = { type: 'unix', path: '/a.sock' };
const SINCE_EVER = Number.NEGATIVE_INFINITY;

/** Seats 1, 2, …, each with the time when it first served; `undefined` for a seat that does not serve yet. */
function fleetOf(...firstServed: (number | undefined)[]): FleetState {
  const seats = firstServed.map((firstServedMs, index) => {
    const common = {
      replica: { seat: index + 1, incarnation: index + 1, hostname: `server${index + 1}` },
      joined: index,
      firstServedMs,
      lapses: NO_LAPSES,
      insists: false,
      isGiven: false,
    };
    return firstServedMs === undefined
      ? ({ ...common, phase: 'starting', giveUpAtMs: 0 } as const)
      : ({
          ...common,
          phase: 'serving',
          address,
          sinceMs: 0,
          health: { failuresInARow: 0, suspected: false },
        } as const);
  });
  return { ...emptyFleet(1), seats };
}

const ownersAt = (keeper: RingKeeper, state: FleetState, nowMs: number) => {
  const { ring } = keeper.keep(state, nowMs).policy;
  return Array.from({ length: SLOTS }, (_, slot) => ring.owner(slot));
};

t.test('without a slow start a joiner has all its slots at once, and nothing will change by itself', async (t) => {
  const { ring, policy, nextChangeMs } = keeperOf(0).keep(fleetOf(SINCE_EVER, 5), 5);
  t.equal(policy.ring, ring);
  t.equal(nextChangeMs, Number.POSITIVE_INFINITY);
});

t.test('the same fleet keeps the same policy object', async (t) => {
  const keeper = keeperOf(0);
  const { policy } = keeper.keep(fleetOf(SINCE_EVER, 5), 5);
  t.equal(keeper.keep(fleetOf(SINCE_EVER, undefined), 9).policy, policy, 'health is no part of it');
  t.not(keeper.keep(fleetOf(SINCE_EVER), 9).policy, policy);
});

t.test('another pair makes another ring, another time of slow starts another policy', async (t) => {
  const keeper = keeperOf(0);
  const state = fleetOf(SINCE_EVER, 0);
  const { ring } = keeper.keep(state, 0);
  const pair = {
    requestSlot: (key: number) => key,
    virtualNodeSlot: (place: number, index: number) => place * 9 + index,
  };
  keeper.change({ pair, slowStartMs: 0 });
  const changed = keeper.keep(state, 0);
  t.not(changed.ring.digest(), ring.digest());
  t.equal(changed.policy.ring, changed.ring);
  t.equal(changed.policy.slotOf(5), 5);
  t.equal(keeper.keep(state, 0).ring, changed.ring);
  keeper.change({ pair, slowStartMs: 1000 });
  const slow = keeper.keep(state, 500);
  t.equal(slow.ring, changed.ring, 'the wanted seats are the same');
  t.not(slow.policy, changed.policy);
  t.equal(slow.nextChangeMs, 520);
});

t.test('a joiner takes its slots over the time of the slow start; each slot changes hands once', async (t) => {
  const keeper = keeperOf(1000);
  const joined = fleetOf(SINCE_EVER, SINCE_EVER, 0);
  const warm = ownersAt(keeper, fleetOf(SINCE_EVER, SINCE_EVER), 0);
  const full = ownersAt(keeperOf(0), joined, 0);
  let before = warm;
  const sizes: number[] = [];
  for (const nowMs of [0, 250, 500, 750, 999, 1000]) {
    const now = ownersAt(keeper, joined, nowMs);
    now.forEach((seat, slot) => {
      // A slot belongs to its old seat or to its new one, and never goes back.
      if (seat !== full[slot] && (seat !== warm[slot] || before[slot] === full[slot]))
        t.fail(`slot ${slot} at ${nowMs} ms`);
    });
    sizes.push(now.filter((seat) => seat === 3).length);
    before = now;
  }
  t.same(ownersAt(keeper, joined, 1000), full);
  t.equal(sizes[0], 1, 'one slot from the beginning');
  // The new seat's share is 170 slots in all.
  t.ok(
    [42, 85, 127].every((wanted, index) => Math.abs((sizes[index + 1] as number) - wanted) <= 3),
    `${sizes}`,
  );
});

t.test('of several joiners, a slot goes to each once at most, and never back', async (t) => {
  const keeper = keeperOf(1000);
  // Seat 3 joins at 0, seat 5 at 430 and seat 4 at 480. Seat 6 starts at 700 and serves from 810.
  const stateAt = (nowMs: number) =>
    fleetOf(
      SINCE_EVER,
      SINCE_EVER,
      0,
      ...(nowMs >= 430 ? [480 <= nowMs ? 480 : undefined, 430] : []),
      ...(nowMs >= 700 ? [nowMs >= 810 ? 810 : undefined] : []),
    );
  const history = Array.from({ length: SLOTS }, (): number[] => []);
  for (let nowMs = 0; nowMs <= 2000; nowMs += 10) {
    ownersAt(keeper, stateAt(nowMs), nowMs).forEach((seat, slot) => {
      const owners = history[slot] as number[];
      if (owners.at(-1) !== seat) owners.push(seat as number);
    });
  }
  t.same(
    history.map((owners) => owners.at(-1)),
    ownersAt(keeperOf(0), stateAt(2000), 2000),
  );
  const twice = history.filter((owners) => new Set(owners).size < owners.length);
  t.same(twice, []);
});

t.test('the policy is due to change while a joiner serves and is not done, and not before it serves', async (t) => {
  const keeper = keeperOf(1000);
  t.equal(keeper.keep(fleetOf(SINCE_EVER, undefined), 0).nextChangeMs, Number.POSITIVE_INFINITY);
  t.equal(keeper.keep(fleetOf(SINCE_EVER, 10), 110).nextChangeMs, 130);
  t.equal(keeper.keep(fleetOf(SINCE_EVER, 10), 1010).nextChangeMs, Number.POSITIVE_INFINITY);
});

t.test('the ring that is told is the whole one all the while', async (t) => {
  const kept = keeperOf(1000).keep(fleetOf(SINCE_EVER, 0), 1);
  t.equal(kept.ring.digest(), keeperOf(0).keep(fleetOf(SINCE_EVER, 0), 1).ring.digest());
});

t.test('if all seats start slowly, there is nobody to leave a slot with', async (t) => {
  const kept = keeperOf(1000).keep(fleetOf(0, 0), 1);
  t.equal(kept.policy.ring, kept.ring);
});

t.test('a seat that starts slowly is still there when the others fail', async (t) => {
  const { policy } = keeperOf(1000).keep(fleetOf(SINCE_EVER, undefined), 0);
  t.equal(
    policy.pick(100_000, (seat) => seat === 2),
    2,
  );
});
