// Options of health: when a replica counts as well.

import { availableParallelism } from 'node:os';
import { duration, hostField, integer, onOff, probedPath, statuses } from '../kinds.ts';
import { option, settled } from '../option.ts';

export const HEALTH = {
  'heartbeat-interval': option(duration(10, 3_600_000), 500, 'wait between two heartbeats of a replica'),
  'heartbeat-timeout': option(duration(1, 60_000), 500, 'time that a replica has to answer one'),
  'heartbeat-failures': option(
    integer(1, 100),
    3,
    'failures in a row after which a replica is replaced, or an `--upstream` is down',
  ),
  'heartbeat-rise': option(
    integer(1, 100),
    2,
    'successes in a row after which an `--upstream` that was down takes requests again',
  ),
  'heartbeat-path': option(
    probedPath,
    '/heartbeat',
    'path that is asked for; `tcp`: a connection is enough; `off` switches probing off',
  ),
  'heartbeat-status': option(statuses, [[200, 299]] as const, 'statuses that are health'),
  'heartbeat-host': option(hostField, '', 'Host field of heartbeats; the address of the replica if empty'),
  'fail-open': option(
    onOff,
    true,
    'where no `--upstream` passes its heartbeats, requests go on to those that did before and still accept connections',
  ),
  'start-timeout': option(
    duration(100, 3_600_000),
    30_000,
    'time that a replica has from its start to its first good heartbeat',
  ),
  'parallel-starts': settled(
    integer(0, 1000),
    '0',
    // If all started at once, each would take longer than it may. At least two, so that one that hangs does not hold up the rest.
    (given = 0) => (given === 0 ? Math.max(2, availableParallelism()) : given),
    'replicas that may be coming up at a time; 0: one for each processor, at least two',
  ),
} as const;
