// The secrets of the replicas' services: those that the Swarm has under the names that were given, and those made here
// of variables whose values nobody should read at the manager. A secret cannot change, so each value gets one of its
// own. Its name is drawn: whoever may list names could try passwords on one that follows from the value.

import { randomBytes } from 'node:crypto';
import type Docker from 'dockerode';
import { BalancerError } from '../../../errors.ts';
import { LABEL } from '../docker/container.ts';
import { attempt } from '../docker/errors.ts';
import type { SecretFile, SwarmSettings } from './service.ts';

export class Secrets {
  readonly #docker: Docker;
  // The names of those made here, by variable and value.
  readonly #names = new Map<string, string>();

  constructor(docker: Docker) {
    this.#docker = docker;
  }

  /** Rejects with `runtime-unavailable` if the Swarm has no secret of a given name. */
  async filesOf({ fleet, secrets, hidden }: SwarmSettings): Promise<readonly SecretFile[]> {
    if (secrets.length === 0 && hidden.size === 0) return [];
    const idOf = new Map((await this.#listed({})).map(({ ID, Spec }) => [Spec?.Name ?? '', ID]));
    const given = secrets.map((name) => {
      const id = idOf.get(name);
      if (id !== undefined) return { id, name, file: name };
      throw new BalancerError(
        'runtime-unavailable',
        `the Swarm has no secret ${name}: docker secret create ${name} FILE`,
      );
    });
    const made = [...hidden].map(async ([variable, value]) => {
      const name = this.#nameOf(variable, value);
      const id = idOf.get(name) ?? (await this.#create(fleet, name, value));
      return { id, name, file: variable };
    });
    return [...given, ...(await Promise.all(made))];
  }

  /** Removes the secrets that were made for the fleet and are used no more. Never rejects. */
  async removeUnused(fleet: string, keepsOwn: boolean): Promise<void> {
    const own = new Set(this.#names.values());
    const all = await this.#listed({ filters: { label: [`${LABEL.fleet}=${fleet}`] } }).catch(() => []);
    const unused = all.filter(({ Spec }) => !keepsOwn || !own.has(Spec?.Name ?? ''));
    // The Swarm refuses to remove one that a service has.
    await Promise.all(
      unused.map(({ ID }) =>
        this.#docker
          .getSecret(ID)
          .remove()
          .catch(() => undefined),
      ),
    );
  }

  #listed(options: object): Promise<Docker.Secret[]> {
    return attempt('list the secrets of the Swarm', () => this.#docker.listSecrets(options));
  }

  async #create(fleet: string, name: string, value: string): Promise<string> {
    const labels = { [LABEL.fleet]: fleet };
    const made: { readonly id: string } = await attempt('keep a secret in the Swarm', () =>
      this.#docker.createSecret({ Name: name, Labels: labels, Data: Buffer.from(value).toString('base64') }),
    );
    return made.id;
  }

  #nameOf(variable: string, value: string): string {
    const key = `${variable}=${value}`;
    // The Swarm takes 64 characters at most.
    const name = this.#names.get(key) ?? `ringmaster-${variable.slice(0, 32)}-${randomBytes(8).toString('hex')}`;
    this.#names.set(key, name);
    return name;
  }
}
