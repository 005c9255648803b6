// A short run of `npm run chaos`: each kind of fault befalls the real program once, and no promise is broken.

import t from 'tap';
import { kindsOf, planFaults } from '../../bench/harness/chaos/plan.ts';
import { playChaos } from '../../bench/harness/chaos/play.ts';
import { removeTraces } from '../../bench/harness/chaos/stage.ts';

const LENGTH_MS = 20_000;
// A busy machine may take its time, which is not what this is about.
const WHOLE_WITHIN_MS = 60_000;

t.setTimeout(300_000);

t.test('two workers and four replicas keep all promises through a fault of each kind', async (t) => {
  const terms = { workers: 2, runtime: 'process', replicas: 4, rate: 100 } as const;
  const kinds = kindsOf(terms);
  const everyMs = LENGTH_MS / (kinds.length + 2);
  const seed = Number(process.env.SEED ?? 17);
  const playOnce = async () => {
    t.comment(`seed ${seed}: npm run chaos -- --seed ${seed} --minutes ${LENGTH_MS / 60_000} --workers 2 --rate 100`);
    const plan = { ...terms, seed, lengthMs: LENGTH_MS, everyMs, wholeWithinMs: WHOLE_WITHIN_MS };
    return { plan, ...(await playChaos(plan, (words) => t.comment(words))) };
  };
  let played = await playOnce();
  if (played.convictions.length > 0) {
    // What a machine without time has done to one run, it does not do to the next one. What we did wrong is done again.
    for (const { rule, words } of played.convictions) t.comment(`${rule}: ${words}`);
    t.comment(`what was written down is in ${played.directory}`);
    played = await playOnce();
  }
  const { plan, history, convictions, leaks, misses, directory } = played;
  t.same(convictions, []);
  t.same(leaks, []);
  // An upgrade may be refused while replicas come and go.
  for (const miss of misses) t.comment(`not done: ${miss}`);
  t.ok(misses.length < kinds.length / 2);
  const done = history.happenings.flatMap((one) => (one.is === 'fault' ? [one.kind] : []));
  t.same(
    done.sort(),
    planFaults(plan)
      .map(({ kind }) => kind)
      .sort(),
  );
  t.ok(history.asked.filter(({ outcome, status }) => outcome === 'answered' && status === 200).length > 500);
  if (t.passing()) await removeTraces({ directory });
  else t.comment(`what was written down is in ${directory}`);
});
