// Members by a service of a Docker Swarm, whose tasks somebody else replaces. Swarm numbers the places of a service:
// each slot is a seat, whatever task is in it, so the list is exact. A service that runs once on every node has no
// slots: there it is the node. Swarm tells no events of tasks (moby#37403), so they are listed every second.

import Docker from 'dockerode';
import type { FoundMember } from '../../core/ports.ts';
import { attempt } from '../runtimes/docker/errors.ts';
import {
  addressOf,
  isRunning,
  isToEnd,
  type SwarmNode,
  type SwarmPort,
  type SwarmTask,
} from '../runtimes/swarm/task.ts';
import type { Source } from './found.ts';

export interface SwarmTerms extends Pick<Source, 'name' | 'weight'> {
  readonly service: string;
  /** The port that tasks listen on; `undefined`: the only one that the service publishes. */
  readonly port: number | undefined;
  /** The overlay network that this process shares with the tasks; empty: they publish their port on their nodes. */
  readonly network: string;
}

const LOOK_EVERY_MS = 1000;
const CALL_TIMEOUT_MS = 5000;

/** Of a service as the engine tells it, what matters here. */
export interface SwarmService {
  readonly ID: string;
  readonly Spec: { readonly EndpointSpec?: { readonly Ports?: readonly SwarmPort[] } };
}

export function swarmSource({ name, weight, ...terms }: SwarmTerms): Source {
  const docker = new Docker({ timeout: CALL_TIMEOUT_MS });
  const { service: service_ } = terms;
  return {
    ...{ name, weight, settleMs: 0 },
    look: async () => {
      const service = await attempt(`look at the service ${service_}`, () => docker.getService(service_).inspect());
      const filters = { service: [service.ID] };
      const [tasks, nodes] = await attempt(`list the tasks of ${service_}`, () =>
        Promise.all([docker.listTasks({ filters }), docker.listNodes()]),
      );
      return { members: membersIn(service, tasks, nodes, terms), againMs: LOOK_EVERY_MS };
    },
  };
}

/**
 * The members of a service: each slot, or node, that is to have a task, with the address of the one that runs there.
 * Throws if the service does not say on which port its tasks listen.
 */
export function membersIn(
  service: SwarmService,
  tasks: readonly SwarmTask[],
  nodes: readonly SwarmNode[],
  terms: Pick<SwarmTerms, 'service' | 'port' | 'network'>,
): FoundMember[] {
  const port = terms.port ?? onlyPort(service, terms.service);
  const nodeOf = new Map(nodes.map((node) => [node.ID, node]));
  const wanted = tasks.filter(({ DesiredState }) => DesiredState === 'running' || DesiredState === 'ready');
  const places = Map.groupBy(wanted, ({ Slot, NodeID }) => Slot ?? NodeID ?? '');
  const members = [...places].flatMap(([place, there]): FoundMember[] => {
    // A task of every node is listed before it has one.
    if (place === '') return [];
    const where = typeof place === 'number' ? place : (nodeOf.get(place)?.Description?.Hostname ?? place);
    const task = oldestRunning(there);
    const address = task && addressOf(task, nodeOf, port, terms.network);
    return [{ hostname: `${terms.service}.${where}`, address, ...(typeof place === 'number' ? { seat: place } : {}) }];
  });
  return members.sort((a, b) => a.hostname.localeCompare(b.hostname, 'en', { numeric: true }));
}

// Where an update starts the next task before it ends the last, both run: the older one serves until it is to end.
function oldestRunning(tasks: readonly SwarmTask[]): SwarmTask | undefined {
  return tasks
    .filter((task) => isRunning(task) && !isToEnd(task))
    .sort((a, b) => (a.CreatedAt < b.CreatedAt ? -1 : 1))[0];
}

function onlyPort({ Spec }: SwarmService, name: string): number {
  const ports = new Set(
    (Spec.EndpointSpec?.Ports ?? []).flatMap(({ Protocol = 'tcp', TargetPort }) =>
      Protocol === 'tcp' && TargetPort !== undefined ? [TargetPort] : [],
    ),
  );
  const [port] = ports;
  if (port !== undefined && ports.size === 1) return port;
  throw new Error(`${name} publishes ${ports.size} ports: say on which its tasks listen, as swarm:${name}:8080`);
}
