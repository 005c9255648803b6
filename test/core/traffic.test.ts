// What the counters of the traffic mean.

import t from 'tap';
import { TALLY_CELLS, Tally } from '../../lib/core/traffic/traffic.ts';

const count = (tally: Tally) => {
  for (const status of [200, 204, 302, 400, 499, 500, 503]) tally.countReply(status);
  tally.countLoss('failed');
  tally.countLoss('abandoned');
};

t.test('every request is counted once, and once more by how it ended', async (t) => {
  const tally = new Tally();
  count(tally);
  t.same(tally.counts, { requests: 9, refused: 2, erred: 2, failed: 1, abandoned: 1 });
});

t.test('times come out in µs, and are forgotten as far as the reader says', async (t) => {
  const tally = new Tally();
  tally.time(2, 1);
  const { p50, p99 } = tally.takeLatency(1);
  t.ok(p50 !== undefined && Math.abs(p50 / 2000 - 1) < 0.022);
  t.equal(p50, p99);
  t.same(tally.takeLatency(0), { p50, p90: p50, p99 });
  t.same(tally.takeLatency(0), { p50: undefined, p90: undefined, p99: undefined });
});

t.test('a tally is kept in the cells that it is given: the counts, then the buckets of the times', async (t) => {
  const memory = new SharedArrayBuffer(2 * TALLY_CELLS * Float64Array.BYTES_PER_ELEMENT);
  const cells = new Float64Array(memory).subarray(TALLY_CELLS);
  const tally = new Tally(cells);
  count(tally);
  tally.time(0.001, 16);
  t.same([...cells.subarray(0, 7)], [9, 2, 2, 1, 1, 16, 0]);
  t.ok(new Float64Array(memory, 0, TALLY_CELLS).every((cell) => cell === 0));
});
