// Options of heartbeats, and of what follows from them.

import { duration, hostField, integer, onOff, probedPath, statuses } from '../kinds.ts';
import { atStart, group, option } from '../option.ts';

const SUPERVISED = atStart('the supervisor goes by what it began with');

export const HEALTH = group('Health', 'when a replica takes requests, and when it is replaced', {
  'heartbeat-interval': option(duration(10, 3_600_000), 500, SUPERVISED, 'wait between two heartbeats of a replica'),
  'heartbeat-timeout': option(duration(1, 60_000), 500, SUPERVISED, 'time that a replica has to answer one'),
  'heartbeat-failures': option(
    integer(1, 100),
    3,
    SUPERVISED,
    'failures in a row after which a replica is replaced, or an `--upstream` is down',
  ),
  'heartbeat-rise': option(
    integer(1, 100),
    2,
    SUPERVISED,
    'successes in a row after which an `--upstream` that was down takes requests again',
  ),
  'heartbeat-path': option(
    probedPath,
    '/heartbeat',
    SUPERVISED,
    'path that is asked for; `tcp`: a connection is enough; `off` switches probing off',
  ),
  'heartbeat-status': option(statuses, [[200, 299]] as const, SUPERVISED, 'statuses that are health'),
  'heartbeat-host': option(hostField, '', SUPERVISED, 'Host field of heartbeats; the address of the replica if empty'),
  'fail-open': option(
    onOff,
    true,
    SUPERVISED,
    'where no `--upstream` passes its heartbeats, requests go on to those that did before and still accept connections',
  ),
});
