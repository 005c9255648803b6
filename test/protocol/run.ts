// Plays all cases against one contender, several lots at a time. Each lot has a proxy and replicas to itself.

import type { Case } from './case.ts';
import type { Contender } from './contenders.ts';
import { openStage } from './stage.ts';

export interface Verdict {
  readonly one: Case;
  /** Empty if the case holds. */
  readonly faults: readonly string[];
}

/** Resolves with a verdict for each case, in their order. @param lots is how many lots of each profile run at once. */
export async function playAll(contender: Contender, cases: readonly Case[], lots: number): Promise<readonly Verdict[]> {
  const verdicts = new Map<Case, readonly string[]>();
  const profiles = [...new Set(cases.map((one) => one.profile ?? 'plain'))];
  const work = profiles.flatMap((profile) => {
    const queue = cases.filter((one) => (one.profile ?? 'plain') === profile);
    return Array.from({ length: profile === 'plain' || profile === 'tight' ? lots : 1 }, async () => {
      const stage = await openStage(contender, profile);
      for (let one = queue.shift(); one !== undefined; one = queue.shift()) verdicts.set(one, await stage.play(one));
      await stage.close();
    });
  });
  await Promise.all(work);
  return cases.map((one) => ({ one, faults: verdicts.get(one) ?? ['was not played'] }));
}
