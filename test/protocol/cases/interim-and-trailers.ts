// Duty 2, what comes before and after a reply: interim replies and trailers (RFC 9110, 6.5 and 15.2; RFC 8297).

import type { Case, Check } from '../case.ts';
import { clientGetsField, clientNeverSees, clientSees, finalReply, gets, replicaGets, status } from '../checks.ts';
import { fieldsOf } from '../message.ts';

const CLOSE = 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const TRAILERS = 'GET /x HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n';
const OLD = 'GET /x HTTP/1.0\r\nHost: a\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const HINTS = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n';

/** The final reply has a trailer of that name and value. */
const trailer =
  (name: string, value: string): Check =>
  (seen) => {
    const found = (finalReply(seen)?.trailers ?? []).filter(([one]) => one.toLowerCase() === name.toLowerCase());
    return found.length === 1 && found[0]?.[1] === value ? undefined : `the trailer ${name} is not there`;
  };

const good = (
  name: string,
  client: Case['client'],
  answer: NonNullable<Case['answers']>[0],
  ...checks: Check[]
): Case => ({
  name,
  duty: 2,
  client,
  answers: [answer],
  checks,
});

export const INTERIM_AND_TRAILERS: readonly Case[] = [
  // Interim replies.
  good(
    '103 is passed on, before the final reply is there',
    CLOSE,
    [HINTS, { clientHas: /103 Early Hints\r\nLink: <\/a.css>; rel=preload\r\n\r\n$/ }, OK],
    gets(200, 'ok'),
  ),
  good(
    '103 twice, then the reply',
    CLOSE,
    `${HINTS}${HINTS}${OK}`,
    clientSees(/^HTTP\/1\.1 103 [\s\S]*HTTP\/1\.1 103 [\s\S]*HTTP\/1\.1 200 /),
    gets(200, 'ok'),
  ),
  good(
    '102 is passed on',
    CLOSE,
    `HTTP/1.1 102 Processing\r\n\r\n${OK}`,
    clientSees(/^HTTP\/1\.1 102 /),
    gets(200, 'ok'),
  ),
  good('100 that nobody asked for does no harm', CLOSE, `HTTP/1.1 100 Continue\r\n\r\n${OK}`, gets(200, 'ok')),
  good(
    'an interim reply that nobody knows is passed on',
    CLOSE,
    `HTTP/1.1 199 Odd\r\nX-A: b\r\n\r\n${OK}`,
    clientSees(/^HTTP\/1\.1 199 Odd\r\nX-A: b\r\n/),
    gets(200, 'ok'),
  ),
  good('an interim reply is not for HTTP/1.0', OLD, `${HINTS}${OK}`, clientSees(/^HTTP\/1\.1 200 /), gets(200, 'ok')),
  good(
    'the fields of an interim reply are not those of the final one',
    CLOSE,
    `${HINTS}${OK}`,
    clientGetsField('Link'),
  ),
  good(
    '1,000 interim replies do not hold the reply',
    CLOSE,
    `${'HTTP/1.1 102 Processing\r\n\r\n'.repeat(1000)}${OK}`,
    gets(200, 'ok'),
  ),
  // Trailers.
  good(
    'trailers of a reply reach the client',
    TRAILERS,
    'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nX-Sum2: \xe9\r\n\r\n',
    gets(200, 'ok'),
    trailer('X-Sum', '1'),
    trailer('X-Sum2', '\xe9'),
  ),
  good(
    'trailers that frame or route are dropped',
    TRAILERS,
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: b\r\nX-Sum: 1\r\n\r\n',
    gets(200, 'ok'),
    trailer('X-Sum', '1'),
    clientNeverSees(/Content-Length|Host: b|chunked[\s\S]*chunked/i),
  ),
  good(
    'trailers are not for HTTP/1.0',
    OLD,
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n',
    gets(200, 'ok'),
    clientNeverSees(/X-Sum/),
  ),
  {
    name: 'trailers of a request reach the replica',
    duty: 2,
    client:
      'POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n',
    checks: [
      gets(200),
      replicaGets((request) => fieldsOf({ fields: request.trailers }, 'x-sum').join() === '1', 'the trailer'),
    ],
  },
  {
    name: 'trailers of a request that frame or route are dropped, or the request is refused',
    duty: 2,
    client:
      'POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nContent-Length: 7\r\nHost: b\r\nX-Sum: 1\r\n\r\n',
    checks: [
      status(200, 400),
      (seen) =>
        seen.requests.some(({ trailers }) => trailers.some(([name]) => /^(content-length|host)$/i.test(name)))
          ? 'a trailer that frames reached the replica'
          : undefined,
    ],
  },
];
