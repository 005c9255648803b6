// Tells of containers of an earlier balancer that were made with other settings than those made now. Whoever changed
// the settings should know that these still have the old ones.

import type Docker from 'dockerode';
import type { ContainerInfo } from 'dockerode';
import type { ReplicaRef } from '../../../core/ports.ts';
import type { Log } from '../../../log.ts';
import { type ContainerSettings, portIn, variablesOf } from './container.ts';

/** What a replica in a container was made with. */
export interface MadeWith {
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly image: string;
  readonly port: number;
  readonly volumes: string;
  /** Where it may run, and what else only a Swarm knows. */
  readonly placement?: string;
  /** The files that it has them as. */
  readonly secrets?: string;
  /** Each as `NAME=VALUE`. */
  readonly variables: readonly string[];
}

/** @param imageId is the id of the image that containers are made from now. */
export async function tellOtherSettings(
  docker: Docker,
  found: readonly { readonly info: ContainerInfo; readonly replica: ReplicaRef }[],
  imageId: string,
  settings: ContainerSettings,
  log: Log,
): Promise<void> {
  for (const { info, replica } of found) {
    if (info.State !== 'running') continue;
    const container = await docker
      .getContainer(info.Id)
      .inspect()
      .catch(() => undefined);
    if (container !== undefined) {
      tellIfOther(replica, madeWith(container), wantedOf(replica, imageId, settings), log);
    }
  }
}

/** Logs the settings in which they differ. Of variables only the names are told, since their values may be secrets. */
export function tellIfOther({ hostname }: ReplicaRef, made: MadeWith, now: MadeWith, log: Log): void {
  const { variables: there, ...has } = made;
  const { variables, ...wanted } = now;
  const unequal = Object.keys(wanted).filter(
    (name) => has[name as keyof typeof has] !== wanted[name as keyof typeof wanted],
  );
  const isThere = new Set(there);
  const lacking = variables.filter((variable) => !isThere.has(variable));
  if (unequal.length === 0 && lacking.length === 0) return;
  const only = (all: object) => Object.fromEntries(Object.entries(all).filter(([name]) => unequal.includes(name)));
  log.warn('adopted-with-other-settings', {
    hostname,
    has: only(has),
    wanted: only(wanted),
    variables: lacking.map((variable) => variable.split('=', 1)[0]).join(', '),
  });
}

/** What one made now would have. */
export function wantedOf(replica: ReplicaRef, image: string, settings: ContainerSettings): MadeWith {
  return {
    memoryBytes: settings.memoryBytes,
    cpus: settings.cpus,
    image,
    port: settings.port,
    volumes: written([...settings.volumes]),
    variables: variablesOf(replica, settings),
  };
}

/** Volumes as one text. */
export function written(volumes: readonly (readonly [path: string | undefined, name: string | undefined])[]): string {
  return volumes
    .map(([path, name]) => `${name}:${path}`)
    .sort()
    .join(', ');
}

function madeWith({ HostConfig, Config, Image }: Docker.ContainerInspectInfo): MadeWith {
  const { Memory = 0, NanoCpus = 0, Mounts = [] } = HostConfig;
  return {
    memoryBytes: Memory,
    cpus: NanoCpus / 1e9,
    image: Image,
    port: portIn(Config.Labels),
    volumes: written(Mounts.map(({ Source, Target }) => [Target, Source])),
    variables: Config.Env,
  };
}
