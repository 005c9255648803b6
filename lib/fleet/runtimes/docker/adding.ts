// An /add that is under way, kept at the engine: a container that is never started says which seats there were before. If the process
// is killed meanwhile, the next one finds it, and stops what the unfinished change has made: nobody was told that it was done.

import { randomUUID } from 'node:crypto';
import type Docker from 'dockerode';
import type { ContainerInfo } from 'dockerode';
import type { SeatId } from '../../../core/ring/ring.ts';
import { LABEL } from './container.ts';
import { attempt, unlessGone } from './errors.ts';

/** Resolves with the container that says it. */
export async function markAdding(
  docker: Docker,
  fleet: string,
  image: string,
  seats: readonly SeatId[],
): Promise<Docker.Container> {
  return attempt('keep what there was before', () =>
    docker.createContainer({
      name: `ringmaster-adds-${randomUUID()}`,
      Image: image,
      Labels: { [LABEL.fleet]: fleet, [LABEL.adding]: seats.join(',') },
      HostConfig: { NetworkMode: 'none' },
    }),
  );
}

/** Resolves to whether it is gone. */
export async function unmark(mark: Docker.Container): Promise<boolean> {
  return mark
    .remove({ force: true, v: true })
    .catch(unlessGone)
    .then(
      () => true,
      () => false,
    );
}

export function isMark({ Labels }: ContainerInfo): boolean {
  return Labels[LABEL.adding] !== undefined;
}

/** Whether a seat was there before each of the changes that are marked. */
export function wasThere(marks: readonly ContainerInfo[]): (seat: SeatId) => boolean {
  const before = marks.map(({ Labels }) => new Set((Labels[LABEL.adding] ?? '').split(',').map(Number)));
  return (seat) => before.every((seats) => seats.has(seat));
}
