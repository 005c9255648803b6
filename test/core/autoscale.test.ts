import fc from 'fast-check';
import t from 'tap';
import {
  type AutoscaleFacts,
  type AutoscaleMemory,
  type AutoscaleRules,
  type Decision,
  decide,
  type LoadLook,
  meanLoad,
  NO_MEMORY,
} from '../../lib/core/fleet/autoscale.ts';
import { runSeed } from '../fixtures/random.ts';

const RULES: AutoscaleRules = { least: 2, most: 20, target: 10, windowMs: 60_000, downAfterMs: 300_000, downRate: 0.5 };
const NOTHING: LoadLook = { atMs: 0, heldMs: 0, refused: 0, served: 0, servedMs: 0 };
const ones = (count: number) => Array.from({ length: count }, () => 1);

/** A fleet that does what is decided at once, and is looked at each second. */
class Fleet {
  memory: AutoscaleMemory = NO_MEMORY;
  load = NOTHING;
  weights: number[];
  rules: AutoscaleRules;

  constructor(replicas: number, rules: Partial<AutoscaleRules> = {}) {
    this.weights = ones(replicas);
    this.rules = { ...RULES, ...rules };
  }

  get facts(): AutoscaleFacts {
    const { load, weights } = this;
    const ready = weights.reduce((a, b) => a + b, 0);
    const rest = { others: 0, otherWeights: 0, room: 1000, waiting: 0, open: 0, busy: undefined, unwell: undefined };
    return { load, weights, ready, ...rest };
  }

  /** A second with so many requests in flight. */
  second(held: number, facts: Partial<AutoscaleFacts> = {}, more: Partial<LoadLook> = {}): Decision {
    // The load is what lies between two looks.
    if (this.memory === NO_MEMORY) this.memory = decide(NO_MEMORY, this.facts, this.rules).memory;
    const { atMs, heldMs } = this.load;
    this.load = { ...this.load, atMs: atMs + 1000, heldMs: heldMs + 1000 * held, ...more };
    const { decision, memory } = decide(this.memory, { ...this.facts, ...facts }, this.rules);
    this.memory = memory;
    if (decision.step > 0) this.weights.push(...ones(decision.step));
    if (decision.step < 0) this.weights.splice(decision.step);
    return decision;
  }

  /** The last decision of so many seconds, and all that were steps. */
  seconds(count: number, held: number, facts: Partial<AutoscaleFacts> = {}) {
    const all = Array.from({ length: count }, () => this.second(held, facts));
    return { last: all.at(-1) as Decision, steps: all.filter(({ step }) => step !== 0) };
  }
}

t.test('so many replicas that each has the target, up at once', async (t) => {
  const fleet = new Fleet(2);
  t.match(fleet.seconds(60, 15).last, { step: 0, reason: 'steady', wanted: 2, stable: 15, panic: 15 });
  const { steps } = fleet.seconds(90, 28);
  t.match(steps[0], { step: 1, replicas: 2, reason: 'load', wanted: 3 }, 'as soon as the long window says so');
  t.equal(fleet.weights.length, 3, 'ceil(28 / 10)');
});

t.test('within a tenth of the target nothing is done', async (t) => {
  const fleet = new Fleet(10);
  t.match(fleet.seconds(600, 109), { last: { wanted: 10, reason: 'steady' }, steps: [] });
  t.match(fleet.seconds(600, 91), { last: { wanted: 10, reason: 'steady' }, steps: [] });
  fleet.seconds(70, 112);
  t.equal(fleet.weights.length, 12);
});

t.test('twice what the replicas should have, over the short window, is a panic', async (t) => {
  const fleet = new Fleet(2);
  fleet.seconds(60, 10);
  const { last, steps } = fleet.seconds(10, 150);
  t.match(steps[0], { reason: 'panic', isPanic: true });
  t.ok(last.stable < 40, 'long before the long window tells');
  t.equal(fleet.weights.length, 15);
  t.match(fleet.seconds(30, 0).last, { reason: 'settling', step: 0, isPanic: true, replicas: 15 });
  t.equal(fleet.seconds(60, 0).last.isPanic, false, 'it ends a stable window after the last such moment');
});

t.test('a step up is the double at most, or four', async (t) => {
  const fleet = new Fleet(2);
  t.equal(fleet.second(1000).step, 4);
  t.equal(fleet.second(1000).step, 6);
  t.equal(fleet.second(1000).step, 8, 'to the most');
  t.match(fleet.second(1000), { step: 0, reason: 'most', wanted: 20 });
  const small = new Fleet(2);
  t.equal(small.second(1000, { room: 1 }).step, 1, 'the ring has no room for more');
  t.match(small.second(1000, { room: 0 }), { step: 0, reason: 'most' });
});

t.test('on the way down, the highest that was wanted of late', async (t) => {
  const fleet = new Fleet(10);
  fleet.seconds(100, 95);
  const { last, steps } = fleet.seconds(300, 25);
  t.same(steps, [], 'ten were wanted within five minutes');
  t.match(last, { reason: 'settling', wanted: 3, wantedLately: 10 });
  const { steps: later } = fleet.seconds(100, 25);
  t.ok(later.every(({ step, reason }) => step < 0 && reason === 'idle'));
  t.equal(fleet.weights.length, 3);
});

t.test('so many were there at the start, so they are for as long', async (t) => {
  const fleet = new Fleet(8);
  t.same(fleet.seconds(299, 0).steps, []);
  t.match(fleet.second(0), { step: -4, reason: 'idle' }, 'then half of them in a minute');
  t.same(fleet.seconds(59, 0).steps, []);
  t.match(fleet.second(0), { step: -2 });
  fleet.seconds(600, 0);
  t.equal(fleet.weights.length, 2, 'to the least');
});

t.test('one may always leave', async (t) => {
  const fleet = new Fleet(4, { downRate: 0.1, downAfterMs: 0, least: 1 });
  t.equal(fleet.second(0).step, -1);
  t.equal(fleet.seconds(59, 0).steps.length, 0);
  fleet.seconds(240, 0);
  t.equal(fleet.weights.length, 1);
});

t.test('a change by hand holds for as long as a wish does, within the bounds', async (t) => {
  const fleet = new Fleet(3);
  fleet.seconds(400, 20);
  t.equal(fleet.weights.length, 2);
  fleet.weights.push(...ones(4));
  t.same(fleet.seconds(299, 20).steps, [], 'whoever added four meant it');
  fleet.seconds(200, 20);
  t.equal(fleet.weights.length, 2);
  fleet.weights.pop();
  t.match(fleet.second(5), { step: 1, wanted: 2 }, 'below the least');
  fleet.weights.push(...ones(30));
  fleet.second(5);
  t.match(fleet.second(5), { step: 0, reason: 'settling', wantedLately: 20 }, 'above the most');
  fleet.seconds(120, 5);
  t.equal(fleet.weights.length, 20);
  fleet.weights.splice(5);
  t.same(fleet.seconds(100, 45).steps, [], 'those that were removed do not come back for what was wanted before');
});

t.test('whoever removes all by hand has paused it', async (t) => {
  const fleet = new Fleet(0);
  t.match(fleet.seconds(60, 50).last, { step: 0, reason: 'paused' });
});

t.test('to zero and from zero', async (t) => {
  const fleet = new Fleet(1, { least: 0 });
  t.same(fleet.seconds(301, 0.01).steps, [], 'as long as anything is asked for');
  t.same(fleet.seconds(300, 0).steps, []);
  t.same(fleet.seconds(2, 0, { open: 1 }).steps, [], 'nor while a stream is open');
  t.same(fleet.seconds(299, 0).steps, []);
  t.match(fleet.second(0), { step: -1, reason: 'idle', replicas: 1, wanted: 0 });
  t.match(fleet.second(0), { step: 0, reason: 'steady', replicas: 0 });
  t.match(fleet.second(0.1, { waiting: 1 }), { step: 1, reason: 'from-zero' });
  const burst = new Fleet(0, { least: 0 });
  t.match(burst.second(100, { waiting: 100 }), { step: 4, reason: 'from-zero', isPanic: true });
});

t.test('nothing is done while something is under way', async (t) => {
  const fleet = new Fleet(2);
  t.match(fleet.seconds(300, 100, { busy: 'a roll' }).last, { step: 0, reason: 'frozen', frozenBy: 'a roll' });
  t.match(fleet.seconds(9, 15, { busy: 'a roll' }).last, { step: 0, reason: 'frozen' });
  t.ok(fleet.second(100).step > 0);
});

t.test('while a replica is not well, none leaves; others come when its doing has left the window', async (t) => {
  const fleet = new Fleet(4);
  const unwell = 'server_x is down';
  const { last, steps } = fleet.seconds(60, 60, { unwell });
  t.match(last, { reason: 'frozen', frozenBy: unwell });
  t.same(steps, []);
  t.match(fleet.second(60, { unwell }), { step: 2, reason: 'load' });
  t.same(fleet.seconds(1000, 0, { unwell }).steps, []);
  t.ok(fleet.seconds(100, 0).steps.length > 0);
});

t.test('requests that were turned away count with the time that one takes', async (t) => {
  const fleet = new Fleet(2);
  // 20 in flight, 100 a second are served in 200 ms each; 150 a second are refused, which would be 30 more.
  for (let second = 1; second <= 60; second++) {
    const many = { served: 100 * second, servedMs: 20_000 * second, refused: 150 * second };
    fleet.second(20, {}, many);
  }
  t.equal(fleet.weights.length, 5);
  const told = meanLoad([NOTHING, { atMs: 1000, heldMs: 0, refused: 9, served: 0, servedMs: 0 }], 0);
  t.equal(told, 0, 'nobody knows how long one takes before one was served');
  t.equal(meanLoad([], 0), 0);
});

t.test('after a long silence only the last look counts as the one before', async (t) => {
  const fleet = new Fleet(2);
  fleet.seconds(100, 19);
  fleet.load = { ...fleet.load, atMs: 500_000 };
  t.match(fleet.second(19), { stable: 19 / 401 });
  t.equal(fleet.memory.looks.length, 2);
});

t.test('weights: the load is spread by them, and the last seats leave', async (t) => {
  const fleet = new Fleet(0, { downAfterMs: 0, least: 1 });
  fleet.weights = [1, 4];
  t.match(fleet.seconds(60, 50).last, { replicas: 2, wanted: 2, reason: 'steady' }, 'five times ten');
  t.match(fleet.seconds(30, 70).steps[0], { step: 1 });
  fleet.weights = [1, 4, 2];
  fleet.seconds(200, 20);
  t.same(fleet.weights, [1, 4], 'without the four, there would be too few');
  const given = new Fleet(1, { downAfterMs: 0, least: 2 });
  t.same(given.seconds(200, 0, { others: 2, otherWeights: 2, ready: 3 }).steps.length, 1, 'those of others stay');
  t.same(given.weights, []);
});

// Any load, any bounds, any trouble.
const anyRules = fc
  .record({
    least: fc.nat(10),
    more: fc.nat(30),
    target: fc.integer({ min: 1, max: 100 }),
    windowMs: fc.integer({ min: 5000, max: 60_000 }),
    downAfterMs: fc.nat(60_000),
    downRate: fc.double({ min: 0.01, max: 1, noNaN: true }),
  })
  .map(({ more, ...rules }): AutoscaleRules => ({ ...rules, most: Math.max(1, rules.least + more) }));
const anySecond = fc.record({
  held: fc.nat(3000),
  busy: fc.option(fc.constant('a change'), { nil: undefined, freq: 8 }),
  unwell: fc.option(fc.constant('a replica'), { nil: undefined, freq: 8 }),
});

t.test('whatever comes, the bounds, the rates and the freeze hold', async (t) => {
  const property = fc.property(anyRules, fc.nat(40), fc.array(anySecond, { maxLength: 200 }), (rules, first, all) => {
    const fleet = new Fleet(first, rules);
    let lately: number[] = [];
    for (const { held, busy, unwell } of all) {
      const before = fleet.weights.length;
      lately = [...lately, before].slice(-60);
      const { step, reason, isPanic, wanted, wantedLately } = fleet.second(held, { busy, unwell });
      const after = fleet.weights.length;
      const told = `${before} → ${after}, ${reason}`;
      if (after !== before + step) throw new Error(told);
      if (step > 0 && (after > rules.most || step > Math.max(before, 4))) throw new Error(`too many: ${told}`);
      if (step > 0 && wanted < after) throw new Error(`more than wanted: ${told}`);
      if (step < 0 && after < Math.max(rules.least, wanted, wantedLately)) throw new Error(`too few: ${told}`);
      const highest = Math.max(...lately);
      const slowest = Math.min(highest - 1, Math.floor(highest * (1 - rules.downRate)));
      if (step < 0 && ((isPanic && before <= rules.most) || after < slowest)) throw new Error(`too fast: ${told}`);
      if (step !== 0 && busy !== undefined) throw new Error(`frozen: ${told}`);
      if (step < 0 && unwell !== undefined) throw new Error(`unwell: ${told}`);
      if (before === 0 && rules.least > 0 && step !== 0) throw new Error(`paused: ${told}`);
      if (wanted < rules.least || wanted > rules.most) throw new Error(`out of bounds: ${wanted}`);
      if (fleet.memory.looks.length > rules.windowMs / 1000 + 2) throw new Error('it remembers without bound');
      if (fleet.memory.wanted.length > rules.most + 1) throw new Error('it remembers without bound');
    }
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 300, seed: runSeed() }));
});

t.test('a load that stays has its size in the end, and no step after that', async (t) => {
  const property = fc.property(anyRules, fc.integer({ min: 1, max: 40 }), fc.nat(3000), (rules, first, held) => {
    const fleet = new Fleet(first, { ...rules, downRate: 0.5 });
    fleet.seconds(900, held);
    const { steps } = fleet.seconds(300, held);
    const load = held / (fleet.weights.length * rules.target);
    const ideal = Math.min(rules.most, Math.max(rules.least, Math.ceil(held / rules.target)));
    if (steps.length > 0) throw new Error(`${steps.length} steps under a load that stays`);
    if (fleet.weights.length !== ideal && !(load > 0.9 - 1e-9 && load < 1.1 + 1e-9)) {
      throw new Error(`${fleet.weights.length}, not ${ideal}`);
    }
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 60, seed: runSeed() }));
});

t.test('more load never wants fewer', async (t) => {
  const property = fc.property(anyRules, fc.array(fc.nat(3000), { minLength: 1, maxLength: 80 }), (rules, loads) => {
    const wantedFor = (times: number) => {
      const fleet = new Fleet(5, { ...rules, least: Math.min(rules.least, 5), most: Math.max(rules.most, 5) });
      return loads.map((held) => fleet.second(held * times, { busy: 'look only' }).wanted);
    };
    const [one, two] = [wantedFor(1), wantedFor(1.5)];
    if (one.some((wanted, index) => wanted > (two[index] as number))) throw new Error(`${one}, then ${two}`);
  });
  t.doesNotThrow(() => fc.assert(property, { numRuns: 100, seed: runSeed() }));
});
