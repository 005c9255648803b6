// Options of what is in a request or a reply.

import { choice, integer, onOff, orOff, size } from '../kinds.ts';
import { trustedProxies } from '../lists/kinds.ts';
import { atStart, GIB, group, KIB, MIB, option } from '../option.ts';

export const MESSAGES = group('Messages', 'how large they may be, and which fields are believed, dropped or added', {
  'max-head-size': option(
    size(KIB, MIB),
    64 * KIB,
    atStart('the parser of Node is made with it'),
    'largest head of a request or a reply; a larger one is a 431, or a 502 if it is a reply’s',
  ),
  'max-fields': option(
    integer(16, 10_000),
    256,
    // With a higher limit, a parser that is there would drop fields, and nobody would know.
    atStart('the parser of a connection is made with it'),
    'most fields in a head or in trailers, and most elements in the lists of a head',
  ),
  'max-body-size': option(
    orOff(size(0, 1024 * GIB)),
    Number.POSITIVE_INFINITY,
    'live',
    'largest body of a request; a larger one is a 413',
  ),
  'trust-proxy': option(
    trustedProxies,
    [] as readonly string[],
    atStart('it decides whether changes of the fleet take a token'),
    'proxies whose X-Forwarded-* and Forwarded are believed, not replaced',
  ),
  underscores: option(
    choice(['drop-owned', 'drop', 'pass']),
    'drop-owned',
    'live',
    'fields that CGI takes for others (`X_Real_IP`): drop those like ours, all, or none',
  ),
  via: option(
    onOff,
    true,
    'live',
    'add a Via field to requests and replies; an nginx that gets one compresses nothing',
  ),
  'explain-header': option(
    onOff,
    false,
    'live',
    'add X-Ringmaster-Route to replies: whose key it was, who took it, and why; it names replicas to all clients',
  ),
});
