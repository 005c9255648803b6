// Options of replicas in containers.

import { decimal, fleetName, size, text } from '../kinds.ts';
import { atStart, GIB, group, MIB, option } from '../option.ts';

const MADE = atStart('containers that are there keep what they were made with');

export const CONTAINERS = group('Containers', 'replicas that run in Docker', {
  fleet: option(
    fleetName,
    '',
    MADE,
    'name of this fleet on an engine with several balancers; if empty, `ringmaster-` and the port',
  ),
  'docker-network': option(
    text('the name of a network'),
    '',
    MADE,
    'network shared with the replicas; if empty, they get loopback ports',
  ),
  'docker-image': option(
    text('the name of an image'),
    '',
    MADE,
    'image of the replicas; if empty, it is built from this checkout',
  ),
  'docker-volume': option(
    text('the name of a volume'),
    'ringmaster-votes',
    MADE,
    'volume in which replicas in containers keep the votes',
  ),
  'replica-memory': option(size(16 * MIB, 1024 * GIB), 256 * MIB, MADE, 'memory limit of a replica in a container'),
  'replica-cpus': option(decimal(0.05, 1024), 1, MADE, 'processors that a replica in a container may use'),
});
