// What a run says of the time that is left, and what it takes for a change of the program.

import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { hasChanges } from '../../bench/machine.ts';
import { createProgress, estimateSeconds } from '../../bench/progress.ts';
import { planOf } from '../../bench/scenarios.ts';

t.test('the time that is left is reckoned by how long the parts before took here', async (t) => {
  const plan = planOf(true);
  const parts = ['spread', 'recovery', 'overload'] as const;
  const [first, second, third] = parts.map((part) => estimateSeconds(part, plan)) as [number, number, number];
  const lines: string[] = [];
  let nowMs = 0;
  const progress = createProgress(
    { parts, plan },
    (line) => lines.push(line),
    () => nowMs,
  );
  const left = () => Number(/about (\d+) s left$/.exec(lines.at(-1) ?? '')?.[1]);
  progress.tell('spread');
  t.equal(left(), Math.round(first + second + third), 'at first by the estimate');
  nowMs = 2 * first * 1000;
  progress.done('spread');
  progress.tell('recovery');
  t.equal(left(), Math.round(2 * (second + third)), 'on a machine half as fast, twice as long');
  nowMs += 2 * second * 1000;
  progress.done('recovery');
  progress.tell('overload', 0.5, 'overload');
  t.ok(left() > third / 2 && left() < 2 * third, 'and what is done of a part counts');
  nowMs = 300_000;
  progress.finish();
  t.equal(lines.at(-1), 'bench: took 5 min');
});

const isCheckout = () => {
  try {
    return execFileSync('git', ['rev-parse', '--is-inside-work-tree'], { encoding: 'utf8' }).trim() === 'true';
  } catch {
    return false;
  }
};

t.test(
  'a hash of one’s own in the checkout is no change of the program',
  {
    skip: isCheckout() ? false : 'this is no checkout',
  },
  async (t) => {
    const mine = fileURLToPath(new URL('../../own-hash-of-a-test.ts', import.meta.url));
    const before = hasChanges(mine);
    t.teardown(() => rmSync(mine, { force: true }));
    writeFileSync(mine, 'export const requestSlot = (key: number) => key;\n');
    t.equal(hasChanges(mine), before, 'with it as without it');
    t.equal(hasChanges(undefined), true, 'while any other new file is one');
    t.equal(hasChanges('/elsewhere/mine.ts'), true, 'also beside one that is elsewhere');
  },
);
