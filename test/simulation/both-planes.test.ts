// Both planes together in random histories: exchanges, agents and workers on virtual sockets and a virtual clock,
// beside the supervisor.

import t from 'tap';
import { runSeed } from '../fixtures/random.ts';
import { KEPT_SEEDS } from './planes/kept-seeds.ts';
import { playHistories } from './planes/play.ts';

const HISTORIES = Number(process.env.HISTORIES ?? 2000);
const THREADS = 2;
const MOST_TOLD = 40;
// On a machine that is busy with other things, fewer are played.
const LONGEST_MS = 300_000;

t.setTimeout(600_000);

t.test(`all promises are kept in each of ${HISTORIES} random histories`, async (t) => {
  const first = runSeed();
  let [histories, requests] = [0, 0];
  const playing = { first, count: HISTORIES, threads: THREADS, longestMs: LONGEST_MS };
  const failures = await playHistories(playing, (played) => {
    histories += played.histories;
    requests += played.requests;
  });
  for (const { seed, message, told } of failures) t.fail(`SEED=${seed}: ${message}`, { told: told.slice(-MOST_TOLD) });
  t.ok(requests > histories, `${histories} histories with ${requests} requests, seeds from ${first} on`);
});

t.test('no fault that was found once comes back', async (t) => {
  for (const { seed, found } of KEPT_SEEDS) {
    const [failure] = await playHistories({ first: seed, count: 1, threads: 1 });
    t.equal(failure?.message, undefined, `${seed}: ${found}`);
  }
  t.pass(`${KEPT_SEEDS.length} seeds`);
});

t.test('a seed gives the same history again', async (t) => {
  const seed = runSeed();
  const told: (readonly string[])[] = [];
  for (let times = 0; times < 2; times++) {
    await playHistories({ first: seed, count: 3, threads: 1, tells: true }, (played) => told.push(played.told));
  }
  const [once, again] = told;
  t.ok((once?.length ?? 0) > 20, `seed ${seed}`);
  t.same(again, once);
});
