// The image that replicas are started from: one named by the user, or one built from this checkout and named by its
// content, so that replicas always run the code that is there.

import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type Docker from 'dockerode';
import type { MakeOf, ReplicaRef } from '../../../core/ports.ts';
import { BalancerError } from '../../../errors.ts';
import type { Log } from '../../../log.ts';
import { type ContainerSettings, DEFAULT_PORT } from './container.ts';
import { attempt } from './errors.ts';

export type ImageSource =
  | { readonly type: 'named'; readonly name: string }
  /** Built from Dockerfile.replica and replica/ in `root`. */
  | { readonly type: 'checkout'; readonly root: string };

/** What says of which image, and how, each container is made. */
export interface ImageTerms {
  readonly image: ImageSource;
  /** 0: the one that the image exposes. */
  readonly port: number;
  readonly makeOf?: MakeOf;
}

export const DOCKERFILE = 'Dockerfile.replica';

export function imageName(source: ImageSource): string {
  if (source.type === 'named') return source.name;
  const hash = createHash('sha256');
  for (const file of contextFiles(source.root)) hash.update(`${file}\0`).update(readFileSync(join(source.root, file)));
  return `ringmaster-replica:${hash.digest('hex').slice(0, 12)}`;
}

/** The files that the build needs, by their path in the checkout. */
export function contextFiles(root: string): string[] {
  // What npm installed here may be for another platform, so the image gets its own.
  return [DOCKERFILE, ...globSync('replica/**/*.*', { cwd: root, exclude: ['replica/node_modules'] }).sort()];
}

/**
 * The port that replicas of an image listen on: `wanted` unless it is 0, else the only TCP port that the image exposes.
 * Throws `runtime-unavailable` if it exposes several.
 */
export function portOf(name: string, exposed: Exposed, wanted: number): number {
  if (wanted !== 0) return wanted;
  const ports = Object.keys(exposed ?? {}).flatMap((port) => /^(\d+)(?:\/tcp)?$/.exec(port)?.[1] ?? []);
  if (ports.length <= 1) return Number(ports[0] ?? DEFAULT_PORT);
  throw new BalancerError(
    'runtime-unavailable',
    `the image ${name} exposes the ports ${ports.join(', ')}: --docker-port says which of them replicas listen on`,
  );
}

/** Builds the image if it is missing and comes from this checkout. */
export async function buildIfMissing(docker: Docker, image: ImageSource, log: Log): Promise<void> {
  const name = imageName(image);
  const missing = (error: { statusCode?: number }) => {
    if (error.statusCode === 404) return undefined;
    throw error;
  };
  if ((await docker.getImage(name).inspect().catch(missing)) !== undefined) return;
  if (image.type === 'named') {
    throw new BalancerError('runtime-unavailable', `the image ${name} is not there: docker pull ${name}, or build it`);
  }
  log.info('image-building', { image: name });
  const context = { context: image.root, src: contextFiles(image.root) };
  const stream = await docker.buildImage(context, { t: name, dockerfile: DOCKERFILE, rm: true });
  await new Promise<void>((resolve, reject) => {
    const finished = (error: Error | null) => (error === null ? resolve() : reject(error));
    docker.modem.followProgress(stream, finished, (progress: { stream?: string }) => {
      const step = progress.stream?.trim() ?? '';
      if (step.startsWith('Step ')) log.info('image-building', { image: name, step });
    });
  });
  log.info('image-built', { image: name });
}

/** The ports that an image exposes. */
export type Exposed = Readonly<Record<string, unknown>> | undefined;

/** Looks at an image of this engine. Rejects with `runtime-unavailable` if it is not there. */
export function exposedBy(docker: Docker): (image: string) => Promise<Exposed> {
  return async (image) => {
    const { Config } = await attempt(`look at the image ${image}`, () => docker.getImage(image).inspect());
    return Config?.ExposedPorts;
  };
}

/**
 * The image and the settings of a replica's container. Rejects with what `exposedOf` rejects with.
 * @param settings of all containers, with the port of the image that the options name.
 */
export async function madeOf<S extends ContainerSettings>(
  exposedOf: (image: string) => Promise<Exposed>,
  { seat }: ReplicaRef,
  { makeOf, image: source, port: wanted }: ImageTerms,
  settings: S,
): Promise<{ image: string; settings: S }> {
  const { image, command = settings.command, environment = {} } = makeOf?.(seat) ?? {};
  const made = {
    ...settings,
    command,
    environment: new Map([...settings.environment, ...Object.entries(environment)]),
  };
  if (image === undefined) return { image: imageName(source), settings: made };
  return { image, settings: { ...made, port: portOf(image, await exposedOf(image), wanted) } };
}
