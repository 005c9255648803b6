// What a manager of the Swarm tells about a fleet at one moment: its services, the task of each, and the nodes.

import type Docker from 'dockerode';
import type { Address, ReplicaRef } from '../../../core/ports.ts';
import { LABEL, portIn, replicaOf } from '../docker/container.ts';
import { attempt } from '../docker/errors.ts';
import { addressOf, isRunning, type SwarmNode, type SwarmTask } from './task.ts';

export interface FleetView {
  readonly services: readonly FleetService[];
  /** By their ids. */
  readonly nodes: ReadonlyMap<string, SwarmNode>;
  /** Of the fleet, those of services that have been removed included. */
  readonly tasks: readonly SwarmTask[];
}

export interface FleetService {
  readonly service: Docker.Service;
  /** `undefined` if its labels are none that a balancer writes. */
  readonly replica: ReplicaRef | undefined;
  /** `undefined` while the manager has made none. */
  readonly task: SwarmTask | undefined;
  /** Where the replica listens, if it runs. One that is to end still answers, and is given time for that. */
  readonly address: Address | undefined;
}

/** @param network that this process shares with the replicas, if any. */
export async function viewFleet(docker: Docker, fleet: string, network: string | undefined): Promise<FleetView> {
  const filters = { label: [`${LABEL.fleet}=${fleet}`] };
  const [services, tasks, nodes] = await attempt('look at the services of the fleet', () =>
    Promise.all([
      docker.listServices({ filters }),
      docker.listTasks({ filters }) as Promise<SwarmTask[]>,
      docker.listNodes() as Promise<SwarmNode[]>,
    ]),
  );
  const nodeOf = new Map(nodes.map((node) => [node.ID, node]));
  const taskOf = new Map(tasks.toSorted(byAge).map((task) => [task.ServiceID, task]));
  return {
    nodes: nodeOf,
    tasks,
    services: services.map((service) => {
      const labels = service.Spec?.Labels ?? {};
      const task = taskOf.get(service.ID);
      const replica = replicaOf(labels, service.Spec?.Name);
      const runs = task !== undefined && replica !== undefined && isRunning(task);
      const address = runs ? addressOf(task, nodeOf, portIn(labels), network ?? '') : undefined;
      return { service, replica, task, address };
    }),
  };
}

function byAge(a: SwarmTask, b: SwarmTask): number {
  return a.CreatedAt < b.CreatedAt ? -1 : 1;
}
