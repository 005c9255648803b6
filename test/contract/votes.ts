// The contract of every store of votes.

import type { Test } from 'tap';
import { OPTIONS, type Votes } from '../../replica/votes.ts';

/** `open` returns another view of the same, empty store, as another replica would have it. */
export function votesContract(t: Test, open: () => Promise<Votes> | Votes): void {
  const zero = { docker: 0, helm: 0, kubernetes: 0, prometheus: 0 };

  t.test('nothing is counted at first; all options are there, in the order of the contract', async (t) => {
    const votes = await open();
    t.equal(JSON.stringify(await votes.counts()), JSON.stringify(zero));
  });

  t.test('a vote is counted, and seen by other replicas', async (t) => {
    const [one, other] = [await open(), await open()];
    t.same(await one.add({ option: 'helm', key: undefined }), { ...zero, helm: 1 });
    t.same(await other.counts(), { ...zero, helm: 1 });
    t.same(await other.add({ option: 'docker', key: undefined }), { ...zero, helm: 1, docker: 1 });
  });

  t.test('votes without a key are counted each time', async (t) => {
    const votes = await open();
    await votes.add({ option: 'helm', key: undefined });
    t.same(await votes.add({ option: 'helm', key: undefined }), { ...zero, helm: 2 });
  });

  t.test(
    'a vote that comes again with its key is answered and not counted, whichever replica it comes to',
    async (t) => {
      const [one, other] = [await open(), await open()];
      t.same(await one.add({ option: 'helm', key: 'a' }), { ...zero, helm: 1 });
      t.same(await one.add({ option: 'helm', key: 'a' }), { ...zero, helm: 1 });
      t.same(await other.add({ option: 'helm', key: 'a' }), { ...zero, helm: 1 });
      t.same(await other.add({ option: 'helm', key: 'b' }), { ...zero, helm: 2 });
    },
  );

  t.test('a key that belongs to a vote for another option is refused, and what came with it is counted', async (t) => {
    const votes = await open();
    await votes.add({ option: 'helm', key: 'a' });
    const [refused, counted] = await Promise.allSettled([
      votes.add({ option: 'docker', key: 'a' }),
      votes.add({ option: 'docker', key: 'c' }),
    ]);
    t.match(refused, { status: 'rejected', reason: { code: 'key-reused' } });
    t.equal(counted.status, 'fulfilled');
    t.same(await votes.counts(), { ...zero, helm: 1, docker: 1 });
  });

  t.test('many at once, each sent to two replicas: each is counted once', async (t) => {
    const views = [await open(), await open(), await open()];
    const sent = Array.from({ length: 600 }, (_, index) => ({
      option: OPTIONS[index % 4] as never,
      key: `key-${index}`,
    }));
    await Promise.all(sent.flatMap((vote, index) => [views[index % 3]?.add(vote), views[(index + 1) % 3]?.add(vote)]));
    t.same(await views[0]?.counts(), { docker: 150, helm: 150, kubernetes: 150, prometheus: 150 });
  });
}
