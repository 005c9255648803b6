// Options of replicas in containers.

import { decimal, fleetName, size, text } from '../kinds.ts';
import { GIB, group, MIB, option } from '../option.ts';

export const CONTAINERS = group('Containers', 'replicas that run in Docker', {
  fleet: option(
    fleetName,
    '',
    'whose replicas these are, on an engine with several balancers; `ringmaster-` and the port if empty',
  ),
  'docker-network': option(
    text('the name of a network'),
    '',
    'network shared with the replicas; they get loopback ports if empty',
  ),
  'docker-image': option(text('the name of an image'), '', 'image of the replicas; built from this checkout if empty'),
  'docker-volume': option(
    text('the name of a volume'),
    'ringmaster-votes',
    'where replicas in containers keep the votes',
  ),
  'replica-memory': option(size(16 * MIB, 1024 * GIB), 256 * MIB, 'memory of a replica in a container'),
  'replica-cpus': option(decimal(0.05, 1024), 1, 'processors of a replica in a container'),
});
