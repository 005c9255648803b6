// Tells of containers of an earlier balancer that were made with other settings than those made now. Whoever changed
// the settings should know that these still have the old ones.

import type Docker from 'dockerode';
import type { ContainerInfo } from 'dockerode';
import type { ReplicaRef } from '../../../core/ports.ts';
import type { Log } from '../../../log.ts';
import { type ContainerSettings, portIn, variablesOf } from './container.ts';

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
    const unlike = container === undefined ? undefined : differences(container, replica, imageId, settings);
    if (unlike !== undefined) log.warn('adopted-with-other-settings', { hostname: replica.hostname, ...unlike });
  }
}

// The settings in which a container differs from one made now, with the values that the new one would have;
// `undefined` if there are none. Of variables only the names are told, since their values may be secrets.
function differences(
  { HostConfig, Config, Image }: Docker.ContainerInspectInfo,
  replica: ReplicaRef,
  imageId: string,
  settings: ContainerSettings,
): { readonly has: object; readonly wanted: object; readonly variables: string } | undefined {
  const { Memory = 0, NanoCpus = 0, Mounts = [] } = HostConfig;
  const has: Record<string, unknown> = {
    memoryBytes: Memory,
    cpus: NanoCpus / 1e9,
    image: Image,
    port: portIn(Config.Labels),
    volumes: written(Mounts.map(({ Source, Target }) => [Target, Source])),
  };
  const wanted = {
    memoryBytes: settings.memoryBytes,
    cpus: settings.cpus,
    image: imageId,
    port: settings.port,
    volumes: written([...settings.volumes]),
  };
  const unequal = Object.entries(wanted).filter(([name, value]) => has[name] !== value);
  const isThere = new Set(Config.Env);
  const lacking = variablesOf(replica, settings).filter((variable) => !isThere.has(variable));
  if (unequal.length === 0 && lacking.length === 0) return undefined;
  return {
    has: Object.fromEntries(unequal.map(([name]) => [name, has[name]])),
    wanted: Object.fromEntries(unequal),
    variables: lacking.map((variable) => variable.split('=', 1)[0]).join(', '),
  };
}

function written(volumes: readonly (readonly [path: string, name: string])[]): string {
  return volumes
    .map(([path, name]) => `${name}:${path}`)
    .sort()
    .join(', ');
}
