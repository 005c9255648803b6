// Options of heartbeats, and of what follows from them.

import { duration, hostField, integer, onOff, probedPath, statuses } from '../kinds.ts';
import { atStart, group, option } from '../option.ts';

const SUPERVISED = atStart('the supervisor goes by what it began with');

export const HEALTH = group('Health', 'when a replica takes requests, and when it is replaced', {
  'heartbeat-interval': option(duration(10, 3_600_000), 500, SUPERVISED, 'pause between two heartbeats of a replica'),
  'heartbeat-timeout': option(duration(1, 60_000), 500, SUPERVISED, 'time for a replica to answer a heartbeat'),
  'heartbeat-failures': option(
    integer(1, 100),
    3,
    SUPERVISED,
    'failures in a row before a replica is replaced, or an upstream service counts as down',
  ),
  'heartbeat-rise': option(
    integer(1, 100),
    2,
    SUPERVISED,
    'successes in a row before an upstream service that was down takes requests again',
  ),
  'heartbeat-path': option(
    probedPath,
    '/heartbeat',
    SUPERVISED,
    'path to request; `tcp`: a connection is enough; `off`: no heartbeats',
  ),
  'heartbeat-status': option(statuses, [[200, 299]] as const, SUPERVISED, 'statuses that count as healthy'),
  'heartbeat-host': option(hostField, '', SUPERVISED, 'Host field of heartbeats; if empty, the address of the replica'),
  'fail-open': option(
    onOff,
    true,
    SUPERVISED,
    'if no upstream service passes its heartbeats, keep using those that did before and still accept connections',
  ),
});
