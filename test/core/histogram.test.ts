// Percentiles that a reader can check by eye, and the limit of their error.

import t, { type Test } from 'tap';
import { BUCKETS, Histogram } from '../../lib/core/traffic/histogram.ts';

const recorded = (values: readonly number[], weight = 1) => {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value, weight);
  return histogram;
};
const near = (t: Test, found: number | undefined, wanted: number) =>
  t.ok(found !== undefined && Math.abs(found / wanted - 1) < 0.022, `${found} is within 2.2 % of ${wanted}`);

t.test('percentiles of 1 … 1000 are within 2.2 % of what they are', async (t) => {
  const histogram = recorded(Array.from({ length: 1000 }, (_, index) => index + 1));
  for (const part of [0.1, 0.5, 0.9, 0.99, 1]) near(t, histogram.percentile(part), part * 1000);
});

t.test('any single value from 1 µs to two minutes comes back within 2.2 %', async (t) => {
  for (let value = 1; value < 2 ** 27; value *= 1.37) near(t, recorded([value]).percentile(0.5), value);
});

t.test('a value out of range counts as the nearest within', async (t) => {
  near(t, recorded([0]).percentile(0.5), 1.02);
  near(t, recorded([1e12]).percentile(0.5), 2 ** 27);
});

t.test('a value that weighs 16 counts as 16 values', async (t) => {
  const histogram = recorded([100], 16);
  for (let count = 0; count < 15; count++) histogram.record(1000, 1);
  near(t, histogram.percentile(0.5), 100);
  histogram.record(1000, 2);
  near(t, histogram.percentile(0.5), 1000);
});

t.test('nothing recorded, or nothing left, has no percentile', async (t) => {
  t.equal(new Histogram().percentile(0.5), undefined);
  const histogram = recorded([7]);
  histogram.fade(0.6);
  near(t, histogram.percentile(0.5), 7);
  histogram.fade(0.6);
  t.equal(histogram.percentile(0.5), undefined);
  histogram.fade(0);
  histogram.fade(0);
  t.equal(histogram.percentile(1), undefined);
});

t.test('histograms are added up bucket by bucket', async (t) => {
  const weights = new Float64Array(BUCKETS);
  new Histogram(weights).record(1000, 3);
  const histogram = recorded([10, 10]);
  histogram.add(weights);
  near(t, histogram.percentile(0.4), 10);
  near(t, histogram.percentile(0.41), 1000);
  near(t, new Histogram(weights).percentile(0.01), 1000);
});

t.test('what faded gives way to what is new', async (t) => {
  const histogram = recorded(Array.from({ length: 100 }, () => 1000));
  for (let second = 0; second < 10; second++) histogram.fade(0.5);
  histogram.record(10, 1);
  near(t, histogram.percentile(0.5), 10);
});

t.test('the sum of many fractions still finds the last bucket', async (t) => {
  const histogram = new Histogram();
  for (let value = 1; value < 5000; value++) histogram.record(value, 0.1);
  for (let turn = 0; turn < 7; turn++) histogram.fade(0.9);
  near(t, histogram.percentile(1), 4999);
  near(t, histogram.percentile(1.1), 4999);
});
