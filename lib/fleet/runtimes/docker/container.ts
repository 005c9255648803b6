// A replica as a container: how it is specified, by which labels it is known again, where it listens, and what it wrote last.

import type Docker from 'dockerode';
import type { ContainerCreateOptions, ContainerInfo } from 'dockerode';
import { MAX_WEIGHT, placesOf } from '../../../core/fleet/fleet-state.ts';
import type { Address, ReplicaRef } from '../../../core/ports.ts';
import { OutputTail } from '../last-words.ts';

export interface ContainerSettings {
  /** Whose replicas these are: balancers on one engine need different ones. */
  readonly fleet: string;
  /** The network that this process shares with its replicas; `undefined` publishes them on loopback ports of the host. */
  readonly network: string | undefined;
  /** The volume in which replicas keep the votes. */
  readonly volume: string;
  /** The Redis in which they keep them instead; empty for none. */
  readonly votesUrl: string;
  readonly memoryBytes: number;
  readonly cpus: number;
}

/** The labels of a container. Of `places` the first is the number of its seat. */
export const LABEL = {
  fleet: 'ringmaster.fleet',
  places: 'ringmaster.places',
  incarnation: 'ringmaster.incarnation',
  /** The name that it was made under. */
  hostname: 'ringmaster.hostname',
  /** It is no replica but the question of a balancer that starts (hold.ts). */
  asks: 'ringmaster.asks',
  /** It is no replica but says which seats there were before an /add (adding.ts). */
  adding: 'ringmaster.adding',
} as const;

// The attack: a container with labels like ours. An incarnation close to 2^53 would leave none for those after it.
const MOST_INCARNATION = 2 ** 52;

const PORT = 5000;
const LOG_LINES = 20;

export function specification(replica: ReplicaRef, image: string, settings: ContainerSettings): ContainerCreateOptions {
  const { fleet, network, volume, votesUrl, memoryBytes, cpus } = settings;
  const { hostname, incarnation } = replica;
  const port = `${PORT}/tcp`;
  return {
    name: hostname,
    Hostname: hostname,
    Image: image,
    Env: [`SERVER_ID=${hostname}`, `LISTEN=${PORT}`, 'DATA_DIR=/data', `VOTES_URL=${votesUrl}`],
    Labels: {
      [LABEL.fleet]: fleet,
      [LABEL.places]: placesOf(replica).join(','),
      [LABEL.incarnation]: String(incarnation),
      [LABEL.hostname]: hostname,
    },
    ExposedPorts: { [port]: {} },
    HostConfig: {
      // This process is the supervisor; two would fight.
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

/**
 * What the labels of a container say; `undefined` if it is no replica of ours: they are none that we write, or somebody has given it
 * another name, to keep it.
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

/** A container as the engine lists it. */
export function replicaIn(info: ContainerInfo): ReplicaRef | undefined {
  return replicaOf(info.Labels, info.Names[0]?.slice(1));
}

/** `undefined` while it does not run. */
export function addressOf(info: ContainerInfo, network: string | undefined): Address | undefined {
  if (info.State !== 'running' && info.State !== 'paused') return undefined;
  if (network !== undefined) {
    const host = info.NetworkSettings.Networks[network]?.IPAddress;
    return host ? { type: 'tcp', host, port: PORT } : undefined;
  }
  const published = info.Ports.find((port) => port.PrivatePort === PORT && port.PublicPort !== undefined);
  return published === undefined ? undefined : { type: 'tcp', host: '127.0.0.1', port: published.PublicPort };
}

/** What it wrote last, on standard error if it wrote there; empty if that cannot be had. */
export async function lastWordsOf(container: Docker.Container, abortSignal: AbortSignal): Promise<string> {
  const options = { stdout: true, stderr: true, tail: LOG_LINES, follow: false as const, abortSignal };
  const written: unknown = await container.logs(options).catch(() => undefined);
  if (!Buffer.isBuffer(written)) return '';
  const [output, errors] = [new OutputTail(), new OutputTail()];
  // Pieces: one byte for which of the two it is, three for nothing, four for the length, then so many bytes.
  for (let at = 0; at + 8 <= written.length; ) {
    const end = at + 8 + written.readUInt32BE(at + 4);
    (written[at] === 2 ? errors : output).add(written.toString('utf8', at + 8, end));
    at = end;
  }
  return errors.lastWords() || output.lastWords();
}

/** What a container has that one made now would not have, with what that one would have; `undefined` if nothing. */
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
