// The fault matrix: all 96 cells come out as lib/README.md says, in the time that it says, and requests beside them are
// answered as ever.

import { readFileSync } from 'node:fs';
import { platform } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { quantile } from '../../bench/statistics.ts';
import { CELLS } from './fault-matrix/cells.ts';
import { type MatrixStage, openStage } from './fault-matrix/stage.ts';
import { matrixTable, tableIn } from './fault-matrix/table.ts';
import { faultsOf } from './fault-matrix/verdict.ts';

// `npm run matrix` holds the cells to half a second, and the requests beside them to twice their time. Here the machine
// may be busy with something else, so only what waits for a fault shows, and it has to show each time.
const GRACE_MS = 20_000;
const FLOOR_MS = 1000;
const NOISE_FACTOR = 5;
const TRIALS = 3;
const PER_SECOND = 50;
const QUIET_MS = 3000;

const skip = platform() === 'linux' ? false : 'what becomes of a SYN is told by the /proc of Linux';

async function beside<T>(stage: MatrixStage, work: () => Promise<T>) {
  const stopBystanders = stage.bystanders(PER_SECOND);
  // How long they take because the machine is busy.
  const stopOthers = stage.pastBalancer(PER_SECOND);
  const result = await work();
  const [{ tookMs, failures }, direct] = await Promise.all([stopBystanders(), stopOthers()]);
  return { result, failures, p99Ms: quantile(tookMs, 0.99), noiseMs: quantile(direct.tookMs, 0.99) };
}

t.test('each fault in each phase has its outcome, in its time, and costs nobody else', { skip }, async (t) => {
  const stage = await openStage();
  t.teardown(() => stage.close());
  let isCalm = false;
  for (let trial = 1; trial <= TRIALS && !isCalm; trial++) {
    const before = await beside(stage, () => sleep(QUIET_MS));
    const during = await beside(stage, () => stage.play());
    t.equal(during.result.length, 8 * 6 * 2);
    for (const played of during.result) {
      const { fault, phase, method } = played.cell;
      t.same(faultsOf(played, GRACE_MS), [], `${fault}, ${phase}, ${method}`);
    }
    t.same([...before.failures, ...during.failures], []);
    isCalm = during.p99Ms < Math.max(2 * before.p99Ms, FLOOR_MS, NOISE_FACTOR * during.noiseMs);
    t.comment(`p99 ${during.p99Ms} ms beside the faults, ${before.p99Ms} ms without, ${during.noiseMs} ms of noise`);
  }
  t.ok(isCalm, 'requests beside the faults do not wait for them');
});

t.test('the table in lib/README.md is that of the cells', (t) => {
  t.equal(CELLS.length, 96);
  t.equal(tableIn(readFileSync(new URL('../../lib/README.md', import.meta.url), 'utf8')), matrixTable());
  t.end();
});
