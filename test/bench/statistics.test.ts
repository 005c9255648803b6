import t from 'tap';
import { readWrk } from '../../bench/generator.ts';
import { readPsTimeMs, readStatTimeMs } from '../../bench/machine.ts';
import { chanceMargin, maxOverMean, mean, quantile, spreadOf, standardDeviation } from '../../bench/statistics.ts';

t.test('mean, deviation and the largest over the mean', async (t) => {
  t.equal(mean([2, 4, 9]), 5);
  // Squares of the distances from 5: 9, 1, 1, 1, 0, 0, 4, 16; their mean is 4.
  t.equal(standardDeviation([2, 4, 4, 4, 5, 5, 7, 9]), 2);
  t.equal(maxOverMean([2, 4, 9]), 1.8);
  t.equal(maxOverMean([7, 7, 7]), 1);
});

t.test(
  'a quantile between two values lies between them, and the order in which they come is of no account',
  async (t) => {
    t.equal(quantile([5, 1, 3, 2, 4], 0.5), 3);
    t.equal(quantile([4, 1], 0.5), 2.5);
    t.equal(quantile([0, 100], 0.99), 99);
    t.equal(quantile([7], 0.9), 7);
  },
);

t.test('the median, with the least and the most', async (t) => {
  t.same(spreadOf([12, 10, 17]), { median: 12, least: 10, most: 17 });
});

t.test('the margin of chance is 1.96 standard deviations of a count', async (t) => {
  // 10,000 coins: the standard deviation is √(10,000 · ½ · ½) = 50.
  t.equal(chanceMargin(10_000, 2), 98);
});

t.test('what wrk prints is read, errors of sockets and statuses together', async (t) => {
  const output = `Running 2s test @ http://127.0.0.1:8081/
  1 threads and 64 connections
  41479 requests in 2.01s, 6.01MB read
  Socket errors: connect 1, read 2, write 0, timeout 3
  Non-2xx or 3xx responses: 4
Requests/sec:  20636.31`;
  t.same(readWrk(output), { requests: 41_479, seconds: 2.01, errors: 10 });
  t.throws(() => readWrk('unable to connect to 127.0.0.1:1'), /unable to connect/);
});

t.test('processor time as ps writes it on other systems', async (t) => {
  t.equal(readPsTimeMs('0:01.25'), 1250);
  t.equal(readPsTimeMs('1:02:03'), 3_723_000);
  t.equal(readPsTimeMs('2-00:00:01'), 172_801_000);
});

t.test('processor time is that of user and system, of the process and of its children that have ended', async (t) => {
  const times = (written: string) => `7 (a) name (b) S 1 7 7 0 -1 4194304 9 9 9 9 ${written} 20 0 11 0 100 1000 50`;
  t.equal(readStatTimeMs(times('1 0 0 0')), 10);
  t.equal(readStatTimeMs(times('0 2 0 0')), 20);
  t.equal(readStatTimeMs(times('0 0 3 0')), 30);
  t.equal(readStatTimeMs(times('0 0 0 4')), 40);
});
