// Makes the fleet what its sources of members want: first those that they name at the start, then each change.

import type { MemberChange, Membership } from '../../core/ports.ts';
import type { Supervisor } from '../supervisor.ts';

type Followed = 'add' | 'remove' | 'change';

/** Begins the fleet. Resolves when `Supervisor.begin` does, with a function that stops following. */
export async function follow(
  supervisor: Pick<Supervisor, 'begin' | Followed>,
  sources: readonly Membership[],
): Promise<() => void> {
  const first = await Promise.all(sources.map((source) => source.first()));
  const listed = await Promise.all(sources.map((source) => source.listed?.() ?? []));
  await supervisor.begin(first.flat(), listed.flat());
  return followOn(supervisor, sources);
}

/** The same for a fleet that has begun: only changes from now on. */
export function followOn(supervisor: Pick<Supervisor, Followed>, sources: readonly Membership[]): () => void {
  const make = async (change: MemberChange): Promise<void> => {
    switch (change.type) {
      case 'add':
        return supervisor.add(change.wishes);
      case 'remove':
        return supervisor.remove(change.replicas);
      case 'list':
        // How those that join are, shows by and by: nobody waits for it.
        return supervisor.change({ type: 'members', members: change.members, slowly: true });
      case 'found':
        return supervisor.change(change);
    }
  };
  const unwatches = sources.map((source) => source.watch(make));
  return () => {
    for (const unwatch of unwatches) unwatch();
  };
}
