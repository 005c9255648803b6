import { hash } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { buildRing, modulo, virtualNodesPerPlace } from '../../lib/core/hashes/hash-pair.ts';
import { HASH_NAMES, hashPair, hashPairFault } from '../../lib/core/hashes/table.ts';
import { hashText } from '../../lib/core/hashes/text.ts';
import { ringPolicy } from '../../lib/core/policy.ts';

const digest = (algorithm: 'sha256' | 'md5', text: string) => hash(algorithm, text, 'buffer');
const pair = (name: (typeof HASH_NAMES)[number], slots = 512, virtualNodes = 9) =>
  hashPair(name, slots, virtualNodes, digest);
const placesOf = (seats: Iterable<number>) => new Map([...seats].map((seat) => [seat, seat]));
const seatsTo = (n: number) => placesOf(Array.from({ length: n }, (_, index) => index + 1));

t.test(
  'the virtual nodes of the course: Φ(i, j) = (i² + j² + 2j + 25) mod M, the next free slot if taken',
  async (t) => {
    const ring = buildRing(seatsTo(2), pair('quadratic'), 512, 9);
    // Φ(1, j) = 26 29 34 41 50 61 74 89 106; Φ(2, j) = 29→30 32 37 44 53 64 77 92 109: only the first is taken.
    t.same(
      ring.points.filter((point) => point.seat === 1).map((point) => point.slot),
      [26, 29, 34, 41, 50, 61, 74, 89, 106],
    );
    t.same(
      ring.points.filter((point) => point.seat === 2).map((point) => point.slot),
      [30, 32, 37, 44, 53, 64, 77, 92, 109],
    );
  },
);

t.test('the shares of all 900,000 request ids under the course’s functions are the exact ones', async (t) => {
  // Counted by an independent program (Python, a table of 512 slots filled and walked one by one).
  const expected: Record<number, Record<number, number>> = {
    2: { 1: 857813, 2: 42187 },
    3: { 1: 759374, 2: 42187, 3: 98439 },
    4: { 1: 738282, 2: 42187, 3: 91407, 4: 28124 },
    5: { 1: 717187, 2: 28125, 3: 84376, 4: 28124, 5: 42188 },
    6: { 1: 710155, 2: 28125, 3: 84376, 4: 28124, 5: 42188, 6: 7032 },
  };
  for (const [n, shares] of Object.entries(expected)) {
    const policy = ringPolicy(buildRing(seatsTo(Number(n)), pair('quadratic'), 512, 9), pair('quadratic'));
    const counts: Record<number, number> = {};
    for (let id = 100_000; id < 1_000_000; id++) {
      const seat = policy.pick(id, () => true) ?? 0;
      counts[seat] = (counts[seat] ?? 0) + 1;
    }
    t.same(counts, shares, `N = ${n}`);
  }
});

t.test('request slots at known ids', async (t) => {
  const slots = (name: (typeof HASH_NAMES)[number]) =>
    [100_000, 123_456, 999_999].map((id) => modulo(pair(name).requestSlot(id, 512), 512));
  t.same(slots('quadratic'), [337, 145, 16], '(i² + 2i + 17) mod 512');
  t.same(slots('modulo'), [100_000 % 512, 123_456 % 512, 999_999 % 512]);
  t.same(slots('sha256-md5'), [309, 239, 496], 'first four bytes of sha256 of the decimal text, mod 512');
});

t.test('sha256-md5 puts virtual node j of a seat at the md5 of `seat-j`', async (t) => {
  const ring = buildRing(seatsTo(3), pair('sha256-md5'), 512, 9);
  // Python: int(hashlib.md5(b'1-0').hexdigest()[:8], 16) % 512 and so on.
  t.same(
    ring.points.filter((point) => point.seat === 1).map((point) => point.slot),
    [108, 122, 149, 159, 194, 321, 328, 389, 455],
  );
});

t.test('`mixed` spreads requests over the slots like chance: each slot within six standard deviations', async (t) => {
  const counts = new Array<number>(512).fill(0);
  for (let id = 100_000; id < 1_000_000; id++) {
    const slot = pair('mixed').requestSlot(id, 512);
    counts[slot] = (counts[slot] ?? 0) + 1;
  }
  const mean = 900_000 / 512;
  t.ok(counts.every((count) => Math.abs(count - mean) < 6 * Math.sqrt(mean)));
});

t.test('`modulo` places virtual nodes where `quadratic` does', async (t) => {
  const digestOf = (name: 'modulo' | 'quadratic') => buildRing(seatsTo(6), pair(name), 512, 9).digest();
  t.equal(digestOf('modulo'), digestOf('quadratic'));
});

t.test('a ring is a function of the set of seats: order, repetition and history do not matter', async (t) => {
  for (const name of HASH_NAMES) {
    const digestOf = (seats: number[]) => buildRing(placesOf(seats), pair(name), 512, 9).digest();
    t.equal(digestOf([5, 1, 3, 3]), digestOf([1, 3, 5]), name);
  }
});

t.test('every seat holds as many virtual nodes as fit, each on a slot of its own', async () => {
  const anyCase = fc.record({
    name: fc.constantFrom(...HASH_NAMES),
    slots: fc.integer({ min: 1, max: 600 }),
    virtualNodes: fc.integer({ min: 1, max: 40 }),
    seats: fc.uniqueArray(fc.integer({ min: 1, max: 1000 }), { maxLength: 60 }),
  });
  fc.assert(
    fc.property(anyCase, ({ name, slots, virtualNodes, seats }) => {
      fc.pre(virtualNodes <= slots && seats.every((seat) => seat <= slots));
      const points = buildRing(placesOf(seats), pair(name, slots, virtualNodes), slots, virtualNodes).points;
      const perSeat = virtualNodesPerPlace(Math.max(1, ...seats), slots, virtualNodes);
      const held = (seat: number) => points.filter((point) => point.seat === seat).length;
      return (
        new Set(points.map((point) => point.slot)).size === points.length &&
        points.every((point) => point.slot >= 0 && point.slot < slots) &&
        // `even` never gives a seat more virtual nodes than it can be given slots.
        seats.every((seat) => (name === 'even' ? held(seat) >= 1 && held(seat) <= perSeat : held(seat) === perSeat))
      );
    }),
  );
});

t.test('the largest rings that the options allow can be built', async (t) => {
  const ring = buildRing(seatsTo(250), pair('mixed'), 1_048_576, 4096);
  t.equal(ring.points.length, 250 * 4096);
  t.equal(
    [...ring.slotsPerSeat().values()].reduce((a, b) => a + b),
    1_048_576,
  );
});

t.test('text keys are well mixed: one changed bit of the text flips about half of the 32 bits', async (t) => {
  let flipped = 0;
  for (let n = 0; n < 2000; n++) {
    const other = hashText(`user-${n}`) ^ hashText(`user-${n ^ 1}`);
    for (let bit = 0; bit < 32; bit++) flipped += (other >>> bit) & 1;
  }
  t.ok(Math.abs(flipped / 2000 - 16) < 0.5, `${flipped / 2000} of 32`);
  t.equal(hashText('a'), hashText('a'));
  t.not(hashText(''), hashText('a'));
});

t.test('`modulo` of a negative number is the slot, not its mirror image', async (t) => {
  t.equal(modulo(-1, 512), 511);
  t.equal(modulo(512, 512), 0);
});

t.test('a user’s module is a hash pair, or the reason why not is said', async (t) => {
  const good = { requestSlot: (key: number) => -key, virtualNodeSlot: (seat: number) => seat };
  const fault = (candidate: unknown) => hashPairFault(candidate, 512, 64, 9);
  t.equal(fault(good), undefined);
  t.match(fault(undefined), /does not export a function requestSlot/);
  t.match(fault({ ...good, virtualNodeSlot: 3 }), /does not export a function virtualNodeSlot/);
  t.match(fault({ ...good, requestSlot: () => 0.5 }), /requestSlot\(100000, 512\) returned 0.5/);
  const throwsLate = (seat: number, index: number) => {
    if (seat === 64 && index === 8) throw new Error('no');
    return seat;
  };
  t.match(fault({ ...good, virtualNodeSlot: throwsLate }), /virtualNodeSlot\(64, 8, 512, 9\) threw Error: no/);
  t.match(
    fault({ ...good, requestSlot: (key: number) => (key > 2 ** 31 ? Number.NaN : key) }),
    /requestSlot\(215\d+, 512\) returned NaN/,
  );
});
