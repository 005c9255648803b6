// A replica as a service of a Swarm: its specification, and how that differs from what an earlier balancer made. The
// Swarm places the one task of it, and starts no other when that ends: the supervisor does.

import type Docker from 'dockerode';
import type { ReplicaRef } from '../../../core/ports.ts';
import { withOwnValues } from '../command.ts';
import { type MadeWith, wantedOf, written } from '../docker/adopted.ts';
import {
  type ContainerSettings,
  labelsOf,
  MOST_PROCESSES,
  ownValues,
  portIn,
  variablesOf,
} from '../docker/container.ts';

export interface SwarmSettings extends ContainerSettings {
  /** Where replicas may run, as the Swarm writes it: `node.labels.zone==a`. */
  readonly constraints: readonly string[];
  /** Names of secrets of the Swarm, each of which replicas have as a file of that name in /run/secrets. */
  readonly secrets: readonly string[];
  /** Variables whose values nobody may read at the manager. Replicas have them as files, named by `NAME_FILE`. */
  readonly hidden: ReadonlyMap<string, string>;
  /** How long a replica that is to end may take. */
  readonly graceMs: number;
}

/** A secret of the Swarm, and the file in /run/secrets that a replica has it as. */
export interface SecretFile {
  readonly id: string;
  readonly name: string;
  readonly file: string;
}

/** As many ms as the node gives a replica that is to end: it cuts off what is less than a second. */
export function wholeSeconds(ms: number): number {
  return 1000 * Math.ceil(ms / 1000);
}

export type ServiceSpec = Docker.CreateServiceOptions;

/** @param avoided ids of nodes on which it is not to be. */
export function serviceSpec(
  replica: ReplicaRef,
  image: string,
  settings: SwarmSettings,
  secrets: readonly SecretFile[],
  avoided: readonly string[],
): ServiceSpec {
  const { command, network, volumes, memoryBytes, cpus, isLockedDown, hasInit, constraints, graceMs } = settings;
  const { hostname } = replica;
  const own = ownValues(replica, settings);
  const tmp = { Type: 'tmpfs', Target: '/tmp', TmpfsOptions: { SizeBytes: 16 * 2 ** 20 } };
  const spec = {
    Name: hostname,
    Labels: labelsOf(replica, settings),
    Mode: { Replicated: { Replicas: 1 } },
    TaskTemplate: {
      ContainerSpec: {
        Image: image,
        Hostname: hostname,
        Env: variablesIn(replica, settings),
        ...(command.length === 0 ? {} : { Args: command.map((part) => withOwnValues(part, own)) }),
        Mounts: [
          ...[...volumes].map(([path, name]) => ({ Type: 'volume', Source: name, Target: path })),
          ...(isLockedDown ? [tmp] : []),
        ],
        // The Swarm would wait for the image's own check before it says that the task runs, and end one that fails it.
        // The supervisor's heartbeats decide that.
        HealthCheck: { Test: ['NONE'] },
        Secrets: secrets.map(({ id, name, file }) => ({
          ...{ SecretID: id, SecretName: name },
          File: { Name: file, UID: '0', GID: '0', Mode: 0o444 },
        })),
        StopGracePeriod: 1e6 * wholeSeconds(graceMs),
        // Engines older than 25 pass over it.
        Privileges: { NoNewPrivileges: true },
        ...(isLockedDown ? { ReadOnly: true, CapabilityDrop: ['ALL'] } : {}),
        ...(hasInit ? { Init: true } : {}),
      },
      Resources: { Limits: { MemoryBytes: memoryBytes, NanoCPUs: Math.round(cpus * 1e9), Pids: MOST_PROCESSES } },
      RestartPolicy: { Condition: 'none' },
      Placement: { Constraints: [...constraints, ...avoided.map((id) => `node.id!=${id}`)] },
      ...(network === undefined ? {} : { Networks: [{ Target: network, Aliases: [hostname] }] }),
    },
    EndpointSpec: {
      // Its only task is asked by address, so no virtual one is needed.
      Mode: 'dnsrr',
      ...(network === undefined
        ? { Ports: [{ Protocol: 'tcp', TargetPort: settings.port, PublishMode: 'host' }] }
        : {}),
    },
  };
  // The types know neither limits of processes nor capabilities.
  return spec as unknown as ServiceSpec;
}

/** What a service of an earlier balancer was made with, and what one made now would have. */
export function compared(
  { Spec }: Docker.Service,
  replica: ReplicaRef,
  image: string,
  settings: SwarmSettings,
): { readonly made: MadeWith; readonly now: MadeWith } {
  const { ContainerSpec = {}, Resources, Placement } = (Spec?.TaskTemplate ?? {}) as SpecRead;
  const { MemoryBytes = 0, NanoCPUs = 0 } = Resources?.Limits ?? {};
  const mounts = (ContainerSpec.Mounts ?? []).filter(({ Type }) => Type === 'volume');
  const constraints = (Placement?.Constraints ?? []).filter((one) => !one.startsWith('node.id!='));
  return {
    made: {
      memoryBytes: MemoryBytes,
      cpus: NanoCPUs / 1e9,
      image: ContainerSpec.Image ?? '',
      port: portIn(Spec?.Labels ?? {}),
      volumes: written(mounts.map(({ Source, Target }) => [Target, Source])),
      placement: constraints.join(', '),
      secrets: listed((ContainerSpec.Secrets ?? []).map(({ File }) => File?.Name ?? '')),
      variables: ContainerSpec.Env ?? [],
    },
    now: {
      ...wantedOf(replica, image, settings),
      placement: settings.constraints.filter((one) => !one.startsWith('node.id!=')).join(', '),
      secrets: listed([...settings.secrets, ...settings.hidden.keys()]),
      variables: variablesIn(replica, settings),
    },
  };
}

// The names of the files are those of secrets that were given; the names of secrets made here are drawn.
function listed(files: readonly string[]): string {
  return files.toSorted().join(', ');
}

interface SpecRead {
  readonly ContainerSpec?: {
    readonly Image?: string;
    readonly Env?: readonly string[];
    readonly Secrets?: readonly { readonly File?: { readonly Name?: string } }[];
    readonly Mounts?: readonly { readonly Type: string; readonly Source?: string; readonly Target?: string }[];
  };
  readonly Resources?: { readonly Limits?: { readonly MemoryBytes?: number; readonly NanoCPUs?: number } };
  readonly Placement?: { readonly Constraints?: readonly string[] };
}

function variablesIn(replica: ReplicaRef, settings: SwarmSettings): string[] {
  const files = [...settings.hidden].map(([name]) => `${name}_FILE=/run/secrets/${name}`);
  return [...variablesOf(replica, settings), ...files];
}
