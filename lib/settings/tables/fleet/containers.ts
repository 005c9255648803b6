// Options of replicas in containers.

import { decimal, fleetName, integer, onOff, orAuto, size, text } from '../../kinds.ts';
import { constraints, secretNames, volumes } from '../../lists/kinds.ts';
import { atStart, GIB, group, MIB, option, settled } from '../../option.ts';

export interface Imaged {
  readonly dockerImage: string;
}

const MADE = atStart('containers that are there keep what they were made with');

export const CONTAINERS = group('Containers', 'replicas that run in Docker, or as services of a Docker Swarm', {
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
    'network shared with the replicas; if empty, they get loopback ports, in a Swarm ports of their nodes',
  ),
  'docker-image': option(
    text('the name of an image'),
    '',
    MADE,
    'image of the replicas; if empty, that of the sample service is built from this checkout',
  ),
  'docker-port': option(
    orAuto(integer(1, 65_535)),
    0,
    MADE,
    'port that replicas in containers listen on; `auto`: what their image exposes, else 5000',
  ),
  'docker-volume': settled(
    volumes,
    'ringmaster-votes:/data; none with --docker-image',
    (given, { dockerImage }: Imaged) =>
      given ?? new Map<string, string>(dockerImage === '' ? [['/data', 'ringmaster-votes']] : []),
    MADE,
    'volume that replicas share; may be repeated',
  ),
  'docker-lockdown': settled(
    onOff,
    'on; off with --docker-image',
    (given, { dockerImage }: Imaged) => given ?? dockerImage === '',
    MADE,
    'replicas in containers have no capabilities, and write nothing but /tmp and their volumes',
  ),
  'docker-init': settled(
    onOff,
    'off; on with --docker-image',
    (given, { dockerImage }: Imaged) => given ?? dockerImage !== '',
    MADE,
    'an init is process 1 of a container, so that SIGTERM ends also programs that do not handle it',
  ),
  'swarm-constraint': option(
    constraints,
    [] as readonly string[],
    MADE,
    'where in a Swarm replicas may run; may be repeated',
  ),
  'swarm-secret': option(
    secretNames,
    [] as readonly string[],
    MADE,
    'secret of the Swarm that replicas have as a file of that name in /run/secrets; may be repeated',
  ),
  'replica-memory': option(size(16 * MIB, 1024 * GIB), 256 * MIB, MADE, 'memory limit of a replica in a container'),
  'replica-cpus': option(decimal(0.05, 1024), 1, MADE, 'processors that a replica in a container may use'),
});
