// What balancers of a fleet leave for each other at the engine: labels on something that never runs. Here that is a
// container that is not started.

import type Docker from 'dockerode';
import { attempt, unlessGone } from './errors.ts';

export type Labels = Readonly<Record<string, string>>;

export interface Note {
  readonly id: string;
  readonly createdSeconds: number;
  readonly labels: Labels;
}

export interface Notes {
  /** Resolves with the id of the note. @param what is being done, for the message of an error. */
  leave(what: string, name: string, labels: Labels): Promise<string>;
  /** All notes that have that label, as `NAME=VALUE`. */
  find(what: string, label: string): Promise<readonly Note[]>;
  /** One that is gone counts as removed. */
  remove(id: string): Promise<void>;
}

/** @param image says the name of any image that exists. */
export function containerNotes(docker: Docker, image: () => string): Notes {
  return {
    leave: async (what, name, labels) => {
      const HostConfig = { NetworkMode: 'none' };
      const made = { name, Image: image(), Labels: { ...labels }, HostConfig };
      return (await attempt(what, () => docker.createContainer(made))).id;
    },
    find: async (what, label) => {
      const filters = { label: [label] };
      const found = await attempt(what, () => docker.listContainers({ all: true, filters }));
      return found.map(({ Id, Created, Labels }) => ({ id: Id, createdSeconds: Created, labels: Labels }));
    },
    remove: async (id) => {
      await docker.getContainer(id).remove({ force: true, v: true }).catch(unlessGone);
    },
  };
}
