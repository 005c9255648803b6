// Keeps the next replica away from nodes that have just lost one. The Swarm learns only after a while that a
// node is gone, and would place it there again. Pure.

import { hasEnded, isPreparing, type SwarmNode, type SwarmTask } from './task.ts';

/**
 * The ids of nodes on which the next replica should not be: those where one that is being ended is still said to run,
 * and `doubtful` ones. None if no other node takes tasks. In a roll, the one before is ended only when the next one
 * serves, so its node is none of them.
 * @param ending tasks of services that are being removed, or have been.
 */
export function nodesToAvoid(
  ending: readonly SwarmTask[],
  nodes: readonly SwarmNode[],
  doubtful: Iterable<string>,
): string[] {
  const lasting = ending.filter((task) => !hasEnded(task) && !isPreparing(task));
  const avoided = new Set([...doubtful, ...lasting.flatMap(({ NodeID }) => NodeID ?? [])]);
  const takesTasks = ({ Status, Spec }: SwarmNode) => Status.State === 'ready' && Spec?.Availability === 'active';
  const others = nodes.filter((node) => takesTasks(node) && !avoided.has(node.ID));
  return others.length === 0 ? [] : [...avoided].sort();
}
