// The fleet as its sources want it: it begins with whom they name first, then makes each change as it comes.

import type { MemberChange, Membership } from '../../core/ports.ts';
import type { Supervisor } from '../supervisor.ts';

/** Begins the fleet. Resolves as `Supervisor.begin` does, with the function that ends the watch. */
export async function follow(
  supervisor: Pick<Supervisor, 'begin' | 'add' | 'remove'>,
  sources: readonly Membership[],
): Promise<() => void> {
  const first = await Promise.all(sources.map((source) => source.first()));
  await supervisor.begin(first.flat());
  const make = (change: MemberChange) =>
    change.type === 'add' ? supervisor.add(change.wishes) : supervisor.remove(change.replicas);
  const unwatches = sources.map((source) => source.watch(make));
  return () => {
    for (const unwatch of unwatches) unwatch();
  };
}
