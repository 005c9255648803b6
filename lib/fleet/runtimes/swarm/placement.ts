// Keeps the next replica of a seat away from nodes that have just lost one. The Swarm learns only after a while that a
// node is gone, and would place it there again. Pure.

import { hasEnded, isPreparing, type SwarmNode, type SwarmTask } from './task.ts';

/** A replica of the fleet and its task, if that was told. */
export interface Placed {
  readonly seat: number;
  readonly incarnation: number;
  readonly task: SwarmTask | undefined;
}

/**
 * The ids of nodes on which the replica should not be: those where an earlier one of any seat is still said to run
 * though another one has its seat, or its service is gone, and `doubtful` ones. None if no other node takes tasks.
 * @param left tasks of services that have been removed.
 */
export function nodesToAvoid(
  starting: Omit<Placed, 'task'>,
  there: readonly Placed[],
  left: readonly SwarmTask[],
  nodes: readonly SwarmNode[],
  doubtful: Iterable<string>,
): string[] {
  const youngest = new Map<number, number>();
  for (const { seat, incarnation } of [...there, starting]) {
    youngest.set(seat, Math.max(incarnation, youngest.get(seat) ?? 0));
  }
  const replaced = there.filter(({ seat, incarnation }) => youngest.get(seat) !== incarnation);
  const lasting = [...left, ...replaced.flatMap(({ task }) => task ?? [])].filter(
    (task) => !hasEnded(task) && !isPreparing(task),
  );
  const avoided = new Set([...doubtful, ...lasting.flatMap(({ NodeID }) => NodeID ?? [])]);
  const takesTasks = ({ Status, Spec }: SwarmNode) => Status.State === 'ready' && Spec?.Availability === 'active';
  const others = nodes.filter((node) => takesTasks(node) && !avoided.has(node.ID));
  return others.length === 0 ? [] : [...avoided].sort();
}
