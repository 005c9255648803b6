// Autoscaling against a model of replicas, for hours of virtual time. Each run prints its seed if it fails.
import t from 'tap';
import type { AutoscaleRules } from '../../lib/core/fleet/autoscale.ts';
import { type FleetModel, mean, play } from '../fixtures/autoscaled-fleet.ts';
import { runSeed } from '../fixtures/random.ts';

const MINUTE_MS = 60_000;
const RULES: AutoscaleRules = { least: 2, most: 40, target: 8, windowMs: 60_000, downAfterMs: 300_000, downRate: 0.5 };
const MODEL: FleetModel = {
  seed: 1,
  rules: RULES,
  replicas: 3,
  servers: 16,
  serviceMs: 500,
  startMs: 3000,
  load: () => 80,
  lastsMs: 30 * MINUTE_MS,
};
const seeds = Array.from({ length: 3 }, (_, index) => runSeed() + index);

const longest = (waits: readonly { readonly ms: number }[]) => waits.reduce((most, { ms }) => Math.max(most, ms), 0);

t.test('on a plateau each replica has the target, within a fifth, and the size rests', async (t) => {
  for (const seed of seeds) {
    for (const serviceMs of [100, 1000, 5000]) {
      // 80 in flight on average, whatever a request takes.
      const { seconds, waits } = play({ ...MODEL, seed, serviceMs, lastsMs: 15 * MINUTE_MS });
      const plateau = seconds.filter(({ atMs }) => atMs > 8 * MINUTE_MS);
      const each = mean(plateau, ({ held, replicas }) => held / replicas);
      const sizes = new Set(plateau.map(({ replicas }) => replicas));
      const late = waits.filter(({ atMs, ms }) => atMs > 8 * MINUTE_MS && ms > 0).length;
      const told = JSON.stringify({ seed, serviceMs, each, sizes: [...sizes], late });
      t.ok(Math.abs(each / RULES.target - 1) < 0.2, told);
      t.ok(sizes.size <= 3, `it does not flutter: ${told}`);
      t.equal(late, 0, `nobody waits: ${told}`);
    }
  }
});

t.test('a spike to four times the load is answered within the short window and the starts', async (t) => {
  for (const seed of seeds) {
    const spikeMs = 10 * MINUTE_MS;
    const load = (nowMs: number) => (nowMs < spikeMs || nowMs > 15 * MINUTE_MS ? 40 : 160);
    const { seconds, waits } = play({ ...MODEL, seed, load });
    const at = (ms: number) => seconds.find(({ atMs }) => atMs >= ms)?.replicas ?? 0;
    const told = JSON.stringify({ seed, before: at(spikeMs), after: at(spikeMs + 20_000) });
    t.ok(at(spikeMs + 20_000) >= 18, `160 in flight, and a tenth: ${told}`);
    t.ok(longest(waits) < 5000, `within what a request may wait: ${told}`);
    t.ok(at(15 * MINUTE_MS + 240_000) >= 18, `it stays for five minutes: ${told}`);
    t.ok(at(30 * MINUTE_MS - 2000) <= 7, `then it goes: ${told}`);
  }
});

t.test('a load that comes and goes within the window down costs no start after the first time', async (t) => {
  const load = (nowMs: number) => ((nowMs / MINUTE_MS) % 4 < 2 ? 160 : 20);
  for (const seed of seeds) {
    const { seconds } = play({ ...MODEL, seed, load, lastsMs: 60 * MINUTE_MS });
    const steps = seconds.filter(({ atMs, decision }) => atMs > 10 * MINUTE_MS && decision.step !== 0);
    t.ok(steps.length <= 4, JSON.stringify({ seed, steps: steps.map(({ decision }) => decision) }));
  }
});

t.test('to zero when nobody asks, and back for whoever does', async (t) => {
  const rules = { ...RULES, least: 0 };
  const load = (nowMs: number) => (nowMs < 5 * MINUTE_MS || nowMs > 20 * MINUTE_MS ? 10 : 0);
  for (const seed of seeds) {
    const { seconds, waits } = play({ ...MODEL, seed, rules, load, lastsMs: 25 * MINUTE_MS });
    const empty = seconds.filter(({ replicas }) => replicas === 0);
    const told = JSON.stringify({ seed, from: empty[0]?.atMs, to: empty.at(-1)?.atMs });
    t.ok(empty.length > 400, told);
    // A second until it is looked at, and the start; then what has come meanwhile is worked off.
    t.ok(longest(waits) < 2 * (1000 + 3000), `${longest(waits)}: ${told}`);
    t.equal(empty.filter(({ atMs }) => atMs > 20 * MINUTE_MS + 5000).length, 0, told);
  }
});
