// Options of a request on its way to a reply.

import { goesByRequestId, type KeySource } from '../../core/request/key-source.ts';
import { choice, decimal, duration, integer, orOff } from '../kinds.ts';
import { DAY_MS, group, option, settled } from '../option.ts';

export const REQUESTS = group('Requests', 'how long one may wait, and how often it is tried', {
  'reply-timeout': option(
    duration(1, DAY_MS),
    30_000,
    'live',
    'time for a replica to begin its reply once it has the whole request',
  ),
  'request-timeout': option(
    duration(1, DAY_MS),
    60_000,
    'live',
    'time from the end of a request to the head of its reply, over all attempts',
  ),
  'body-timeout': option(duration(1, DAY_MS), 60_000, 'live', 'longest pause within a body, on either side'),
  'tunnel-idle-timeout': option(duration(1, DAY_MS), 600_000, 'live', 'longest silence on an upgraded connection'),
  'rehome-tunnels': settled(
    orOff(duration(1, DAY_MS)),
    '5s with a key, else off',
    // What a key holds together meets at one replica, so a tunnel at another one is of no use to it.
    (given, { key }: { key: readonly KeySource[] }) =>
      given ?? (goesByRequestId(key) ? Number.POSITIVE_INFINITY : 5000),
    'live',
    'time after which an upgraded connection is ended that is not where its key leads, so that its client comes there',
  ),
  // Whoever may have a connection may wait, so the limit that counts is on the time.
  queue: option(
    integer(0, 1_000_000),
    10_000,
    'live',
    'most requests that wait while all replicas are full; more get a 503',
  ),
  'queue-timeout': option(duration(1, DAY_MS), 5000, 'live', 'time that a request waits for a replica with room'),
  'overload-wait': settled(
    orOff(duration(1, DAY_MS)),
    '50ms with no key, else off',
    // One replica may have more than it can do because of its keys, while the others have little. A limit for all of
    // them together would not help.
    (given, { key }: { key: readonly KeySource[] }) => given ?? (goesByRequestId(key) ? 50 : Number.POSITIVE_INFINITY),
    'live',
    'time that a request waits while more come than the replicas can do; more get a 503 at once',
  ),
  'shed-first': option(
    choice(['reads', 'writes']),
    // Their clients may ask again by themselves, without harm.
    'reads',
    'live',
    'which of the requests that wait get that 503 first; of those, the newest',
  ),
  'max-attempts': option(integer(1, 10), 3, 'live', 'most replicas that one request is tried at'),
  'retry-budget': option(
    decimal(0, 10),
    0.2,
    'live',
    'repeated attempts allowed, as a ratio to the requests of the last seconds',
  ),
  quarantine: option(
    orOff(duration(1, DAY_MS), 0),
    60_000,
    'live',
    'time for which a request is refused that was at two replicas when they died',
  ),
});
