import t from 'tap';
import { Ledger, ledgerBytes } from '../../lib/core/request/ledger.ts';
import { BalancerError } from '../../lib/errors.ts';
import { type Waiting, WaitingLine } from '../../lib/proxy/exchange/waiting-line.ts';

/** A line, and who was shed from it. @param most how many may wait at once in `join`. */
function lineOf(shedsWritesFirst: boolean, maxQueued = 1000) {
  const ledger = new Ledger(new ArrayBuffer(ledgerBytes(1)), 0);
  const line = new WaitingLine({ maxQueued, shedsWritesFirst }, ledger, () => new BalancerError('shed', 'too many'));
  const shed: string[] = [];
  const served: string[] = [];
  const waiting = (name: string, attempts = 0): Waiting => {
    const one: Waiting = {
      request: { method: name.startsWith('w') ? 'POST' : 'GET' },
      attempts,
      onRoom: () => {
        served.push(name);
        line.leave(one);
        return 'gone';
      },
      fail: ({ code }) => {
        t.equal(code, 'shed');
        shed.push(name);
      },
    };
    return one;
  };
  return { ledger, line, shed, served, waiting };
}

t.test('of those that have to go, the newest go first, and those that write before those that read', async (t) => {
  const { ledger, line, shed, served, waiting } = lineOf(true);
  for (const name of ['r1', 'w1', 'r2', 'w2', 'r3']) t.ok(line.join(waiting(name)));
  line.shorten(2);
  t.same(shed, ['w2', 'w1', 'r3']);
  t.equal(ledger.ownWaiting, 2);
  line.serve();
  t.same(served, ['r1', 'r2'], 'the others are served in the order in which they came');
});

t.test('or those that read before those that write', async (t) => {
  const { line, shed, waiting } = lineOf(false);
  for (const name of ['r1', 'w1', 'r2', 'w2', 'r3']) line.join(waiting(name));
  line.shorten(1);
  t.same(shed, ['r3', 'r2', 'r1', 'w2']);
});

t.test('who comes to a full line has to go, or makes one go that goes before it', async (t) => {
  const { line, shed, waiting } = lineOf(true);
  for (const name of ['w1', 'r1']) t.ok(line.join(waiting(name), 2));
  t.notOk(line.join(waiting('w2'), 2));
  t.ok(line.join(waiting('r2'), 2));
  t.same(shed, ['w1']);
  t.notOk(line.join(waiting('r3'), 2), 'nobody is left who goes before it');
});

t.test('who was let in once is never shed', async (t) => {
  const { line, shed, waiting } = lineOf(true);
  t.ok(line.join(waiting('w1', 1), 0));
  t.ok(line.join(waiting('r1', 1), 0));
  line.join(waiting('r2'));
  line.shorten(0);
  t.same(shed, ['r2']);
});

t.test('the limit of all lines holds besides', async (t) => {
  const { line, waiting } = lineOf(true, 1);
  t.ok(line.join(waiting('r1'), 5));
  t.notOk(line.join(waiting('r2'), 5));
});

t.test('memory of those that have left is given back', async (t) => {
  const { line, shed, waiting } = lineOf(true);
  const kept = waiting('w0');
  line.join(kept);
  for (let count = 0; count < 1000; count++) {
    const one = waiting('w');
    line.join(one);
    line.leave(one);
  }
  line.shorten(0);
  t.same(shed, ['w0'], 'and who waits is found behind them');
});
