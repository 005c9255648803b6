// What the counters of the traffic mean.

import t from 'tap';
import { Tally } from '../../lib/core/traffic/traffic.ts';

t.test('every request is counted once, and once more by how it ended', async (t) => {
  const tally = new Tally();
  for (const status of [200, 204, 302, 400, 499, 500, 503]) tally.countReply(status);
  tally.countLoss('failed');
  tally.countLoss('abandoned');
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
