// Options of a request on its way to a reply.

import { decimal, duration, integer } from '../kinds.ts';
import { DAY_MS, group, option } from '../option.ts';

export const REQUESTS = group('Requests', 'how long one may wait, and how often it is tried', {
  'reply-timeout': option(
    duration(1, DAY_MS),
    30_000,
    'live',
    'time that a replica has, with the whole request, to begin to reply',
  ),
  'request-timeout': option(
    duration(1, DAY_MS),
    60_000,
    'live',
    'the same over all attempts, from the whole request to the head of its reply',
  ),
  'body-timeout': option(duration(1, DAY_MS), 60_000, 'live', 'longest pause within a body, on either side'),
  'tunnel-idle-timeout': option(duration(1, DAY_MS), 600_000, 'live', 'longest silence of an upgraded connection'),
  // Whoever may have a connection may wait, so the limit that counts is on the time.
  queue: option(
    integer(0, 1_000_000),
    10_000,
    'live',
    'requests that may wait while all replicas are full; more are told 503',
  ),
  'queue-timeout': option(duration(1, DAY_MS), 5000, 'live', 'time that a request may wait for a replica with room'),
  'max-attempts': option(integer(1, 10), 3, 'live', 'replicas that one request may be tried at'),
  'retry-budget': option(
    decimal(0, 10),
    0.2,
    'live',
    'attempts beyond the first, over the requests of the last seconds',
  ),
});
