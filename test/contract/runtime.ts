// The contract of every ReplicaRuntime, as one suite for all of them.

import type { Test } from 'tap';
import type { Address, ReplicaRef, ReplicaRuntime, RuntimeNews } from '../../lib/core/ports.ts';

export interface RuntimeUnderTest {
  readonly runtime: ReplicaRuntime;
  /** Ends a replica from outside, as a crash would. */
  kill(replica: ReplicaRef): Promise<void>;
  /** Whether the replica at that address answers its heartbeat. */
  answers(address: Address): Promise<boolean>;
  /** Makes the next start fail, if the test knows how. */
  breakNextStart?: () => void;
}

let incarnation = Date.now();

function replica(seat: number): ReplicaRef {
  incarnation += 1;
  return { seat, incarnation, hostname: `contract_${incarnation.toString(36)}` };
}

/** Adds the contract's tests to `t`. `create` is called for each test. */
export function runtimeContract(t: Test, create: () => Promise<RuntimeUnderTest>): void {
  const limit = () => AbortSignal.timeout(30_000);
  const check = (name: string, run: (t: Test, under: RuntimeUnderTest) => Promise<void>) =>
    t.test(name, async (t) => {
      const under = await create();
      t.teardown(async () => {
        for (const { replica } of await under.runtime.list()) await under.runtime.stop(replica, 0);
        await under.runtime.close();
      });
      await under.runtime.begin();
      await run(t, under);
    });

  t.test('one that was created and never begun is ended without harm', async () => {
    const { runtime } = await create();
    await runtime.close();
  });

  check('a started replica answers at its address and is listed with it', async (t, { runtime, answers }) => {
    const [one, two] = [replica(1), replica(2)];
    const [first, second] = await Promise.all([runtime.start(one, limit()), runtime.start(two, limit())]);
    t.notSame(first, second);
    await until(() => answers(first));
    await until(() => answers(second));
    const listed = await runtime.list();
    const sorted = listed.toSorted((a, b) => a.replica.incarnation - b.replica.incarnation);
    t.same(
      // The age is left out, since only some runtimes know it.
      sorted.map(({ replica, address }) => ({ replica, address })),
      [
        { replica: one, address: first },
        { replica: two, address: second },
      ],
    );
  });

  check(
    'a stopped replica is gone, with and without grace; to stop it again does no harm',
    async (t, { runtime, answers }) => {
      for (const graceMs of [0, 2000]) {
        const one = replica(1);
        const address = await runtime.start(one, limit());
        await until(() => answers(address));
        await runtime.stop(one, graceMs);
        t.same(await runtime.list(), []);
        t.notOk(await answers(address));
        await runtime.stop(one, graceMs);
      }
    },
  );

  check('one that was never started counts as stopped', async (_t, { runtime }) => {
    await runtime.stop(replica(1), 1000);
  });

  check(
    'the end of a replica is told, and the list does not show it as running',
    async (t, { runtime, kill, answers }) => {
      const told: RuntimeNews[] = [];
      const unwatch = runtime.watch((news) => told.push(news));
      const one = replica(1);
      const address = await runtime.start(one, limit());
      await until(() => answers(address));
      await kill(one);
      await until(() => told.some((news) => news.type === 'exited' && news.replica.incarnation === one.incarnation));
      t.match(
        told.find((news) => news.type === 'exited'),
        { replica: one, reason: /./ },
      );
      const listed = await runtime.list();
      t.ok(listed.every((present) => present.address === undefined));
      await runtime.stop(one, 0);
      t.same(await runtime.list(), [], 'stopping it takes away what is left of it');
      unwatch();
    },
  );

  check('nothing is told after the watch has ended', async (t, { runtime, kill, answers }) => {
    const told: RuntimeNews[] = [];
    runtime.watch((news) => told.push(news))();
    const one = replica(1);
    const address = await runtime.start(one, limit());
    await until(() => answers(address));
    await kill(one);
    await until(async () => !(await answers(address)));
    t.same(told, []);
  });

  check('a start that was given up before it began makes nothing', async (t, { runtime }) => {
    await t.rejects(runtime.start(replica(1), AbortSignal.abort(new Error('not wanted'))), { message: 'not wanted' });
    t.same(await runtime.list(), []);
  });

  check('a start that is given up on the way leaves nothing behind', async (t, { runtime }) => {
    const giveUp = new AbortController();
    const one = replica(1);
    const starting = runtime.start(one, giveUp.signal);
    giveUp.abort(new Error('not wanted'));
    await t.rejects(starting);
    await runtime.stop(one, 0);
    t.same(await runtime.list(), []);
  });

  check('a start that fails says why and leaves nothing behind', async (t, { runtime, breakNextStart }) => {
    if (breakNextStart === undefined) {
      t.pass('not tried', { skip: 'nobody knows how to make a start of this runtime fail' });
      return;
    }
    breakNextStart();
    const one = replica(1);
    await t.rejects(runtime.start(one, limit()), { name: 'BalancerError', message: /./ });
    await runtime.stop(one, 0);
    t.same(await runtime.list(), []);
  });
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`still not: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
