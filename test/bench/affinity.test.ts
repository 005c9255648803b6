// Conversations with engines that cache prefixes: the parts of the experiment, and what it must show, in virtual time.

import t from 'tap';
import { cachedByOne, runAffinity } from '../../bench/affinity.ts';
import { renderSvg } from '../../bench/charts/render.ts';
import { affinityContenders, BOUNDED, howToGet } from '../../bench/contenders.ts';
import { figuresOf } from '../../bench/figures.ts';
import { conversations, promptOf, type Turn } from '../../bench/harness/llm/conversations.ts';
import { PrefixCache } from '../../bench/harness/llm/prefix-cache.ts';
import type { AffinityRound, AffinitySamples } from '../../bench/samples.ts';
import { planOf } from '../../bench/scenarios.ts';
import { affinitySummaries, bestHitRatio } from '../../bench/summaries-affinity.ts';
import { byPrompt, keyOf, playVirtually, roundRobin } from '../fixtures/virtual-engines.ts';
import { environment } from './samples.ts';

const bytes = (text: string) => Buffer.from(text);

t.test('a cache finds the whole blocks with which a prompt begins', async (t) => {
  const cache = new PrefixCache(100, 2);
  t.equal(cache.find(bytes('aabbc')), 0);
  cache.keep(bytes('aabbc'));
  t.equal(cache.find(bytes('aabbc')), 4, 'the last byte fills no block');
  t.equal(cache.find(bytes('aabbdd')), 4);
  t.equal(cache.find(bytes('aaxxbb')), 2, 'a block counts only with all that is before it');
  t.equal(cache.find(bytes('bb')), 0);
});

t.test('a full cache drops what was used least recently, and of one prompt the end first', async (t) => {
  const cache = new PrefixCache(8, 2);
  cache.keep(bytes('aabbcc'));
  cache.keep(bytes('xx'));
  t.equal(cache.find(bytes('aa')), 2, 'used again');
  cache.keep(bytes('yyzz'));
  t.equal(cache.find(bytes('aabbcc')), 2);
  t.equal(cache.find(bytes('xx')), 2);
  t.equal(cache.find(bytes('yyzz')), 4);
  cache.keep(bytes('1122334455'));
  t.equal(cache.find(bytes('1122334455')), 8, 'of more than there is room for, the beginning');
});

const shape = { seed: 1, tenants: 5, perSecond: 50, seconds: 20 };

t.test('conversations are the same for the same seed, and each turn begins with all before it', async (t) => {
  const turns = conversations(shape);
  t.same(conversations(shape), turns);
  t.notSame(conversations({ ...shape, seed: 2 })[0], turns[0]);
  t.ok(Math.abs(turns.length - 1000) < 150, `${turns.length} turns`);
  let later = 0;
  for (const [, all] of Map.groupBy(turns, ({ conversation }) => conversation)) {
    for (const [index, turn] of all.entries()) {
      const before = all[index - 1];
      if (before === undefined) continue;
      later += 1;
      t.ok(promptOf(turn.messages).startsWith(promptOf(before.messages)));
      t.equal(keyOf(turn), keyOf(before));
      t.ok(turn.atMs > before.atMs);
    }
  }
  t.ok(later > 100);
});

t.test('tenants share their system text, and the first is the busiest', async (t) => {
  const turns = conversations({ ...shape, seconds: 100 });
  const counts = new Array<number>(5).fill(0);
  for (const { tenant } of turns) counts[tenant] = (counts[tenant] ?? 0) + 1;
  t.same(
    counts.toSorted((a, b) => b - a),
    counts,
  );
  for (const [, all] of Map.groupBy(turns, ({ tenant }) => tenant)) {
    t.equal(new Set(all.map(({ messages }) => messages[0]?.content)).size, 1);
  }
});

const round = (contender: string, rest: Partial<AffinityRound>): AffinityRound => {
  return { contender, firstMs: [], tookMs: [], engines: [], cachedBytes: [], ...rest };
};

t.test('a summary counts what was due after the warm-up', async (t) => {
  const plan = { ...planOf(true).affinity, engines: 2, warmUpSeconds: 1, seconds: 2, bytesPerMs: 1 };
  const samples: AffinitySamples = {
    environment,
    plan,
    turns: { atMs: [900, 1000, 1000], promptBytes: [500, 100, 300] },
    bestCachedBytes: [0, 100, 200],
    rounds: [
      round('one', { firstMs: [5, 10, 20], tookMs: [600, 100, 1000], engines: [0, 0, 1], cachedBytes: [0, 0, 200] }),
      round('none', { firstMs: [5, 10, 20], tookMs: [5, 10, 20], engines: [-1, -1, -1], cachedBytes: [0, 0, 0] }),
    ],
    missing: {},
  };
  t.equal(bestHitRatio(samples), 300 / 400);
  const [one, none] = affinitySummaries(samples);
  t.match(one, { contender: 'one', hitRatio: 200 / 400, firstP50Ms: 15, failed: 0 });
  // 200 bytes were read in a second by two.
  t.equal(one?.busyRatio, 0.1);
  // Looked at 20 times: [2, 1] twice, then [1, 1] until 1,500 ms, then [0, 1].
  t.equal(one?.inFlight.toFixed(6), ((2 * 1.5 + 8 * 1 + 10 * 0.5) / 20).toFixed(6));
  t.equal(one?.mostOverMean.median.toFixed(6), ((2 / 1.5 + 2) / 2).toFixed(6), 'between the tenth and the eleventh');
  t.equal(one?.mostOverMean.p95, 2);
  t.equal(none?.failed, 3);
});

t.test('the chart tells what is cached, the times, and how far ours is from the best', async (t) => {
  const plan = { ...planOf(true).affinity, engines: 2, warmUpSeconds: 0, seconds: 1 };
  const times = { firstMs: [300, 300], tookMs: [500, 500] };
  const [figure] = figuresOf({
    affinity: {
      environment,
      plan,
      turns: { atMs: [0, 100], promptBytes: [1000, 1000] },
      bestCachedBytes: [500, 700],
      rounds: [
        round('round robin', { ...times, engines: [0, 1], cachedBytes: [0, 100] }),
        round(BOUNDED, { firstMs: [50, 50], tookMs: [400, 400], engines: [0, 0], cachedBytes: [500, 611] }),
      ],
      missing: {},
    },
  });
  t.equal(figure?.name, 'affinity');
  const svg = await renderSvg(figure?.specification ?? {}, { title: 'Affinity', finding: '', notes: [] });
  const words = svg.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');
  for (const text of [
    '4.5 points fewer are cached',
    '6.00 times sooner',
    '>55.5 %<',
    '>5.00 %<',
    '>300 ms<',
    '>50.0 ms<',
  ]) {
    t.ok(words.includes(text) || svg.includes(text), text);
  }
});

t.test('each contender answers all turns, and by the prompt a conversation stays at one engine', async (t) => {
  const plan = { ...planOf(true).affinity, engines: 3, perSecond: 30, tokenMs: 0, bytesPerMs: 1e6, seconds: 3 };
  const told: string[] = [];
  const samples = await runAffinity({ ...plan, warmUpSeconds: 0 }, (what) => told.push(what));
  const installed = affinityContenders().filter((one) => howToGet(one) === undefined);
  t.same(
    told,
    installed.map(({ name }) => name),
  );
  t.same(
    samples.rounds.map(({ contender }) => contender),
    told,
  );
  t.equal(samples.rounds.length + Object.keys(samples.missing).length, 5);
  const turns = conversations({ ...plan, warmUpSeconds: 0 } as AffinitySamples['plan']);
  for (const { contender, engines, cachedBytes } of samples.rounds) {
    t.same(new Set(engines), new Set([0, 1, 2]), `${contender}: all engines, and nothing is lost`);
    t.ok(Math.max(...cachedBytes) > 0, contender);
    const apart = [...Map.groupBy(turns.keys(), (turn) => turns[turn]?.conversation)].filter(
      ([, own]) => new Set(own.map((turn) => engines[turn])).size > 1,
    );
    if (contender === 'plain ring by prompt') t.same(apart, []);
  }
});

/** All contenders of which what they do can be computed. */
function played(plan: AffinitySamples['plan'], turns: readonly Turn[]): AffinitySamples {
  return {
    environment,
    plan,
    turns: { atMs: turns.map(({ atMs }) => atMs), promptBytes: turns.map(({ messages }) => promptOf(messages).length) },
    bestCachedBytes: cachedByOne(turns, plan.engines * plan.cacheBytes),
    rounds: [
      playVirtually('round robin', plan, turns, roundRobin(plan.engines)),
      playVirtually('plain ring', plan, turns, byPrompt(plan.engines, Number.POSITIVE_INFINITY)),
      playVirtually('bounded', plan, turns, byPrompt(plan.engines, 1.25)),
    ],
    missing: {},
  };
}

t.test('by the prompt with a bound, nearly all is cached that can be, and load is even', async (t) => {
  const { affinity: plan } = planOf(false);
  const samples = played(plan, conversations(plan));
  const best = bestHitRatio(samples);
  const [blind, plain, ours] = affinitySummaries(samples);
  if (blind === undefined || plain === undefined || ours === undefined) throw new Error('there are three');
  t.ok(blind.busyRatio > 0.65 && blind.busyRatio < 0.75, `a load of 70 %: ${blind.busyRatio}`);
  t.ok(ours.inFlight > 16, `beyond the floor of 8 everywhere: ${ours.inFlight} at each`);
  t.ok(best - ours.hitRatio < 0.02, `${ours.hitRatio} cached, ${best} at best`);
  t.ok(best - blind.hitRatio > 0.2, `${blind.hitRatio} without a look at the prompt`);
  t.ok(ours.mostOverMean.median <= 1.25, `${ours.mostOverMean.median} times the mean in flight`);
  // The bound holds whenever a turn is placed. After that others end, so the mean may sink.
  t.ok(ours.mostOverMean.p95 <= 1.3 && ours.mostOverMean.p95 < plain.mostOverMean.p95, `${ours.mostOverMean.p95}`);
  t.ok(blind.firstP95Ms >= 3 * ours.firstP95Ms, `${blind.firstP95Ms} and ${ours.firstP95Ms} ms to the first byte`);
});

t.test('one prefix with a quarter of the traffic of 32 engines neither funnels nor starves', async (t) => {
  const plan = { ...planOf(false).affinity, engines: 32, perSecond: 256, seconds: 20, warmUpSeconds: 10 };
  const hot = -1;
  const turns = conversations(plan).map((turn, index): Turn => (index % 4 === 0 ? hotTurn(turn, hot) : turn));
  const measured = (turn: Turn) => turn.atMs >= plan.warmUpSeconds * 1000;
  const samples = played(plan, turns);
  const [, plain, ours] = samples.rounds.map((one) => {
    const counts = (isHot: boolean) => {
      const at = new Array<number>(plan.engines).fill(0);
      for (const [index, turn] of turns.entries()) {
        const engine = one.engines[index] as number;
        if (measured(turn) && (turn.conversation === hot) === isHot) at[engine] = (at[engine] ?? 0) + 1;
      }
      return at;
    };
    return { hot: counts(true), rest: counts(false), usual: atTheirUsual(turns, one.engines, hot) };
  });
  const [, plainly, bounded] = affinitySummaries(samples);
  if (plain === undefined || ours === undefined) throw new Error('there are three');
  t.equal(plain.hot.filter((count) => count > 0).length, 1, 'a plain ring has all of it at one engine');
  t.ok((plainly?.mostOverMean.median ?? 0) > 7);
  const sharers = ours.hot.filter((count) => count > 0).length;
  t.ok(sharers >= 7 && sharers <= 16, `with a bound ${sharers} have a part of it: as many as need be, not all`);
  t.ok((bounded?.mostOverMean.p95 ?? 9) <= 1.35, `${bounded?.mostOverMean.p95} times the mean in flight`);
  t.ok(Math.min(...ours.rest) > 0, 'and each has room for others');
  t.ok(ours.usual > 0.9, `${ours.usual} of the other turns are where most of their conversation is`);
});

/** The same moment, but with the beginning that all hot turns share. */
function hotTurn(turn: Turn, conversation: number): Turn {
  const messages = [
    { role: 'system', content: 'x'.repeat(4000) },
    { role: 'user', content: 'What an agent begins with each time.' },
    { role: 'user', content: `Number ${turn.conversation} at ${turn.atMs}` },
  ] as const;
  return { ...turn, tenant: -1, conversation, messages };
}

/** The part of the turns, without the hot ones, that are at the engine which most of their conversation is at. */
function atTheirUsual(turns: readonly Turn[], engines: readonly number[], hot: number): number {
  const all = turns.map(({ conversation }, index) => ({ conversation, engine: engines[index] as number }));
  const others = all.filter(({ conversation }) => conversation !== hot);
  let usual = 0;
  for (const [, own] of Map.groupBy(others, ({ conversation }) => conversation)) {
    usual += Math.max(...[...Map.groupBy(own, ({ engine }) => engine)].map(([, list]) => list.length));
  }
  return usual / others.length;
}
