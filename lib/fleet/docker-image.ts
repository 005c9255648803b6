// The image that replicas are started from: one that somebody names, or one built from this checkout and named by its content,
// so that replicas always run the code that is there.

import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export type ImageSource =
  | { readonly type: 'named'; readonly name: string }
  /** Built from Dockerfile.replica and replica/ in `root`. */
  | { readonly type: 'checkout'; readonly root: string };

export const DOCKERFILE = 'Dockerfile.replica';

export function imageName(source: ImageSource): string {
  if (source.type === 'named') return source.name;
  const hash = createHash('sha256');
  for (const file of contextFiles(source.root)) hash.update(`${file}\0`).update(readFileSync(join(source.root, file)));
  return `ringmaster-replica:${hash.digest('hex').slice(0, 12)}`;
}

/** Files of the build, by their path in the checkout. */
export function contextFiles(root: string): string[] {
  return [DOCKERFILE, ...globSync('replica/**/*.*', { cwd: root }).sort()];
}
