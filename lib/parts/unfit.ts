// What a roll may make of replicas: the rules that hold for the options hold for it too.

import type { Make } from '../core/ports.ts';
import { type Options, OWN_VARIABLES, otherPlace } from '../settings/options.ts';

/** Why replicas cannot be made so; `undefined` if they can. */
export function whyUnfit({ command, environment, image }: Make, options: Options): string | undefined {
  const { runtime, dockerImage, replicaListen } = options;
  if (image !== undefined && runtime !== 'docker') return 'image is for containers: --runtime docker';
  if (command !== undefined && runtime === 'docker' && dockerImage === '' && image === undefined) {
    return 'command is for child processes, or for an image of yours';
  }
  const other = otherPlace(runtime === 'docker' ? 'port' : replicaListen);
  if (command?.some((word) => word.includes(other)) === true) {
    return `command has ${other}, but replicas listen on a ${runtime === 'docker' ? 'port' : replicaListen}`;
  }
  const own = OWN_VARIABLES.find((name) => environment?.[name] !== undefined);
  return own === undefined ? undefined : `env cannot set ${own}: each replica gets its own`;
}
