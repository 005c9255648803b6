// A replica as a container: its specification, the labels by which it is recognized, its address, and what it wrote
// last.

import type Docker from 'dockerode';
import type { ContainerCreateOptions, ContainerInfo } from 'dockerode';
import { MAX_WEIGHT, placesOf } from '../../../core/fleet/fleet-state.ts';
import type { Address, ReplicaRef } from '../../../core/ports.ts';
import { OutputTail } from '../last-words.ts';

export interface ContainerSettings {
  /** The fleet that the replicas belong to. Balancers on one engine need different fleets. */
  readonly fleet: string;
  /** The network that this process shares with its replicas. If `undefined`, they get loopback ports of the host. */
  readonly network: string | undefined;
  /** The volume in which replicas keep the votes. */
  readonly volume: string;
  /** Variables of each replica. `{port}`, `{id}` and `{seat}` in their values stand for its own. */
  readonly environment: ReadonlyMap<string, string>;
  readonly memoryBytes: number;
  readonly cpus: number;
}

/** The labels of a container. The first of its `places` is the number of its seat. */
export const LABEL = {
  fleet: 'ringmaster.fleet',
  places: 'ringmaster.places',
  incarnation: 'ringmaster.incarnation',
  /** The hostname that the container was created under. */
  hostname: 'ringmaster.hostname',
  /** The container is no replica but the question of a balancer that starts (hold.ts). */
  asks: 'ringmaster.asks',
  /** The container is no replica but lists the seats from before an /add (adding.ts). */
  adding: 'ringmaster.adding',
} as const;

// The attack: a container with labels like ours and an incarnation close to 2^53 would leave no numbers for later ones.
const MOST_INCARNATION = 2 ** 52;

const PORT = 5000;
const LOG_LINES = 20;

export function specification(replica: ReplicaRef, image: string, settings: ContainerSettings): ContainerCreateOptions {
  const { fleet, network, volume, environment, memoryBytes, cpus } = settings;
  const { hostname, incarnation, seat } = replica;
  const port = `${PORT}/tcp`;
  const own = { port: PORT, id: hostname, seat };
  const variables = new Map<string, string | number>([
    ['HOST', '0.0.0.0'],
    ...[...environment].map(([name, value]) => [name, filledIn(value, own)] as const),
    ['PORT', PORT],
    ['SERVER_ID', hostname],
    ['RINGMASTER_SEAT', seat],
  ]);
  return {
    name: hostname,
    Hostname: hostname,
    Image: image,
    Env: [...variables].map(([name, value]) => `${name}=${value}`),
    Labels: {
      [LABEL.fleet]: fleet,
      [LABEL.places]: placesOf(replica).join(','),
      [LABEL.incarnation]: String(incarnation),
      [LABEL.hostname]: hostname,
    },
    ExposedPorts: { [port]: {} },
    HostConfig: {
      // Only the supervisor restarts replicas; Docker doing it too would get in its way.
      RestartPolicy: { Name: 'no' },
      Memory: memoryBytes,
      NanoCpus: Math.round(cpus * 1e9),
      PidsLimit: 256,
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      Tmpfs: { '/tmp': 'size=16m' },
      Mounts: [{ Type: 'volume', Source: volume, Target: '/data' }],
      ...(network === undefined
        ? { PortBindings: { [port]: [{ HostIp: '127.0.0.1', HostPort: '' }] } }
        : { NetworkMode: network }),
    },
    ...(network === undefined ? {} : { NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: [hostname] } } } }),
  };
}

function filledIn(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replaceAll(/\{(\w+)\}/g, (written, name: string) => String(values[name] ?? written));
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
  if (name === undefined || name !== (labels[LABEL.hostname] ?? name)) return undefined;
  return { seat, ...(extraPlaces.length === 0 ? {} : { extraPlaces }), incarnation, hostname: name };
}

/** The replica in a container, as the engine lists it. */
export function replicaIn(info: ContainerInfo): ReplicaRef | undefined {
  return replicaOf(info.Labels, info.Names[0]?.slice(1));
}

/** The address of the replica; `undefined` if its container does not run. */
export function addressOf(info: ContainerInfo, network: string | undefined): Address | undefined {
  if (info.State !== 'running' && info.State !== 'paused') return undefined;
  if (network !== undefined) {
    const host = info.NetworkSettings.Networks[network]?.IPAddress;
    return host ? { type: 'tcp', host, port: PORT } : undefined;
  }
  const published = info.Ports.find((port) => port.PrivatePort === PORT && port.PublicPort !== undefined);
  return published === undefined ? undefined : { type: 'tcp', host: '127.0.0.1', port: published.PublicPort };
}

/** What the container wrote last, preferably on standard error; empty if that cannot be read. */
export async function lastWordsOf(container: Docker.Container, abortSignal: AbortSignal): Promise<string> {
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

/**
 * The settings in which a container differs from one made now, with the values that the new one would have; `undefined`
 * if there are none.
 */
export function differences(
  container: Docker.ContainerInspectInfo,
  imageId: string,
  { memoryBytes, cpus }: ContainerSettings,
): { readonly has: object; readonly wanted: object } | undefined {
  const { Memory = 0, NanoCpus = 0 } = container.HostConfig;
  const has = { memoryBytes: Memory, cpus: NanoCpus / 1e9, image: container.Image };
  const wanted = { memoryBytes, cpus, image: imageId };
  const unequal = Object.entries(wanted).filter(([name, value]) => has[name as keyof typeof has] !== value);
  if (unequal.length === 0) return undefined;
  return {
    has: Object.fromEntries(unequal.map(([name]) => [name, has[name as keyof typeof has]])),
    wanted: Object.fromEntries(unequal),
  };
}
