// Counters of several planes are added and differences of reads are taken, in any order, with the same result. The
// traffic is random; SEED=… repeats it.

import t from 'tap';
import {
  type Counted,
  type Counters,
  countersSince,
  latencyOf,
  mergeCounters,
  noCounters,
} from '../../lib/core/traffic/counters.ts';
import { Histogram } from '../../lib/core/traffic/histogram.ts';
import { Tally } from '../../lib/core/traffic/traffic.ts';
import { random, runSeed } from '../fixtures/random.ts';

const SEED = runSeed();
t.comment(`SEED=${SEED}`);
const chance = random(SEED);

/** One plane: its replicas are some of six, and its counters only grow. */
function plane() {
  const total = new Tally();
  const tallies = new Map<number, Tally>();
  let diverted = 0;
  const happen = () => {
    for (let count = chance.below(50); count > 0; count--) {
      const incarnation = 1 + chance.below(6);
      const at = tallies.get(incarnation) ?? new Tally();
      tallies.set(incarnation, at);
      for (const tally of [total, at]) {
        if (chance.chance(0.8)) tally.countReply(200 + 100 * chance.below(4));
        else tally.countLoss(chance.chance(0.5) ? 'failed' : 'abandoned');
        tally.time(chance.next() * 1000);
      }
      diverted += chance.below(2);
    }
  };
  const look = (): Counters => ({
    total: { ...total.read(), inFlight: chance.below(9) },
    diverted,
    replicas: Array.from(tallies, ([incarnation, tally]) => ({
      seat: incarnation % 4,
      incarnation,
      ...tally.read(),
      inFlight: chance.below(3),
    })),
  });
  return { happen, look };
}

function looks(): [Counters, Counters] {
  const { happen, look } = plane();
  happen();
  const before = look();
  happen();
  return [before, look()];
}

const HISTORIES = 50;

t.test('counters of several planes are the same in whatever order they are merged', async (t) => {
  for (let history = 0; history < HISTORIES; history++) {
    const [a, b, c] = [looks()[1], looks()[1], looks()[1]];
    t.same(mergeCounters(a, b), mergeCounters(b, a));
    t.same(mergeCounters(mergeCounters(a, b), c), mergeCounters(a, mergeCounters(b, c)));
    t.same(mergeCounters(noCounters(), mergeCounters(a, b)), mergeCounters(a, b));
  }
});

t.test('the difference of what was merged is what the differences are merged', async (t) => {
  for (let history = 0; history < HISTORIES; history++) {
    const [[a0, a1], [b0, b1]] = [looks(), looks()];
    const merged = mergeCounters(countersSince(a0, a1), countersSince(b0, b1));
    t.same(countersSince(mergeCounters(a0, b0), mergeCounters(a1, b1)), merged);
  }
});

t.test('what was counted between looks adds up to all, however many there are', async (t) => {
  for (let history = 0; history < HISTORIES; history++) {
    const { happen, look } = plane();
    let last = noCounters();
    let sum = noCounters();
    for (let count = 0; count < 4; count++) {
      happen();
      const now = look();
      sum = mergeCounters(sum, countersSince(last, now));
      last = now;
    }
    const { total, diverted, replicas } = mergeCounters(noCounters(), last);
    const cumulative = ({ counts, times }: Counted) => ({ counts, times });
    t.same(cumulative(sum.total), cumulative(total));
    t.equal(sum.diverted, diverted);
    t.same(sum.replicas.map(cumulative), replicas.map(cumulative));
  }
});

t.test('they are plain data', async (t) => {
  const [, counters] = looks();
  t.same(structuredClone(counters), counters);
});

t.test('percentiles of a span of time are those of what was timed in it', async (t) => {
  const tally = new Tally();
  const look = (): Counters => ({ ...noCounters(), total: { ...tally.read(), inFlight: 0 } });
  for (let count = 0; count < 1000; count++) tally.time(5);
  const before = look();
  for (let ms = 1; ms <= 100; ms++) tally.time(ms);
  const { p50, p90, p99 } = latencyOf(new Histogram(countersSince(before, look()).total.times));
  for (const [found, wanted] of [
    [p50, 50_000],
    [p90, 90_000],
    [p99, 99_000],
  ] as const) {
    t.ok(found !== undefined && Math.abs(found / wanted - 1) < 0.022, `${found} is within 2.2 % of ${wanted}`);
  }
});

t.test('what went down, since a plane has ended, has not changed', async (t) => {
  const [a, b] = [looks()[1], looks()[1]];
  const { total, diverted, replicas } = countersSince(mergeCounters(a, b), a);
  const { inFlight } = a.total;
  t.same({ total, diverted }, { total: { ...noCounters().total, inFlight }, diverted: 0 });
  t.ok(replicas.every(({ counts }) => counts.requests === 0));
});
