// Stops a replica: removes its service, and waits until its task has ended.

import type Docker from 'dockerode';
import type { Clock, ReplicaRef } from '../../../core/ports.ts';
import { attempt, unlessGone } from '../docker/errors.ts';
import type { FleetView } from './fleet-view.ts';
import { wholeSeconds } from './service.ts';
import { hasEnded, isToEnd, type SwarmTask } from './task.ts';

const FIRST_LOOK_MS = 50;
const LONGEST_LOOK_MS = 500;
export interface Stop {
  readonly docker: Docker;
  readonly replica: ReplicaRef;
  readonly look: () => Promise<FleetView>;
  readonly clock: Clock;
  /** How long a replica that is to end may take. */
  readonly graceMs: number;
}

// Longer than a node takes to tell what it did.
const REPORT_MS = 3000;

/**
 * Removes the services of a replica. Resolves when their tasks have ended, with `undefined`; or with the name of a node
 * that has not told so for too long: the Swarm ends it when that node is back.
 */
export async function stopServices({ docker, replica, look, clock, graceMs }: Stop): Promise<string | undefined> {
  const before = await look();
  const ours = before.services.filter((one) => one.replica?.incarnation === replica.incarnation);
  const waited = { look, clock, dueMs: clock.now() + wholeSeconds(graceMs) + REPORT_MS };
  // Where a node is drained, the Swarm has told the replica to end, which finishes its requests. That would be cut
  // short if its service went now.
  const told = ours.flatMap(({ task }) => (task !== undefined && isToEnd(task) ? [task.ServiceID] : []));
  if (told.length > 0) await untilEnded(new Set(told), waited);
  for (const { service } of ours) {
    const remove = () => docker.getService(service.ID).remove().catch(unlessGone);
    await attempt(`remove ${replica.hostname}`, remove);
  }
  return untilEnded(new Set(ours.map(({ service }) => service.ID)), waited);
}

// Resolves with the name of a node that does not tell it.
async function untilEnded(
  services: ReadonlySet<string>,
  { look, clock, dueMs }: Pick<Stop, 'look' | 'clock'> & { readonly dueMs: number },
): Promise<string | undefined> {
  for (let pauseMs = FIRST_LOOK_MS; ; pauseMs = Math.min(LONGEST_LOOK_MS, 1.5 * pauseMs)) {
    // Once the services are gone, whoever tried the stop again would find nothing to wait for.
    const view = await look().catch((error) => {
      if (clock.now() > dueMs) throw error;
    });
    if (view !== undefined) {
      const isLeft = (task: SwarmTask) => services.has(task.ServiceID) && !hasEnded(task) && task.NodeID !== undefined;
      const left = view.tasks.find(isLeft);
      if (left === undefined) return undefined;
      const node = view.nodes.get(left.NodeID ?? '');
      if (node?.Status.State === 'down' || clock.now() > dueMs) return node?.Description?.Hostname ?? left.NodeID;
    }
    await clock.sleep(pauseMs);
  }
}
