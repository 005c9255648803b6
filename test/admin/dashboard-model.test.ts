// Compares the arithmetic of the dashboard's page with that of the core, so that the page draws what is true.

import t from 'tap';
import { buildRing } from '../../lib/core/ring/hashes/hash-pair.ts';
import { mixed } from '../../lib/core/ring/hashes/mixed.ts';
import type { HashRing } from '../../lib/core/ring/ring.ts';
import { movesBetween as coreMoves, sharesOf as coreShares } from '../../lib/core/ring/ring-view.ts';

// A script of the page, which does not belong to the TypeScript project of this file.
const page = await import(new URL('../../lib/admin/dashboard/model.js', import.meta.url).href);

const places = (...seats: number[]) => new Map(seats.map((seat) => [seat, seat]));
const ringOf = (...seats: number[]) => buildRing(places(...seats), mixed, 512, 9);
const asTold = (ring: HashRing) => ({
  slots: ring.slotCount,
  digest: '',
  points: ring.points.map(({ slot, seat }) => [slot, seat]),
});

t.test('the arcs are the ring: each slot is in one of them, and leads to its owner', async (t) => {
  for (const seats of [[1], [1, 2, 3], [2, 5, 6, 9]]) {
    const ring = ringOf(...seats);
    const owners = new Map<number, number>();
    for (const { from, to, seat } of page.arcsOf(asTold(ring))) {
      for (let slot = from; slot <= to; slot++) owners.set((slot + 512) % 512, seat);
    }
    t.equal(owners.size, 512);
    for (const [slot, seat] of owners) if (ring.owner(slot) !== seat) t.fail(`slot ${slot} leads to ${seat}`);
  }
  t.same(page.arcsOf({ slots: 512, digest: '', points: [] }), []);
});

t.test('parts of the slots, and what a change would move, are those of the core', async (t) => {
  const [before, after] = [ringOf(1, 2, 3), ringOf(1, 2, 3, 4)];
  const { bySeat } = coreShares(after, new Map([1, 2, 3, 4].map((seat) => [seat, 1])));
  for (const [seat, share] of page.sharesOf(asTold(after))) t.ok(Math.abs(share - (bySeat.get(seat) ?? 0)) < 1e-9);
  const moved = page
    .movesBetween(asTold(before), asTold(after))
    .reduce((sum: number, { from, to }: { from: number; to: number }) => sum + to - from + 1, 0);
  const expected = coreMoves(before, after).reduce((sum, { fraction }) => sum + fraction, 0);
  t.equal(moved / 512, expected);
});

t.test('a spark ends at the first virtual node clockwise of the seat that took it', async (t) => {
  const ring = {
    slots: 8,
    digest: '',
    points: [
      [1, 1],
      [3, 2],
      [6, 1],
    ],
  };
  t.equal(page.nodeReached(ring, 0, 1), 1);
  t.equal(page.nodeReached(ring, 2, 1), 6, 'past the owner, which was busy');
  t.equal(page.nodeReached(ring, 7, 2), 3, 'over slot 0');
});

t.test('the spread is against what each weight would give', async (t) => {
  const seats = [
    { seat: 1, weight: 1 },
    { seat: 2, weight: 3 },
  ];
  const even = page.spreadOf(
    { seats, leaving: [], failsOpen: false },
    {
      seconds: 60,
      seats: [
        [1, 25],
        [2, 75],
      ],
    },
  );
  t.match(even, { total: 100, maxOverMean: 1, seats: [{ part: 0.25 }, { part: 0.75 }] });
  const uneven = page.spreadOf(
    { seats, leaving: [], failsOpen: false },
    {
      seconds: 60,
      seats: [
        [1, 50],
        [2, 50],
        [9, 1000],
      ],
    },
  );
  t.match(uneven, { total: 100, maxOverMean: 2 }, 'whoever has left counts no more');
  t.match(page.spreadOf({ seats, leaving: [], failsOpen: false }, { seconds: 0, seats: [] }), {
    total: 0,
    maxOverMean: 0,
  });
});
