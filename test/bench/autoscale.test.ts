import t from 'tap';
import { plannedInFlight, secondsOf } from '../../bench/autoscale.ts';
import { autoscaleChart } from '../../bench/charts/autoscale.ts';
import { renderSvg } from '../../bench/charts/render.ts';
import type { AutoscaleSamples, AutoscaleSecond } from '../../bench/samples.ts';
import { planOf } from '../../bench/scenarios.ts';
import { autoscaleSummary } from '../../bench/summaries-autoscale.ts';

t.test('the load goes up, stays, has a spike, stays, and goes down', async (t) => {
  const { autoscale: plan } = planOf(false);
  const at = (second: number) => plannedInFlight(plan, second);
  t.same([0, 9, 10, 25, 40, 99].map(at), [12, 12, 12, 30, 48, 48]);
  t.same([100, 114, 115, 174].map(at), [96, 96, 48, 48]);
  t.same([175, 190, 205, 279].map(at), [48, 30, 12, 12]);
  t.equal(secondsOf(plan), 280);
});

const seconds = Array.from({ length: 30 }, (_, atS): AutoscaleSecond => [atS, 40, 40, atS < 10 ? 4 : 5, 0]);
const samples = {
  ...{ target: 8, least: 2, most: 9, plateauS: [10, 30], requests: 1234, failed: 0, steps: 1, seconds },
  environment: {},
} as unknown as AutoscaleSamples;

t.test('what each had on the plateau, and what it cost beside the ideal', async (t) => {
  const { seconds: rows, ...rest } = autoscaleSummary(samples);
  t.same(rest, { plateauEach: 8, plateauRatio: 1, plateauSizes: 1, costRatio: 140 / 150 });
  t.same(rows[0], { atS: 0, replicas: 4, ideal: 5, each: 10 });
});

t.test('the chart says so', async (t) => {
  const svg = await renderSvg(autoscaleChart(samples), { title: 'Autoscaling', finding: '', notes: [] });
  t.match(svg, /each replica had 8\.00 requests in flight/);
  t.match(svg, /Of 1,234 requests none failed\. It took 1 steps, and 0\.93 times/);
  t.equal(svg.match(/>ideal</g)?.length, 1, 'one legend');
});
