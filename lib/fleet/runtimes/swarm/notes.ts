// What balancers of a fleet leave for each other at the manager of a Swarm (docker/notes.ts): labels on a config that
// no service has.

import type Docker from 'dockerode';
import { attempt, unlessGone } from '../docker/errors.ts';
import type { Notes } from '../docker/notes.ts';

// A config is not allowed to be empty.
const DATA = Buffer.from('-').toString('base64');

export function configNotes(docker: Docker): Notes {
  return {
    leave: async (what, name, labels) => {
      const made: Docker.Config = await attempt(what, () =>
        docker.createConfig({ Name: name, Labels: labels, Data: DATA }),
      );
      return made.id;
    },
    find: async (what, label) => {
      const found = await attempt(what, () => docker.listConfigs({ filters: { label: [label] } }));
      return found.map(({ ID, CreatedAt = '', Spec }) => ({
        id: ID,
        createdSeconds: Date.parse(CreatedAt) / 1000,
        labels: Spec?.Labels ?? {},
      }));
    },
    remove: async (id) => {
      await docker.getConfig(id).remove().catch(unlessGone);
    },
  };
}
