// What the tables call `live` is really taken over, and by one part; what they call settled at the start is refused.

import t from 'tap';
import { emptyFleet } from '../../lib/core/fleet/fleet-state.ts';
import type { DataPlane } from '../../lib/core/plane-ports.ts';
import { RingKeeper } from '../../lib/core/ring/ring-keeper.ts';
import type { RoutingPlan } from '../../lib/core/routing-plan.ts';
import { BalancerError } from '../../lib/errors.ts';
import { Publisher } from '../../lib/fleet/publisher.ts';
import { createLog } from '../../lib/log.ts';
import { descriptorLimit, shareDescriptors } from '../../lib/parts/descriptors.ts';
import { descriptorWishes, trafficSettings } from '../../lib/parts/limits.ts';
import { differences } from '../../lib/reload/differences.ts';
import type { MemberPorts } from '../../lib/reload/members.ts';
import { createReload } from '../../lib/reload/reload.ts';
import { takersOf } from '../../lib/reload/reloader.ts';
import type { Current, Taker } from '../../lib/reload/taker.ts';
import { hashOf, loadHashPair } from '../../lib/settings/hash-source.ts';
import { upstreams } from '../../lib/settings/lists/upstream.ts';
import { defaultOptions, type Options } from '../../lib/settings/options.ts';
import { OPTIONS } from '../../lib/settings/table.ts';
import { withOther } from '../fixtures/option-values.ts';
import { VirtualClock } from '../fixtures/virtual-clock.ts';

// With a key, so that the slow start counts, and with an access log.
const OPTIONS_BEFORE: Options = { ...defaultOptions(), key: [{ type: 'client' }], accessLog: 'all' };
const LIVE = [...OPTIONS].filter(([, { changes }]) => changes === 'live').map(([flag]) => flag);
const AT_START = [...OPTIONS].filter(([, { changes }]) => changes !== 'live').map(([flag]) => flag);

async function played() {
  const plans: RoutingPlan[] = [];
  let refusal: Error | undefined;
  const plane = {
    publish: async (plan: RoutingPlan) => {
      plans.push(plan);
      if (refusal !== undefined) throw refusal;
    },
    watch: () => () => undefined,
  } as unknown as DataPlane;
  const pair = await loadHashPair(OPTIONS_BEFORE);
  const current: Current = { options: OPTIONS_BEFORE, pair };
  const { slots, virtualNodes, slowStartMs } = OPTIONS_BEFORE;
  const rings = new RingKeeper({ pair, slots, virtualNodes, slowStartMs });
  const slowStarts: number[] = [];
  const change = rings.change.bind(rings);
  rings.change = (settings) => {
    slowStarts.push(settings.slowStartMs);
    change(settings);
  };
  const entries: Record<string, unknown>[] = [];
  const log = createLog(
    'info',
    (line) => entries.push(JSON.parse(line)),
    () => new Date(0),
  );
  const ports = { plane, rings, clock: new VirtualClock(), log, observe: () => undefined };
  const terms = {
    hash: hashOf(OPTIONS_BEFORE),
    slots,
    virtualNodes,
    explain: { needsToken: false, token: undefined, refusesProxied: false },
    traffic: trafficSettings(OPTIONS_BEFORE, shareDescriptors(descriptorLimit(), descriptorWishes(OPTIONS_BEFORE))),
  };
  const publisher = new Publisher(ports, terms, { failOpen: true, hasHeartbeats: true });
  await publisher.publish(emptyFleet(1));
  const members = { state: () => emptyFleet(1), slots, maxReplicas: 64 } as unknown as MemberPorts;
  const levels: string[] = [];
  const tellLogLevel = () => levels.push(log.level);
  const files: (string | undefined)[] = [];
  const peers: string[] = [];
  const usePeers = (urls: readonly string[]) => void peers.push(...urls);
  const useAccessFile = async (path: string | undefined) => void files.push(path);
  const takers = takersOf({ current, useAccessFile, rings, publisher, members, log, tellLogLevel, usePeers });
  const reloadTo = (next: Options, others: readonly Taker[] = []) =>
    createReload({ reread: async () => next, current, takers: [...takers, ...others], foresee: async () => ({}), log })(
      false,
    );
  const refuse = (error: Error | undefined) => {
    refusal = error;
  };
  return { plans, current, takers, reloadTo, log, entries, levels, slowStarts, files, peers, refuse };
}

async function failureOf(reload: Promise<unknown>): Promise<BalancerError> {
  const thrown = await reload.catch((error) => error);
  if (!(thrown instanceof BalancerError)) throw new Error(`no refusal: ${thrown}`);
  return thrown;
}

t.test('each live option has one part that takes it over, and no other option has any', async (t) => {
  const { takers } = await played();
  t.same(takers.flatMap(({ flags }) => flags).sort(), LIVE.toSorted());
});

t.test('each live option changes what the data plane, the rings, the log or the fleet go by', async (t) => {
  for (const flag of LIVE.filter((one) => one !== 'upstream' && one !== 'replicas')) {
    const { plans, current, reloadTo, levels, slowStarts, files, peers } = await played();
    const [before] = plans;
    const next = withOther(flag, OPTIONS_BEFORE);
    await reloadTo(next);
    t.equal(current.options, next, flag);
    const [last] = plans.slice(-1);
    if (flag === 'log') t.same(levels, [next.log]);
    else if (flag === 'access-log-file') t.same(files, [next.accessLogFile]);
    else if (flag === 'peers') t.same(peers, next.peers);
    else if (flag === 'slow-start') t.same(slowStarts, [next.slowStartMs]);
    // Autoscaling reads its options at each look.
    else if (flag.startsWith('autoscale')) t.equal(plans.length, 2, flag);
    else t.notSame({ ...last, version: 0 }, { ...before, version: 0 }, flag);
  }
});

t.test('whether requests may wait for a first replica is a new plan', async (t) => {
  const { plans, reloadTo } = await played();
  await reloadTo({ ...OPTIONS_BEFORE, autoscale: { least: 0, most: 3 } });
  t.equal(plans.at(-1)?.outage.mayEnd, true);
  await reloadTo({ ...OPTIONS_BEFORE, autoscale: { least: 1, most: 3 } });
  t.equal(plans.at(-1)?.outage.mayEnd, false);
});

t.test(
  'each option that is settled at the start is refused by name, with the reason, and changes nothing',
  async (t) => {
    const { plans, current, reloadTo, entries } = await played();
    for (const flag of AT_START) {
      const next = withOther(flag, OPTIONS_BEFORE);
      const { changes } = OPTIONS.get(flag) ?? {};
      const reason = typeof changes === 'object' ? changes.atStart : '';
      // One that could change beside it does not either.
      const error = await failureOf(reloadTo({ ...next, log: 'debug' }));
      t.equal(error.code, 'needs-restart', flag);
      t.match(error.message.split('\n')[0], new RegExp(`^[\\w-]+\\.${flag} .* → .* takes a restart: `, 's'));
      t.ok(error.message.includes(reason), flag);
      t.equal(error.message.split('\n').length, 2, flag);
    }
    t.equal(plans.length, 1);
    t.equal(current.options, OPTIONS_BEFORE);
    t.equal(entries.filter(({ event }) => event === 'config-refused').length, AT_START.length);
  },
);

t.test('all that is refused is told at once; a command, and whose the replicas are, are refused too', async (t) => {
  const { reloadTo } = await played();
  const upstream = new Map([['a:1', { address: { type: 'tcp', host: 'a', port: 1 } as const, weight: 1 }]]);
  const error = await failureOf(reloadTo({ ...OPTIONS_BEFORE, port: 1, slots: 64, command: ['x'], upstream }));
  t.match(error.message.split('\n'), [
    /^command \(none\) → x takes a restart: replicas that run/,
    /^service\.port 5000 → 1 takes a restart: what is listened on/,
    /^replicas\.upstream \(none\) → a:1 takes a restart: whether replicas are started here/,
    /^ring\.slots 512 → 64 takes a restart: /,
    /^nothing was changed$/,
  ]);
});

t.test('which names are looked up takes a restart', async (t) => {
  const upstream = upstreams.read('a:1') ?? new Map();
  const sought = upstreams.read('a:1,dns:a:80') ?? new Map();
  const [difference] = differences({ ...OPTIONS_BEFORE, upstream }, { ...OPTIONS_BEFORE, upstream: sought });
  t.match(difference, { from: 'a:1', to: 'a:1,dns:a:80', changes: { atStart: /names are looked up/ } });
});

t.test('secrets are in no message', async (t) => {
  const { reloadTo, entries } = await played();
  const next = { ...OPTIONS_BEFORE, adminToken: 's3cret', replicaEnv: new Map([['A', 's3cret']]) };
  const error = await failureOf(reloadTo(next));
  t.match(error.message, /admin-token \(none\) → \(not shown\)/);
  t.notMatch(error.message, /s3cret/);
  t.notMatch(JSON.stringify([entries, differences(OPTIONS_BEFORE, next)]), /s3cret/);
});

t.test('if one part cannot take its options over, none does', async (t) => {
  const failing = (when: 'begin' | 'finish'): Taker => ({
    flags: ['log'],
    begin: async () => {
      if (when === 'begin') throw new BalancerError('start-failed', 'no');
      return {
        finish: () => Promise.reject(new BalancerError('start-failed', 'no')),
        undo: () => undefined,
      };
    },
  });
  for (const when of ['begin', 'finish'] as const) {
    const { plans, current, reloadTo, log, entries } = await played();
    await t.rejects(reloadTo({ ...OPTIONS_BEFORE, log: 'error', queue: 7, hash: 'modulo' }, [failing(when)]), {
      code: 'start-failed',
    });
    t.equal(current.options, OPTIONS_BEFORE, when);
    t.equal(log.level, 'info');
    t.same(plans.at(-1)?.traffic, plans[0]?.traffic);
    t.same(plans.at(-1)?.hash, { name: 'even' });
    t.match(entries.at(-1), { event: 'config-refused', reasons: ['no'] });
  }
});

t.test('a plan that the data plane refuses is undone', async (t) => {
  const { plans, current, reloadTo, refuse } = await played();
  const { pair } = current;
  refuse(new Error('a worker cannot load it'));
  await t.rejects(reloadTo({ ...OPTIONS_BEFORE, hash: 'modulo' }), { message: /cannot load/ });
  t.same(plans.at(-1)?.hash, { name: 'even' });
  t.equal(current.pair, pair);
});

t.test('nothing that differs is no new plan', async (t) => {
  const { plans, reloadTo, entries } = await played();
  t.same(await reloadTo({ ...OPTIONS_BEFORE }), { changed: [] });
  t.equal(plans.length, 1);
  t.match(entries.at(-1), { event: 'config-reloaded', changed: [] });
});
