// Options of replicas in containers.

import { decimal, fleetName, size, text } from '../kinds.ts';
import { atStart, GIB, group, MIB, option } from '../option.ts';

const MADE = atStart('containers that are there keep what they were made with');

export const CONTAINERS = group('Containers', 'replicas that run in Docker', {
  fleet: option(
    fleetName,
    '',
    MADE,
    'whose replicas these are, on an engine with several balancers; `ringmaster-` and the port if empty',
  ),
  'docker-network': option(
    text('the name of a network'),
    '',
    MADE,
    'network shared with the replicas; they get loopback ports if empty',
  ),
  'docker-image': option(
    text('the name of an image'),
    '',
    MADE,
    'image of the replicas; built from this checkout if empty',
  ),
  'docker-volume': option(
    text('the name of a volume'),
    'ringmaster-votes',
    MADE,
    'where replicas in containers keep the votes',
  ),
  'replica-memory': option(size(16 * MIB, 1024 * GIB), 256 * MIB, MADE, 'memory of a replica in a container'),
  'replica-cpus': option(decimal(0.05, 1024), 1, MADE, 'processors of a replica in a container'),
});
