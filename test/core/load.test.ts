import t from 'tap';
import { RequestDealer } from '../../lib/core/request/request-dealer.ts';
import { mostInFlight } from '../../lib/core/ring/bounded-load.ts';
import { explain, type Objection } from '../../lib/core/ring/explain.ts';
import type { RingPolicy } from '../../lib/core/ring/policy.ts';
import { requestIdAt } from '../../lib/core/ring/request-ids.ts';
import { HashRing, type SeatId } from '../../lib/core/ring/ring.ts';
import { movesBetween, sharesOf } from '../../lib/core/ring/ring-view.ts';

t.test(
  'the bound is the factor times the part of what is in flight, the next request included, rounded up',
  async (t) => {
    t.equal(mostInFlight(1.25, 0, 1 / 3), 1, 'the first request fits everywhere');
    t.equal(mostInFlight(1.25, 11, 1 / 3), 5);
    t.equal(mostInFlight(1, 11, 1 / 3), 4, 'factor 1: perfectly even');
    t.equal(mostInFlight(1.25, 11, 2 / 3), 10, 'twice the weight');
    t.equal(mostInFlight(1.1, 99, 1 / 2), 55, '55.00000000000001 is 55');
    t.equal(mostInFlight(1.25, 11, 1 / 3, 4), 5);
    t.equal(mostInFlight(1.25, 11, 1 / 3, 8), 8, 'at least the floor');
    t.equal(mostInFlight(Number.POSITIVE_INFINITY, 0, 1 / 3), Number.POSITIVE_INFINITY);
  },
);

const idsFrom = (seed: number, count: number) =>
  Array.from({ length: count }, (_, number) => requestIdAt(seed, number));

const dealerFrom = (seed: number) => {
  let number = 0;
  return new RequestDealer(() => requestIdAt(seed, number++));
};

// The last digit of an id is its seat.
const lastDigit = (id: number) => id % 10;
const always = () => true;

t.test('ids are dealt in their order while their seats have room', async (t) => {
  const dealer = dealerFrom(5);
  t.same(
    Array.from({ length: 4 }, () => dealer.deal(lastDigit, always)),
    idsFrom(5, 4),
  );
});

t.test('an id whose seat is full is kept, and is the first to be used when the seat has room', async (t) => {
  const dealer = dealerFrom(5);
  const [a, b, c, d] = idsFrom(5, 4) as [number, number, number, number];
  t.same([a, b, c, d].map(lastDigit), [5, 6, 7, 8]);
  const all =
    (...full: number[]) =>
    (seat: number) =>
      !full.includes(seat);
  t.equal(dealer.deal(lastDigit, all(5)), b);
  t.equal(dealer.deal(lastDigit, all(5, 7)), d);
  t.equal(dealer.deal(lastDigit, all(5)), c, 'each seat by itself');
  t.equal(dealer.deal(lastDigit, always), a);
  t.equal(dealer.deal(lastDigit, always), idsFrom(5, 5)[4]);
});

t.test('of more than 1,024 ids kept for a seat, the oldest is used although the seat is full', async (t) => {
  const dealer = dealerFrom(5);
  const ids = idsFrom(5, 1027);
  const one = () => 1;
  const never = () => false;
  t.same([dealer.deal(one, never), dealer.deal(one, never)], ids.slice(0, 2));
  t.same([dealer.deal(one, always), dealer.deal(one, always)], ids.slice(2, 4), 'then those kept, the oldest first');
});

t.test('where an id leads nowhere, it is dealt as it comes', async (t) => {
  const dealer = dealerFrom(5);
  t.equal(
    dealer.deal(
      () => undefined,
      () => false,
    ),
    idsFrom(5, 1)[0],
  );
});

// Slots 0 … 9: seat 1 at 1 and 6, seat 2 at 3, seat 3 at 8. The key is the slot.
const ring = new HashRing(
  [
    { slot: 1, seat: 1 },
    { slot: 3, seat: 2 },
    { slot: 6, seat: 1 },
    { slot: 8, seat: 3 },
  ],
  10,
);
const policy: RingPolicy = { ring, slotOf: (key) => key, pick: (key, accept) => ring.walk(key, accept) };
const explained = (objections: Record<SeatId, Objection>) => explain(policy, 2, (seat) => objections[seat] ?? 'none');

t.test('an explanation names the slot, the order of seats, and who was skipped for what', async (t) => {
  t.same(explained({}), { key: 2, slot: 2, order: [2, 1, 3], skipped: [], taken: 2, eased: [] });
  t.same(explained({ 2: 'busy', 1: 'suspected' }), {
    key: 2,
    slot: 2,
    order: [2, 1, 3],
    skipped: [
      { seat: 2, why: 'busy' },
      { seat: 1, why: 'suspected' },
    ],
    taken: 3,
    eased: [],
  });
});

t.test('the least objection wins: full before eased before suspected, suspected before none at all', async (t) => {
  t.equal(explained({ 1: 'suspected', 2: 'eased', 3: 'busy' }).taken, 3);
  t.equal(explained({ 1: 'suspected', 2: 'eased', 3: 'absent' }).taken, 2);
  t.equal(explained({ 1: 'suspected', 2: 'absent', 3: 'busy' }).taken, 3);
  t.equal(explained({ 1: 'suspected', 2: 'absent', 3: 'absent' }).taken, 1);
  const nobody = explained({ 1: 'absent', 2: 'absent', 3: 'absent' });
  t.equal(nobody.taken, undefined);
  t.equal(nobody.skipped.length, 3);
});

t.test('shares are parts of the slots, and even where they are as the weights', async (t) => {
  const { bySeat, maxOverMean } = sharesOf(
    ring,
    new Map([
      [1, 1],
      [2, 1],
      [3, 1],
    ]),
  );
  t.same(
    [...bySeat],
    [
      [1, 0.6],
      [2, 0.2],
      [3, 0.2],
    ],
  );
  t.ok(Math.abs(maxOverMean - 1.8) < 1e-12);
  t.ok(
    Math.abs(
      sharesOf(
        ring,
        new Map([
          [1, 3],
          [2, 1],
          [3, 1],
        ]),
      ).maxOverMean - 1,
    ) < 1e-12,
    'three times the weight',
  );
  t.same(sharesOf(new HashRing([], 10), new Map()), { bySeat: new Map(), maxOverMean: 0 });
  t.equal(sharesOf(ring, new Map([[9, 1]])).bySeat.get(9), 0, 'a seat without a slot');
});

t.test('what moves between two rings, the largest first', async (t) => {
  const without1 = new HashRing(
    [
      { slot: 3, seat: 2 },
      { slot: 8, seat: 3 },
    ],
    10,
  );
  t.same(movesBetween(ring, without1), [
    { from: 1, to: 2, fraction: 0.3 },
    { from: 1, to: 3, fraction: 0.3 },
  ]);
  t.same(movesBetween(ring, new HashRing([], 10)), []);
});
