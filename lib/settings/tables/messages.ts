// Options of what is in a request or a reply.

import { choice, integer, onOff, orOff, size } from '../kinds.ts';
import { trustedProxies } from '../list-kinds.ts';
import { atStart, GIB, group, KIB, MIB, option } from '../option.ts';

export const MESSAGES = group('Messages', 'how large they may be, and which fields are believed, dropped and added', {
  'max-head-size': option(
    size(KIB, MIB),
    64 * KIB,
    atStart('the parser of Node is made with it'),
    'largest head of a request or a reply; more is told 431, or 502 for a reply',
  ),
  'max-fields': option(
    integer(16, 10_000),
    256,
    'live',
    'most fields of a head or of trailers, and most elements of the lists in it',
  ),
  'max-body-size': option(
    orOff(size(0, 1024 * GIB)),
    Number.POSITIVE_INFINITY,
    'live',
    'largest body of a request; more is told 413',
  ),
  'trust-proxy': option(
    trustedProxies,
    [] as readonly string[],
    atStart('it decides whether changes of the fleet take a token'),
    'proxies whose X-Forwarded-* and Forwarded are believed; others are replaced',
  ),
  underscores: option(
    choice(['drop-owned', 'drop', 'pass']),
    'drop-owned',
    'live',
    'names that CGI reads as others (`X_Real_IP`): those like ours, all or none are dropped',
  ),
  via: option(
    onOff,
    true,
    'live',
    'add a Via field to requests and replies; a replica that is an nginx compresses nothing where there is one',
  ),
});
