// Marks an /add that is under way with a container that is never started, whose label lists the seats from before. If
// the process is killed meanwhile, the next one finds the mark and stops what the unfinished change has made, because
// no client was told that it was done.

import { randomUUID } from 'node:crypto';
import type Docker from 'dockerode';
import type { ContainerInfo } from 'dockerode';
import type { SeatId } from '../../../core/ring/ring.ts';
import { LABEL } from './container.ts';
import { attempt, unlessGone } from './errors.ts';

/** Resolves with the container that is the mark. */
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

/** Resolves with whether the mark is gone. */
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

/** Tells whether a seat existed before each of the marked changes. */
export function wasThere(marks: readonly ContainerInfo[]): (seat: SeatId) => boolean {
  const before = marks.map(({ Labels }) => new Set((Labels[LABEL.adding] ?? '').split(',').map(Number)));
  return (seat) => before.every((seats) => seats.has(seat));
}
