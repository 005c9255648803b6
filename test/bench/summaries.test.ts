import { readFileSync } from 'node:fs';
import t from 'tap';
import { standing } from '../../bench/charts/speed.ts';
import { comparisons } from '../../bench/charts/workers.ts';
import type { TimedRequest } from '../../bench/harness/load.ts';
import type { Fault } from '../../bench/samples.ts';
import {
  burstSummaries,
  evenness,
  faultStories,
  mainTrial,
  runsOf,
  scaleSummaries,
  speedSummaries,
  voidRounds,
} from '../../bench/summaries.ts';
import { doubtsAbout } from '../../bench/warnings.ts';
import { recovery, scaleRound, speed, speedRound, spread, spreadRun } from './samples.ts';

t.test('the runs of a hash come by replicas, without those under the bound on load', async (t) => {
  t.same(
    runsOf(spread, 'even').map((run) => run.replicas),
    [2, 3],
  );
  t.equal(evenness(spreadRun('even', [4000, 3000, 2000])).maxOverMean, 4 / 3);
});

t.test('a fault is told with its times, its late and its failed requests', async (t) => {
  const [story] = faultStories(recovery);
  t.match(story, { failed: 1, late: 1, longestMs: 150, detectedMs: 50, replacedMs: 300 });
  // Key 1 led to server1. Its first request after the fault was sent at 1100 ms, and server2 answered it 150 ms later.
  t.equal(story?.elsewhereMs, 250);
  t.equal(story?.requests[0]?.[1], -500, 'half a second before the fault is shown');
});

t.test(
  'what tells of keys served elsewhere is a good answer of another to a key that was never sent past its replica',
  async (t) => {
    const elsewhere = (...requests: TimedRequest[]) => {
      const fault = { ...(recovery.faults[0] as Fault), keys: [1, 2] };
      return faultStories({ ...recovery, faults: [fault], requests })[0]?.elsewhereMs;
    };
    t.equal(elsewhere([1, 500, 4, 200, 0], [1, 1500, 4, 200, 1]), 504);
    t.equal(elsewhere([1, 500, 4, 200, 0], [1, 1500, 4, 200, 0]), undefined, 'not an answer of its replica');
    t.equal(elsewhere([1, 500, 4, 200, 0], [1, 1500, 4, 503, -1]), undefined, 'nor one that is none');
    t.equal(elsewhere([3, 500, 4, 200, 0], [3, 1500, 4, 200, 1]), undefined, 'nor one to the key of another');
    t.equal(elsewhere([1, 500, 4, 200, 1], [1, 1500, 4, 200, 1]), undefined, 'nor what the bound on load does anyway');
    t.equal(elsewhere([1, 990, 40, 200, 1], [2, 1500, 4, 200, 1], [1, 1600, 4, 200, 1]), 504);
    t.equal(elsewhere([1, 990, 40, 200, 1], [1, 1600, 4, 200, 1]), 604, 'but what was saved from the fault counts');
  },
);

t.test('a contender has the median of its rounds, in µs of processor time a request', async (t) => {
  const [first, second] = speedSummaries(speed);
  t.match(first, { contender: 'nginx', cpuMicros: { median: 901, least: 900, most: 902 }, rounds: 3 });
  t.equal(second?.contender, 'ringmaster');
  t.equal(mainTrial(speedSummaries(speed)).length, 3);
});

t.test('an error in any round voids the number', async (t) => {
  const rounds = [...speed.rounds, speedRound('nginx', 1, 3, 1)];
  t.notOk(speedSummaries({ ...speed, rounds }).some((one) => one.contender === 'nginx'));
  t.equal(voidRounds({ ...speed, rounds })[0]?.contender, 'nginx');
  const idle = [...speed.rounds, speedRound('nginx', 20, 3)];
  t.match(voidRounds({ ...speed, rounds: idle }), [{ cpuMs: 20 }], 'and so do a few ticks of the clock');
});

t.test('where we lose, it is said to whom and by how much', async (t) => {
  t.equal(standing(speedSummaries(speed)), 'With replicas over TCP ringmaster loses: it costs 1.10 times nginx.');
  const won = { ...speed, rounds: [speedRound('ringmaster', 100), speedRound('nginx', 110)] };
  t.equal(standing(speedSummaries(won)), 'With replicas over TCP ringmaster costs least.');
  const none = { ...speed, rounds: [speedRound('nginx', 110)] };
  t.match(standing(speedSummaries(none)), /no number for ringmaster/);
});

t.test(
  'bursts are told by medians, the longest wait of all and all that was not answered, the best first',
  async (t) => {
    const round = (contender: string, p99Ms: number, mostMs: number, errors = 0) => {
      return { contender, connections: 300, round: 0, p50Ms: p99Ms / 2, p99Ms, mostMs, errors };
    };
    const rounds = [round('slow', 90, 100), round('fast', 20, 30), round('fast', 40, 900, 2), round('fast', 30, 31, 1)];
    t.same(burstSummaries(rounds), [
      { contender: 'fast', p50Ms: 15, p99Ms: 30, mostMs: 900, errors: 3 },
      { contender: 'slow', p50Ms: 45, p99Ms: 90, mostMs: 100, errors: 0 },
    ]);
  },
);

t.test('workers and replicas are compared round by round, and void rounds say nothing', async (t) => {
  const { scale = [] } = speed;
  const said = [
    'Two workers over one, requests per second of processor time: ringmaster 0.80, nginx 1.00.',
    'Two workers over one, requests a second: ringmaster 1.00, nginx 1.00.',
    'Two workers over one, if each had a core to itself: ringmaster 1.33, nginx 2.00.',
    '1,000 replicas over 3, processor time per request: ringmaster 1.10.',
  ];
  t.same(comparisons(scale), said);
  t.same(comparisons([...scale, scaleRound('ringmaster', 2, 3, [1, 1], 3)]), said);
  t.match(scaleSummaries(scale)[1], {
    workers: 2,
    replicas: 3,
    cpuMicros: { median: 1250 },
    perSecond: { most: 1000 },
  });
  const broken = [...scale, scaleRound('nginx', 2, 3, [500, 250], 3, 1)];
  t.notOk(scaleSummaries(broken).some((one) => one.contender === 'nginx' && one.workers === 2));
  t.match(
    doubtsAbout({ speed: { ...speed, scale: broken } }).join(' '),
    /some numbers are void: nginx, 2 workers, 3 replicas/,
  );
});

t.test('what README says of the speed is what the committed samples say', async (t) => {
  const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  const costs = mainTrial(speedSummaries(JSON.parse(read('bench/results/speed.json'))));
  const costOf = (name: string) => costs.find(({ contender }) => contender === name)?.cpuMicros?.median ?? Number.NaN;
  const ours = costOf('ringmaster');
  const [, times, others = ''] =
    /costs ([\d.]+) times the CPU that it costs nginx, and less than a third of what it costs ([^:]*):/.exec(
      read('README.md').replaceAll(/\s+/g, ' '),
    ) ?? [];
  t.equal(times, (ours / costOf('nginx')).toFixed(2));
  const names = others.split(/, | or /);
  t.equal(names.length, 3);
  for (const name of names) t.ok(ours < costOf(name) / 3, name);
});
