// What the counters of the traffic mean.

import t from 'tap';
import { Histogram } from '../../lib/core/traffic/histogram.ts';
import { TALLY_CELLS, Tally } from '../../lib/core/traffic/traffic.ts';

const count = (tally: Tally) => {
  for (const status of [200, 204, 302, 400, 499, 500, 503]) tally.countReply(status);
  tally.countLoss('failed');
  tally.countLoss('abandoned');
};

t.test('every request is counted once, and once more by how it ended', async (t) => {
  const tally = new Tally();
  count(tally);
  t.same(tally.read().counts, { requests: 9, refused: 2, erred: 2, failed: 1, abandoned: 1 });
});

t.test('times are kept in µs, and to read them changes nothing', async (t) => {
  const tally = new Tally();
  tally.time(2);
  const first = tally.read();
  const p50 = new Histogram(first.times).percentile(0.5);
  t.ok(p50 !== undefined && Math.abs(p50 / 2000 - 1) < 0.022);
  t.same(tally.read(), first);
  tally.time(3);
  t.equal(new Histogram(first.times).percentile(1), p50, 'what was read is a copy');
});

t.test('a tally is kept in the cells that it is given: the counts, then the buckets of the times', async (t) => {
  const memory = new SharedArrayBuffer(2 * TALLY_CELLS * Float64Array.BYTES_PER_ELEMENT);
  const cells = new Float64Array(memory).subarray(TALLY_CELLS);
  const tally = new Tally(cells);
  count(tally);
  tally.time(0.001);
  t.same([...cells.subarray(0, 7)], [9, 2, 2, 1, 1, 1, 0]);
  t.ok(new Float64Array(memory, 0, TALLY_CELLS).every((cell) => cell === 0));
});
