// Options of the data plane: how long it waits, and how much of anything there may be.

import { choice, decimal, duration, integer, onOff, orOff, rate, size } from '../kinds.ts';
import { trustedProxies } from '../list-kinds.ts';
import { DAY_MS, GIB, KIB, MIB, option } from '../option.ts';

export const PROXY = {
  // A lost SYN is sent again after 1 s, and once more 1 or 2 s later: either may be lost too, and the answer takes its time.
  'connect-timeout': option(duration(1, 60_000), 3500, 'time that a replica has to accept a connection'),
  'reply-timeout': option(
    duration(1, DAY_MS),
    30_000,
    'time that a replica has, with the whole request, to begin to reply',
  ),
  'request-timeout': option(
    duration(1, DAY_MS),
    60_000,
    'the same over all attempts, from the whole request to the head of its reply',
  ),
  'body-timeout': option(duration(1, DAY_MS), 60_000, 'longest pause within a body, on either side'),
  // What Apache's mod_reqtimeout asks of bodies.
  'min-upload-rate': option(
    orOff(rate(1, MIB), 0),
    500,
    'bytes per second that a client has to send of a body, on average, once it has taken 20 s',
  ),
  'head-timeout': option(duration(1, DAY_MS), 10_000, 'time that a client has for the head of a request'),
  'keep-alive-timeout': option(
    duration(1, DAY_MS),
    60_000,
    'time that a client’s connection is kept without a request',
  ),
  'replica-idle-timeout': option(
    duration(4, DAY_MS),
    3000,
    'time that a connection to a replica is kept; shorter than the replica keeps it',
  ),
  'replica-keep-alive': option(
    onOff,
    true,
    'keep connections to replicas; `off`: one for each request, for replicas that close theirs without a word',
  ),
  'tunnel-idle-timeout': option(duration(1, DAY_MS), 600_000, 'longest silence of an upgraded connection'),
  'max-head-size': option(
    size(KIB, MIB),
    64 * KIB,
    'largest head of a request or a reply; more is told 431, or 502 for a reply',
  ),
  'max-fields': option(
    integer(16, 10_000),
    256,
    'most fields of a head or of trailers, and most elements of the lists in it',
  ),
  'max-body-size': option(
    orOff(size(0, 1024 * GIB)),
    Number.POSITIVE_INFINITY,
    'largest body of a request; more is told 413',
  ),
  'max-connections': option(
    integer(1, 1_000_000),
    10_000,
    'connections of clients, or what `ulimit -n` allows; more are told 503',
  ),
  'max-requests-per-connection': option(
    orOff(integer(1, 1_000_000)),
    Number.POSITIVE_INFINITY,
    'requests after which a client’s connection is closed',
  ),
  // What programs that speak HTTP do when they end their side: browsers, curl and the libraries leave. nginx, Envoy and Go cut as well.
  'client-half-close': option(
    choice(['close', 'allow']),
    'close',
    'what it means that a client ends its side: it has left, and its request is cut; or it still reads, as `nc -N` does',
  ),
  // About what the listen backlog of a service holds: 511 in Node, if it does not say.
  'max-in-flight': option(integer(1, 1_000_000), 512, 'requests that one replica may have at a time'),
  // Three replicas with as many leave ordinary requests a third of the connections that there may be.
  'max-tunnels': option(
    integer(0, 1_000_000),
    2048,
    'upgraded connections (WebSocket) that one replica may have beside its requests; more are told 503',
  ),
  // Whoever may have a connection may wait: how long is the limit that counts.
  queue: option(integer(0, 1_000_000), 10_000, 'requests that may wait while all replicas are full; more are told 503'),
  'queue-timeout': option(duration(1, DAY_MS), 5000, 'time that a request may wait for a replica with room'),
  'max-attempts': option(integer(1, 10), 3, 'replicas that one request may be tried at'),
  'retry-budget': option(decimal(0, 10), 0.2, 'attempts beyond the first, over the requests of the last seconds'),
  via: option(
    onOff,
    true,
    'add a Via field to requests and replies; a replica that is an nginx compresses nothing where there is one',
  ),
  underscores: option(
    choice(['drop-owned', 'drop', 'pass']),
    'drop-owned',
    'names that CGI reads as others (`X_Real_IP`): those like ours, all or none are dropped',
  ),
  'trust-proxy': option(
    trustedProxies,
    [] as readonly string[],
    'proxies whose X-Forwarded-* and Forwarded are believed; others are replaced',
  ),
} as const;
