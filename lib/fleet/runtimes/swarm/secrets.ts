// The secrets of the replicas' services: those that the Swarm has under the names that were given, and those made here
// of variables whose values nobody should read at the manager. A secret cannot change, so its name tells its value
// apart from others.

import { createHash } from 'node:crypto';
import type Docker from 'dockerode';
import { BalancerError } from '../../../errors.ts';
import { LABEL } from '../docker/container.ts';
import { attempt } from '../docker/errors.ts';
import type { SecretFile, SwarmSettings } from './service.ts';

/** Rejects with `runtime-unavailable` if the Swarm has no secret of a given name. */
export async function secretFiles(docker: Docker, settings: SwarmSettings): Promise<readonly SecretFile[]> {
  const { fleet, secrets, hidden } = settings;
  if (secrets.length === 0 && hidden.size === 0) return [];
  const idOf = new Map((await listed(docker, {})).map(({ ID, Spec }) => [Spec?.Name ?? '', ID]));
  const given = secrets.map((name) => {
    const id = idOf.get(name);
    if (id !== undefined) return { id, name, file: name };
    throw new BalancerError(
      'runtime-unavailable',
      `the Swarm has no secret ${name}: docker secret create ${name} FILE`,
    );
  });
  const made = [...hidden].map(async ([variable, value]) => {
    const name = nameOf(fleet, variable, value);
    const id = idOf.get(name) ?? (await created(docker, fleet, name, value));
    return { id, name, file: variable };
  });
  return [...given, ...(await Promise.all(made))];
}

/** Removes the secrets that were made for the fleet and are used no more. Never rejects. */
export async function removeUnused(docker: Docker, { fleet, hidden }: SwarmSettings, keepsOwn: boolean): Promise<void> {
  const own = new Set([...hidden].map(([variable, value]) => nameOf(fleet, variable, value)));
  const filters = { label: [`${LABEL.fleet}=${fleet}`] };
  const all = await listed(docker, { filters }).catch(() => []);
  const unused = all.filter(({ Spec }) => !keepsOwn || !own.has(Spec?.Name ?? ''));
  // The Swarm refuses to remove one that a service has.
  await Promise.all(
    unused.map(({ ID }) =>
      docker
        .getSecret(ID)
        .remove()
        .catch(() => undefined),
    ),
  );
}

function listed(docker: Docker, options: object): Promise<Docker.Secret[]> {
  return attempt('list the secrets of the Swarm', () => docker.listSecrets(options));
}

async function created(docker: Docker, fleet: string, name: string, value: string): Promise<string> {
  const labels = { [LABEL.fleet]: fleet };
  const made: { readonly id: string } = await attempt('keep a secret in the Swarm', () =>
    docker.createSecret({ Name: name, Labels: labels, Data: Buffer.from(value).toString('base64') }),
  );
  return made.id;
}

// The Swarm takes 64 characters at most.
function nameOf(fleet: string, variable: string, value: string): string {
  const hash = createHash('sha256').update(`${fleet}\0${variable}\0${value}`).digest('hex').slice(0, 16);
  return `ringmaster-${variable.slice(0, 32)}-${hash}`;
}
