// Options of clients' connections: how long they wait for a client, and how many there may be.

import { choice, duration, integer, orOff, rate } from '../kinds.ts';
import { DAY_MS, group, MIB, option } from '../option.ts';

export const CLIENTS = group('Clients', 'their connections, and how long they may take', {
  'max-connections': option(
    integer(1, 1_000_000),
    10_000,
    'live',
    'most client connections, or what `ulimit -n` allows; more get a 503',
  ),
  'max-requests-per-connection': option(
    orOff(integer(1, 1_000_000)),
    Number.POSITIVE_INFINITY,
    'live',
    'requests after which a client’s connection is closed',
  ),
  'head-timeout': option(duration(1, DAY_MS), 10_000, 'live', 'time for a client to send the head of a request'),
  'keep-alive-timeout': option(
    duration(1, DAY_MS),
    60_000,
    'live',
    'time that a client’s connection is kept open without a request',
  ),
  // Apache's mod_reqtimeout asks the same rate of bodies.
  'min-upload-rate': option(
    orOff(rate(1, MIB), 0),
    500,
    'live',
    'lowest average rate of an upload, in bytes per second, once it has taken 20 s',
  ),
  // Most programs that end their side have left: browsers, curl and HTTP libraries do. nginx, Envoy and Go cut the
  // request as well.
  'client-half-close': option(
    choice(['close', 'allow']),
    'close',
    'live',
    'when a client ends its side: `close` cuts its request; `allow` still replies, as `nc -N` expects',
  ),
});
