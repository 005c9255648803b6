// A replica as a container: its specification, the labels by which it is recognized, its address, and what it wrote
// last.

import type Docker from 'dockerode';
import type { ContainerCreateOptions, ContainerInfo } from 'dockerode';
import { MAX_WEIGHT, placesOf } from '../../../core/fleet/fleet-state.ts';
import type { Address, ReplicaRef } from '../../../core/ports.ts';
import { type OwnValues, variablesWith, withOwnValues } from '../command.ts';
import { OutputTail } from '../last-words.ts';

export interface ContainerSettings {
  /** The fleet that the replicas belong to. Balancers on one engine need different fleets. */
  readonly fleet: string;
  /** The network that this process shares with its replicas. If `undefined`, they get loopback ports of the host. */
  readonly network: string | undefined;
  /** What is run instead of what the image says; empty for that. May hold the same as the variables. */
  readonly command: readonly string[];
  /** The port that replicas listen on. 0: the one that their image exposes. */
  readonly port: number;
  /** The names of volumes, by the path in the container at which each is mounted. */
  readonly volumes: ReadonlyMap<string, string>;
  /** Variables of each replica. `{port}`, `{id}` and `{seat}` in their values stand for its own. */
  readonly environment: ReadonlyMap<string, string>;
  readonly memoryBytes: number;
  readonly cpus: number;
  /** No capabilities, and nothing in a container can be written but /tmp and its volumes. */
  readonly isLockedDown: boolean;
  /** A small init is process 1, and passes signals on to programs that as process 1 would ignore them. */
  readonly hasInit: boolean;
}

/** The labels of a container. The first of its `places` is the number of its seat. */
export const LABEL = {
  fleet: 'ringmaster.fleet',
  places: 'ringmaster.places',
  incarnation: 'ringmaster.incarnation',
  /** The port that the replica listens on. */
  port: 'ringmaster.port',
  /** The hostname that the container was created under. */
  hostname: 'ringmaster.hostname',
  /** The container is no replica but the question of a balancer that starts (hold.ts). */
  asks: 'ringmaster.asks',
  /** The container is no replica but lists the seats from before an /add (adding.ts). */
  adding: 'ringmaster.adding',
} as const;

/** Enough for a server with many threads, and a bound on one that starts ever more. */
export const MOST_PROCESSES = 1024;

// The attack: a container with labels like ours and an incarnation close to 2^53 would leave no numbers for later ones.
const MOST_INCARNATION = 2 ** 52;

/** The port of containers from before they had a label for it, and of images that expose none. */
export const DEFAULT_PORT = 5000;
const LOG_LINES = 20;

/** By which a replica is recognized, on a container or a service. */
export function labelsOf(replica: ReplicaRef, { fleet, port }: Pick<ContainerSettings, 'fleet' | 'port'>) {
  return {
    [LABEL.fleet]: fleet,
    [LABEL.places]: placesOf(replica).join(','),
    [LABEL.incarnation]: String(replica.incarnation),
    [LABEL.port]: String(port),
    [LABEL.hostname]: replica.hostname,
  };
}

export function specification(replica: ReplicaRef, image: string, settings: ContainerSettings): ContainerCreateOptions {
  const { command, network, volumes, memoryBytes, cpus, isLockedDown, hasInit } = settings;
  const { hostname } = replica;
  const own = ownValues(replica, settings);
  const port = `${settings.port}/tcp`;
  return {
    name: hostname,
    Hostname: hostname,
    Image: image,
    Env: variablesOf(replica, settings),
    ...(command.length === 0 ? {} : { Cmd: command.map((part) => withOwnValues(part, own)) }),
    Labels: labelsOf(replica, settings),
    ExposedPorts: { [port]: {} },
    HostConfig: {
      // Only the supervisor restarts replicas; Docker doing it too would get in its way.
      RestartPolicy: { Name: 'no' },
      Memory: memoryBytes,
      NanoCpus: Math.round(cpus * 1e9),
      PidsLimit: MOST_PROCESSES,
      SecurityOpt: ['no-new-privileges'],
      ...(isLockedDown ? { ReadonlyRootfs: true, CapDrop: ['ALL'], Tmpfs: { '/tmp': 'size=16m' } } : {}),
      ...(hasInit ? { Init: true } : {}),
      Mounts: [...volumes].map(([path, name]) => ({ Type: 'volume', Source: name, Target: path })),
      ...(network === undefined
        ? { PortBindings: { [port]: [{ HostIp: '127.0.0.1', HostPort: '' }] } }
        : { NetworkMode: network }),
    },
    ...(network === undefined ? {} : { NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: [hostname] } } } }),
  };
}

/** The environment of a replica's container, each variable as `NAME=VALUE`. That of the image comes before it. */
export function variablesOf(replica: ReplicaRef, settings: Pick<ContainerSettings, 'port' | 'environment'>): string[] {
  const variables = variablesWith('0.0.0.0', settings.environment, ownValues(replica, settings));
  return Object.entries(variables).map(([name, value]) => `${name}=${value}`);
}

/** What is the replica's own. */
export function ownValues({ hostname, seat }: ReplicaRef, { port }: Pick<ContainerSettings, 'port'>): OwnValues {
  return { port: String(port), id: hostname, seat: String(seat) };
}

/**
 * What the labels of a container say. `undefined` if it is no replica of ours: its labels are not ones that we write,
 * or somebody renamed it in order to keep it.
 */
export function replicaOf(labels: Readonly<Record<string, string>>, name: string | undefined): ReplicaRef | undefined {
  const [seat, ...extraPlaces] = (labels[LABEL.places] ?? '').split(',').map(Number);
  const incarnation = Number(labels[LABEL.incarnation]);
  const places = [seat, ...extraPlaces];
  const isWhole = (number: number | undefined) => Number.isSafeInteger(number) && (number as number) >= 1;
  if (seat === undefined || !places.every(isWhole) || !isWhole(incarnation)) return undefined;
  if (incarnation > MOST_INCARNATION || places.length > MAX_WEIGHT || new Set(places).size < places.length)
    return undefined;
  if (!isWhole(portIn(labels)) || portIn(labels) > 65_535) return undefined;
  if (name === undefined || name !== (labels[LABEL.hostname] ?? name)) return undefined;
  return { seat, ...(extraPlaces.length === 0 ? {} : { extraPlaces }), incarnation, hostname: name };
}

/** The port that the replica in a container listens on, as its labels say. */
export function portIn(labels: Readonly<Record<string, string>>): number {
  return Number(labels[LABEL.port] ?? DEFAULT_PORT);
}

/** The replica in a container, as the engine lists it. */
export function replicaIn(info: ContainerInfo): ReplicaRef | undefined {
  return replicaOf(info.Labels, info.Names[0]?.slice(1));
}

/** The address of the replica; `undefined` if its container does not run. */
export function addressOf(info: ContainerInfo, network: string | undefined): Address | undefined {
  if (info.State !== 'running' && info.State !== 'paused') return undefined;
  const port = portIn(info.Labels);
  if (network !== undefined) {
    const host = info.NetworkSettings.Networks[network]?.IPAddress;
    return host ? { type: 'tcp', host, port } : undefined;
  }
  const published = info.Ports.find((one) => one.PrivatePort === port && one.PublicPort !== undefined);
  return published === undefined ? undefined : { type: 'tcp', host: '127.0.0.1', port: published.PublicPort };
}

/** What the container wrote last, preferably on standard error; empty if that cannot be read. */
export async function lastWordsOf(
  container: Pick<Docker.Container, 'logs'>,
  abortSignal: AbortSignal,
): Promise<string> {
  const options = { stdout: true, stderr: true, tail: LOG_LINES, follow: false as const, abortSignal };
  const written: unknown = await container.logs(options).catch(() => undefined);
  if (!Buffer.isBuffer(written)) return '';
  const [output, errors] = [new OutputTail(), new OutputTail()];
  // Docker's framing: one byte for the stream, three unused, four for the length, then as many bytes of output.
  for (let at = 0; at + 8 <= written.length; ) {
    const end = at + 8 + written.readUInt32BE(at + 4);
    (written[at] === 2 ? errors : output).add(written.toString('utf8', at + 8, end));
    at = end;
  }
  return errors.lastWords() || output.lastWords();
}
