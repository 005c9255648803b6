// Makes the fleet what its sources of members want: first those that they name at the start, then each change.

import type { MemberChange, Membership } from '../../core/ports.ts';
import type { Supervisor } from '../supervisor.ts';

/** Begins the fleet. Resolves when `Supervisor.begin` does, with a function that stops following. */
export async function follow(
  supervisor: Pick<Supervisor, 'begin' | 'add' | 'remove' | 'change'>,
  sources: readonly Membership[],
): Promise<() => void> {
  const first = await Promise.all(sources.map((source) => source.first()));
  await supervisor.begin(first.flat());
  return followOn(supervisor, sources);
}

/** The same for a fleet that has begun: only changes from now on. */
export function followOn(
  supervisor: Pick<Supervisor, 'add' | 'remove' | 'change'>,
  sources: readonly Membership[],
): () => void {
  const make = async (change: MemberChange): Promise<void> => {
    switch (change.type) {
      case 'add':
        return supervisor.add(change.wishes);
      case 'remove':
        return supervisor.remove(change.replicas);
      case 'found':
        return supervisor.change(change);
    }
  };
  const unwatches = sources.map((source) => source.watch(make));
  return () => {
    for (const unwatch of unwatches) unwatch();
  };
}
