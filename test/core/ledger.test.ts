// What threads keep in common, by one thread and by four at once.

import { Worker } from 'node:worker_threads';
import t from 'tap';
import { Ledger, ledgerBytes, MOST_REPLICAS } from '../../lib/core/request/ledger.ts';
import { RetryBudget } from '../../lib/core/request/retry-budget.ts';
import { Rows } from '../../lib/core/request/rows.ts';

const NONE = Number.POSITIVE_INFINITY;
const alone = () => new Ledger(new ArrayBuffer(ledgerBytes(1)), 0);

t.test('a replica has no more places than the limit, and no more than its part of all times the factor', async (t) => {
  const ledger = alone();
  t.ok(ledger.take(0, 2, NONE, 1));
  t.ok(ledger.take(0, 2, NONE, 1));
  t.notOk(ledger.take(0, 2, NONE, 1), 'the limit');
  t.equal(ledger.inFlightAt(0), 2);
  t.equal(ledger.inFlight, 2);
  t.notOk(ledger.take(0, 9, 1.25, 0.5), 'of three, two is ⌈1.25 × 3 / 2⌉ already');
  t.ok(ledger.take(1, 9, 1.25, 0.5));
  ledger.give(0);
  ledger.give(0);
  ledger.give(1);
  t.equal(ledger.inFlight, 0);
});

t.test('there are no more connections than the limit', async (t) => {
  const ledger = alone();
  t.ok(ledger.connect(1));
  t.notOk(ledger.connect(1));
  t.equal(ledger.connections, 1);
  ledger.disconnect();
  t.ok(ledger.connect(1));
});

t.test('each thread knows its own part', async (t) => {
  const memory = new SharedArrayBuffer(ledgerBytes(2));
  const [one, other] = [new Ledger(memory, 0), new Ledger(memory, 1)];
  one.connect(9);
  one.connect(9);
  other.connect(9);
  other.wait(9);
  t.same([one.ownConnections, other.ownConnections, one.connections], [2, 1, 3]);
  t.same([one.ownWaiting, other.ownWaiting], [0, 1]);
});

t.test('ids go on where another process is, and are the same as in that one', async (t) => {
  const [one, next] = [alone(), alone()];
  for (let count = 0; count < 3; count++) one.nextDealt();
  one.nextNamed();
  t.same(one.ids, { dealt: 3, named: 1 });
  next.skipIds(one.ids);
  t.same([next.nextDealt(), next.nextNamed()], [3, 1]);
  const late = alone();
  late.skipIds({ dealt: 900_000 + 7, named: 0 });
  t.equal(late.nextDealt(), 7, 'ids come again after 900,000');
});

t.test('no more requests wait than the limit, in whatever thread', async (t) => {
  const memory = new SharedArrayBuffer(ledgerBytes(2));
  const [one, other] = [new Ledger(memory, 0), new Ledger(memory, 1)];
  t.ok(one.wait(2));
  t.ok(other.wait(2));
  t.notOk(one.wait(2));
  other.waitNoMore();
  t.ok(one.wait(2));
  one.giveBackOf(0);
  t.ok(other.wait(1), 'those of a thread that has ended wait no more');
});

t.test('a thread in which a request waits is told when another gives back a place, and only then', async (t) => {
  const memory = new SharedArrayBuffer(ledgerBytes(2));
  const [one, other] = [new Ledger(memory, 0), new Ledger(memory, 1)];
  const value = () => one.freedElsewhere?.value;
  other.wakeOthers();
  t.equal(value(), 0, 'nobody waits');
  one.wait(9);
  one.wakeOthers();
  t.equal(value(), 0, 'only this thread waits, and it knows');
  const { cells, cell, value: before } = one.freedElsewhere as NonNullable<typeof one.freedElsewhere>;
  const told = Atomics.waitAsync(cells, cell, before);
  other.wakeOthers();
  t.equal(value(), 1);
  t.equal(await told.value, 'ok');
  t.equal(alone().freedElsewhere, undefined, 'alone there is nobody to hear of');
});

t.test('numbers are given once each, and begin anew after a multiple of the ids', async (t) => {
  const ledger = alone();
  t.same([ledger.nextDealt(), ledger.nextDealt(), ledger.nextNamed()], [0, 1, 0]);
  const memory = new ArrayBuffer(ledgerBytes(1));
  // The cell that counts what was dealt.
  new Int32Array(memory)[2] = 899_999_999;
  const late = new Ledger(memory, 0);
  t.same([late.nextDealt(), late.nextDealt(), late.nextDealt()], [899_999_999, 0, 1]);
});

t.test('what a thread held that has ended is given back, and nothing of the others', async (t) => {
  const memory = new SharedArrayBuffer(ledgerBytes(2));
  const [one, other] = [new Ledger(memory, 0), new Ledger(memory, 1)];
  for (const ledger of [one, other, other]) {
    ledger.take(3, 9, NONE, 1);
    ledger.openTunnel(3, 9);
    ledger.connect(9);
  }
  t.same([one.inFlightAt(3), one.tunnelsAt(3)], [3, 3]);
  one.giveBackOf(1);
  t.same([one.inFlight, one.inFlightAt(3), other.inFlightAt(3), other.tunnelsAt(3)], [1, 1, 1, 1]);
  one.closeTunnel(3);
  t.equal(other.tunnelsAt(3), 0);
  t.ok(one.connect(2));
  t.notOk(one.connect(2));
});

t.test('a replica has no more tunnels than the limit', async (t) => {
  const ledger = alone();
  t.ok(ledger.openTunnel(0, 2));
  t.ok(ledger.openTunnel(0, 2));
  t.notOk(ledger.openTunnel(0, 2));
  t.equal(ledger.tunnelsAt(0), 2, 'what is refused is not counted');
  t.ok(ledger.openTunnel(1, 2), 'each replica has its own');
  ledger.closeTunnel(0);
  t.ok(ledger.openTunnel(0, 2));
  t.notOk(ledger.openTunnel(2, 0));
});

t.test('of tunnels that four threads open and close, no more are open at a time than the limit', async (t) => {
  const memory = new SharedArrayBuffer(ledgerBytes(4) + 8);
  // Behind the ledger: how many there are by the word of those that have one, and how often that was too many.
  const opened = await inThreads<number>(
    memory,
    `
    const [open, over] = [${ledgerBytes(4) / 4}, ${ledgerBytes(4) / 4 + 1}];
    const cells = new Int32Array(memory);
    let opened = 0;
    for (let round = 0; round < 100_000; round++) {
      if (!ledger.openTunnel(7, 2)) continue;
      opened += 1;
      if (Atomics.add(cells, open, 1) >= 2) Atomics.add(cells, over, 1);
      Atomics.sub(cells, open, 1);
      ledger.closeTunnel(7);
    }
    tell(opened);`,
  );
  const [open, over] = new Int32Array(memory, ledgerBytes(4));
  t.same([open, over], [0, 0]);
  t.ok(
    opened.every((count) => count > 0),
    'each thread had some',
  );
  t.equal(new Ledger(memory, 0).tunnelsAt(7), 0);
});

t.test('a row is one replica’s until it is given back; when there is none left, the last one is shared', async (t) => {
  const rows = new Rows();
  t.same([rows.rowOf(7), rows.rowOf(8), rows.rowOf(7)], [0, 1, 0]);
  rows.free(7);
  rows.free(7);
  t.equal(rows.rowOf(9), 0);
  for (let incarnation = 100; incarnation < 100 + MOST_REPLICAS; incarnation++) rows.rowOf(incarnation);
  t.equal(rows.rowOf(5), MOST_REPLICAS - 1);
  rows.free(5);
  t.equal(rows.rowOf(6), MOST_REPLICAS - 1);
});

// Runs that in four threads at once, each with `ledger`, `budget` and `tell`.
function inThreads<T>(memory: SharedArrayBuffer, code: string): Promise<T[]> {
  const before = `
    import { parentPort, workerData } from 'node:worker_threads';
    import { Ledger } from '${new URL('../../lib/core/request/ledger.ts', import.meta.url)}';
    import { RetryBudget } from '${new URL('../../lib/core/request/retry-budget.ts', import.meta.url)}';
    const { memory, thread } = workerData;
    const ledger = new Ledger(memory, thread);
    const budget = new RetryBudget({ retryBudget: 0, leastRetriesPerSecond: 100 }, ledger.budget);
    const tell = (what) => parentPort.postMessage(what);`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(before + code)}`);
  const run = (thread: number) =>
    new Promise<T>((resolve, reject) => {
      const worker = new Worker(url, { workerData: { memory, thread } });
      worker.on('message', resolve);
      worker.on('error', reject);
    });
  return Promise.all([0, 1, 2, 3].map(run));
}

t.test(
  'of a million admissions by four threads, all of which want the first of three, none is over the bound',
  async (t) => {
    const memory = new SharedArrayBuffer(ledgerBytes(4));
    const each = 250_000;
    const over = await inThreads<number>(
      memory,
      `
    const most = (total) => Math.ceil(1.25 * total / 3 - 1e-9);
    let admitted = 0, over = 0;
    while (admitted < ${each}) {
      const row = [0, 1, 2].find((one) => ledger.take(one, Infinity, 1.25, 1 / 3));
      if (row === undefined) continue;
      admitted += 1;
      // Nothing is given back, so the bound only grows: a count that is read first may not be over one that is read later. The three
      // other threads may have a place reserved that they will not get.
      const there = ledger.inFlightAt(row);
      if (there > most(ledger.inFlight + 3) + 3) over += 1;
    }
    tell(over);`,
    );
    const ledger = new Ledger(memory, 0);
    t.same(over, [0, 0, 0, 0]);
    t.equal(ledger.inFlight, 4 * each);
    const there = [0, 1, 2].map((row) => ledger.inFlightAt(row));
    t.equal(there[0], Math.ceil((1.25 * 4 * each) / 3), `as many as the first may have: ${there}`);
    t.ok((there[1] as number) <= Math.ceil((1.25 * 4 * each) / 3));
  },
);

t.test(
  'four threads that take and give back: each id once, one budget, no limit exceeded, nothing left over',
  async (t) => {
    const memory = new SharedArrayBuffer(ledgerBytes(4));
    const each = 100_000;
    const done = await inThreads<{ over: number; retries: number; ids: Int32Array }>(
      memory,
      `
    const held = [], ids = [];
    let over = 0, retries = 0;
    for (let tries = 0; ids.length < ${each}; tries++) {
      const row = tries % 3;
      if (ledger.take(row, 60, 1.25, 1 / 3)) {
        held.push(row);
        ids.push(ledger.nextDealt());
      }
      if (ledger.inFlightAt(row) > 60 + 3) over += 1;
      if (held.length > 40 || (tries % 7 === 0 && held.length > 0)) ledger.give(held.shift());
      if (ids.length % 50 === 0 && budget.withdraw()) retries += 1;
    }
    for (const row of held) ledger.give(row);
    tell({ over, retries, ids: Int32Array.from(ids) });`,
    );
    const ledger = new Ledger(memory, 0);
    t.same(
      done.map(({ over }) => over),
      [0, 0, 0, 0],
    );
    const times = new Uint8Array(4 * each);
    for (const { ids } of done) for (const id of ids) times[id] = (times[id] as number) + 1;
    t.ok(
      times.every((count) => count === 1),
      'each number once',
    );
    t.same([ledger.inFlight, ledger.inFlightAt(0), ledger.inFlightAt(1), ledger.inFlightAt(2)], [0, 0, 0, 0]);
    // 100 a second for the ten seconds that are remembered: time stands still here.
    t.equal(
      done.reduce((sum, { retries }) => sum + retries, 0),
      1000,
    );
    t.notOk(new RetryBudget({ retryBudget: 0, leastRetriesPerSecond: 100 }, ledger.budget).withdraw());
  },
);
