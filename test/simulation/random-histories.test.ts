import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { runSeed } from '../fixtures/random.ts';
import type { Failure, Lot } from './player.ts';
import { World } from './world.ts';

const HISTORIES = Number(process.env.HISTORIES ?? 2000);
const THREADS = 2;

t.setTimeout(600_000);

t.test(
  `the fleet is whole, and nothing is left over, after each of ${HISTORIES} random histories`,

  async (t) => {
    const first = runSeed();
    const play = async (thread: number): Promise<Failure | undefined> => {
      const lot: Lot = { first: first + thread, step: THREADS, end: first + HISTORIES };
      const [failure] = await once(new Worker(new URL('player.ts', import.meta.url), { workerData: lot }), 'message');
      return failure;
    };
    const failures = await Promise.all(Array.from({ length: THREADS }, (_, thread) => play(thread)));
    for (const { seed, message, history } of failures.filter((one) => one !== undefined)) {
      t.fail(`SEED=${seed}: ${message}`, { history });
    }
    t.pass(`seeds ${first} to ${first + HISTORIES - 1}`);
  },
);

t.test('a seed gives the same history again', async (t) => {
  const seed = runSeed();
  const histories = [new World(seed), new World(seed)];
  for (const world of histories) await world.play();
  const [once, again] = histories.map(({ history }) => history);
  t.ok((once?.length ?? 0) > 5, `seed ${seed}`);
  t.same(again, once);
});
