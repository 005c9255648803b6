// Options of connections to replicas, and of how much one replica gets at a time.

import { duration, integer, onOff } from '../kinds.ts';
import { DAY_MS, group, option } from '../option.ts';

export const CONNECTIONS = group('Connections to replicas', 'how they are kept, and how much one replica may have', {
  // A lost SYN is sent again after 1 s, and once more 1 or 2 s later. Either may be lost too, and the answer takes its
  // time.
  'connect-timeout': option(duration(1, 60_000), 3500, 'live', 'time for a replica to accept a connection'),
  'replica-idle-timeout': option(
    duration(4, DAY_MS),
    3000,
    'live',
    'time that an idle connection to a replica is kept; should be shorter than the replica keeps it',
  ),
  'replica-keep-alive': option(
    onOff,
    true,
    'live',
    'reuse connections to replicas; `off`: a new one per request, for replicas that close theirs without notice',
  ),
  // About as many as the listen backlog of a service holds, which is 511 in Node by default.
  'max-in-flight': option(integer(1, 1_000_000), 512, 'live', 'most requests at one replica at a time'),
  // Three replicas with this many leave ordinary requests a third of all connections.
  'max-tunnels': option(
    integer(0, 1_000_000),
    2048,
    'live',
    'most upgraded connections (WebSocket) at one replica, beside its requests; more get a 503',
  ),
});
