import t, { type Test } from 'tap';
import { startProxy, tcp } from '../fixtures/proxy.ts';
import { connectRaw } from '../fixtures/raw-client.ts';
import { type ScriptedReplica, scriptedReplica } from '../fixtures/scripted-replica.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

/**
 * Sends `count` requests, one after the other, to three replicas that never answer, and tells how many each has after
 * each.
 */
async function pileUp(
  t: Test,
  balanceFactor: number,
  count: number,
  balanceFloor = 1,
): Promise<{ held: number[][]; diverted: number }> {
  let arrived = () => {};
  const replicas: ScriptedReplica[] = [];
  for (let index = 0; index < 3; index++) replicas.push(await scriptedReplica(() => arrived()));
  // Every request belongs to the first of them.
  const proxy = await startProxy(
    replicas.map((replica) => tcp(replica.port)),
    { balanceFactor, balanceFloor },
  );
  t.teardown(async () => {
    await proxy.close();
    for (const replica of replicas) await replica.close();
  });
  const held: number[][] = [];
  for (let sent = 0; sent < count; sent++) {
    const here = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    (await connectRaw(proxy.port)).send(GET);
    await here;
    held.push(replicas.map(({ received }) => received.join('').split('GET /').length - 1));
  }
  return { held, diverted: proxy.proxy.meter.counters().diverted };
}

t.test('no replica is given a request that would put it above 1.25 times its part of those in flight', async (t) => {
  const { held, diverted } = await pileUp(t, 1.25, 24);
  held.forEach((counts, index) => {
    const bound = Math.ceil((1.25 * (index + 1)) / 3);
    t.ok(Math.max(...counts) <= bound, `${counts} of ${index + 1} in flight, at most ${bound}`);
  });
  t.same(held.at(-1), [10, 10, 4], 'the first as many as it may, then the next on the ring');
  t.equal(diverted, 14, 'and what it cost in affinity is counted');
});

t.test('a factor of 1 is an even load', async (t) => {
  t.same((await pileUp(t, 1, 9)).held.at(-1), [3, 3, 3]);
});

t.test('below the floor nothing is parted, and from there on the bound holds', async (t) => {
  const { held, diverted } = await pileUp(t, 1.25, 16, 4);
  t.same(held[3], [4, 0, 0]);
  t.same(held[7], [4, 4, 0]);
  t.same(held.at(-1), [7, 7, 2]);
  t.equal(diverted, 9);
});

t.test('without a bound every request goes where it belongs', async (t) => {
  const { held, diverted } = await pileUp(t, Number.POSITIVE_INFINITY, 9);
  t.same(held.at(-1), [9, 0, 0]);
  t.equal(diverted, 0);
});
