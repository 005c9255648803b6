import fc from 'fast-check';
import t from 'tap';
import { homeFirst, ringPolicy } from '../../lib/core/ring/policy.ts';
import { HashRing, type RingPoint, type SeatId } from '../../lib/core/ring/ring.ts';

// Three seats on a ring of ten slots, to be checked by eye:   slot 0 1 2 3 4 5 6 7 8 9
//                                                             seat . 1 . 2 . . 1 . 3 .
const ring = new HashRing(
  [
    { slot: 8, seat: 3 },
    { slot: 1, seat: 1 },
    { slot: 6, seat: 1 },
    { slot: 3, seat: 2 },
  ],
  10,
);
const slots = Array.from({ length: 10 }, (_, slot) => slot);

t.test('a request goes to the nearest virtual node clockwise, its own slot included', async (t) => {
  t.same(
    slots.map((slot) => ring.owner(slot)),
    [1, 1, 2, 2, 1, 1, 1, 3, 3, 1],
  );
});

t.test('the walk asks each seat once, clockwise, and stops at the first that is taken', async (t) => {
  const asked: SeatId[] = [];
  const taken = ring.walk(4, (seat) => {
    asked.push(seat);
    return seat === 2;
  });
  t.equal(taken, 2);
  t.same(asked, [1, 3, 2]);
});

t.test('a walk on which no seat is taken ends, and the next one asks every seat again', async (t) => {
  for (let round = 0; round < 2; round++) {
    const asked: SeatId[] = [];
    t.equal(
      ring.walk(9, (seat) => asked.push(seat) < 0),
      undefined,
    );
    t.same(asked, [1, 2, 3]);
  }
});

t.test('an empty ring leads nowhere', async (t) => {
  const empty = new HashRing([], 10);
  t.equal(empty.owner(3), undefined);
  t.equal(
    empty.walk(3, () => true),
    undefined,
  );
  t.same([...empty.slotsPerSeat()], []);
});

t.test('the slots per seat are those of which it is the owner', async (t) => {
  t.same([...ring.slotsPerSeat()].sort(), [
    [1, 6],
    [2, 2],
    [3, 2],
  ]);
});

t.test('the points are told by ascending slot', async (t) => {
  t.same(
    ring.points.map(({ slot, seat }) => [slot, seat]),
    [
      [1, 1],
      [3, 2],
      [6, 1],
      [8, 3],
    ],
  );
});

t.test('the digest is the same for the same ring only', async (t) => {
  const points = ring.points;
  t.match(ring.digest(), /^[0-9a-f]{16}$/);
  t.equal(new HashRing(points.toReversed(), 10).digest(), ring.digest(), 'whatever the order of the points');
  t.not(new HashRing(points, 11).digest(), ring.digest(), 'other slots');
  t.not(new HashRing(points.slice(1), 10).digest(), ring.digest(), 'a point less');
  t.not(new HashRing(points.with(0, { slot: 1, seat: 2 }), 10).digest(), ring.digest(), 'another seat');
});

const anyRing = fc
  .record({
    slotCount: fc.integer({ min: 1, max: 300 }),
    seats: fc.array(fc.integer({ min: 1, max: 9 })),
    seed: fc.nat(),
  })
  .map(({ slotCount, seats, seed }) => {
    const points = new Map<number, RingPoint>();
    seats.forEach((seat, index) => {
      const slot = (seed + index * 7919) % slotCount;
      points.set(slot, { slot, seat });
    });
    return { slotCount, points: [...points.values()] };
  });

// Follows the definition step by step around the ring and shares nothing with the implementation.
function nearestClockwise(points: readonly RingPoint[], slotCount: number, slot: number): SeatId | undefined {
  for (let step = 0; step < slotCount; step++) {
    const found = points.find((point) => point.slot === (slot + step) % slotCount);
    if (found !== undefined) return found.seat;
  }
  return undefined;
}

t.test('binary search finds what a walk slot by slot finds', async () => {
  fc.assert(
    fc.property(anyRing, fc.nat(), ({ points, slotCount }, at) => {
      const slot = at % slotCount;
      return new HashRing(points, slotCount).owner(slot) === nearestClockwise(points, slotCount, slot);
    }),
  );
});

t.test('refusing seats leads where a ring without them would', async () => {
  fc.assert(
    fc.property(anyRing, fc.nat(), fc.array(fc.integer({ min: 1, max: 9 })), ({ points, slotCount }, at, refused) => {
      const slot = at % slotCount;
      const kept = points.filter((point) => !refused.includes(point.seat));
      const taken = new HashRing(points, slotCount).walk(slot, (seat) => !refused.includes(seat));
      return taken === new HashRing(kept, slotCount).owner(slot);
    }),
  );
});

t.test('the slots per seat add up to all slots', async () => {
  fc.assert(
    fc.property(anyRing, ({ points, slotCount }) => {
      const sum = [...new HashRing(points, slotCount).slotsPerSeat().values()].reduce((a, b) => a + b, 0);
      return sum === (points.length === 0 ? 0 : slotCount);
    }),
  );
});

t.test('a home comes before all seats of the ring, and once', async (t) => {
  const policy = ringPolicy(ring, { requestSlot: (key) => key, virtualNodeSlot: () => 0 });
  const order = (home: SeatId) => {
    const seats: SeatId[] = [];
    homeFirst(policy, home).pick(2, (seat) => seats.push(seat) === 0);
    return seats;
  };
  t.same(order(3), [3, 2, 1]);
  t.same(order(2), [2, 1, 3]);
  t.same(order(9), [9, 2, 1, 3], 'also one that the ring does not have');
  t.equal(
    homeFirst(policy, 3).pick(2, () => true),
    3,
  );
  t.equal(
    homeFirst(policy, 3).pick(2, (seat) => seat !== 3),
    2,
  );
});
