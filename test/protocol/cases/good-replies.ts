// Duty 2, what a replica may do: every kind of framing, interim replies and trailers reach the client complete and
// framed for it (RFC 9110, 6.4, 6.5 and 15.2; RFC 9112, 6 and 7; RFC 8297).

import type { Case, Check } from '../case.ts';
import {
  clientGetsField,
  clientNeverSees,
  clientSees,
  closed,
  connections,
  finalReply,
  gets,
  requests,
} from '../checks.ts';

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
const CLOSE = 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const OLD = 'GET /x HTTP/1.0\r\nHost: a\r\n\r\n';
const OLD_KEPT = 'GET /x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n';
const UNFRAMED = 'HTTP/1.1 200 OK\r\n\r\nabcde';

const framedAs =
  (framing: string): Check =>
  (seen) => {
    const found = finalReply(seen)?.framing;
    return found === framing ? undefined : `the reply is framed by ${found}, not ${framing}`;
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

export const GOOD_REPLIES: readonly Case[] = [
  good('a reply with a length keeps it', CLOSE, OK, gets(200, 'ok'), framedAs('length')),
  good('a chunked reply is chunked', CLOSE, CHUNKED, gets(200, 'abcde'), framedAs('chunked')),
  good(
    'a chunked reply for HTTP/1.0 ends with the connection',
    OLD,
    CHUNKED,
    gets(200, 'abcde'),
    framedAs('close'),
    closed,
  ),
  good(
    'a chunked reply for a kept HTTP/1.0 connection ends with it',
    OLD_KEPT,
    CHUNKED,
    gets(200, 'abcde'),
    framedAs('close'),
    closed,
  ),
  good(
    'an unframed reply is delivered whole and chunked',
    CLOSE,
    [UNFRAMED, 'end'],
    gets(200, 'abcde'),
    framedAs('chunked'),
  ),
  good(
    'an unframed reply keeps the client’s connection',
    [GET, { replies: 1 }, CLOSE, { replies: 2 }],
    [UNFRAMED, 'end'],
    gets(200, 'abcde'),
    requests(2),
    clientNeverSees(/Connection: close[\s\S]*HTTP/i),
  ),
  good(
    'an unframed reply for HTTP/1.0 ends with the connection',
    OLD,
    [UNFRAMED, 'end'],
    gets(200, 'abcde'),
    framedAs('close'),
    closed,
  ),
  good('an empty unframed reply is whole', CLOSE, ['HTTP/1.1 200 OK\r\n\r\n', 'end'], gets(200, '')),
  good(
    'an unframed reply in pieces is whole',
    CLOSE,
    ['HTTP/1.1 200 OK\r\n', '\r\nab', { pauseMs: 10 }, 'cde', { pauseMs: 10 }, 'end'],
    gets(200, 'abcde'),
  ),
  good(
    'an unframed reply of HTTP/1.0 is whole',
    CLOSE,
    ['HTTP/1.0 200 OK\r\n\r\nabcde', 'end'],
    gets(200, 'abcde'),
    clientSees(/^HTTP\/1\.1 /),
  ),
  good(
    'a length of HTTP/1.0 is kept',
    CLOSE,
    ['HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok', 'end'],
    gets(200, 'ok'),
    framedAs('length'),
  ),
  good(
    'a reply to HTTP/1.0 with a length keeps its connection if asked',
    [OLD_KEPT, { replies: 1 }, OLD, { replies: 2 }],
    OK,
    gets(200, 'ok'),
    requests(2),
    clientSees(/^HTTP\/1\.1 200 OK\r\n(?:.+\r\n)*Connection: keep-alive\r\n/i),
  ),
  good('a reply to HTTP/1.0 closes its connection', OLD, OK, gets(200, 'ok'), closed),
  good(
    'a reply says HTTP/1.1, whatever the replica speaks',
    CLOSE,
    ['HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'],
    clientSees(/^HTTP\/1\.1 200 OK\r\n/),
  ),
  good(
    'no reason phrase, but its space',
    CLOSE,
    'HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok',
    gets(200, 'ok'),
    clientSees(/^HTTP\/1\.1 200 /),
  ),
  good(
    'no reason phrase, and no space',
    CLOSE,
    'HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok',
    gets(200, 'ok'),
    clientSees(/^HTTP\/1\.1 200 /),
  ),
  good(
    'an odd reason phrase stays',
    CLOSE,
    'HTTP/1.1 200 Fine, \tthank \xfcou\r\nContent-Length: 2\r\n\r\nok',
    clientSees(/^HTTP\/1\.1 200 Fine, \tthank \xfcou\r\n/),
  ),
  ...[299, 418, 451, 499, 599, 600, 799, 999].map((status) =>
    good(
      `status ${status} passes`,
      CLOSE,
      `HTTP/1.1 ${status} Odd\r\nContent-Length: 2\r\n\r\nok`,
      gets(status, 'ok'),
      requests(1),
    ),
  ),
  good(
    'Trailer beside Content-Length passes',
    CLOSE,
    'HTTP/1.1 200 OK\r\nTrailer: X-A\r\nContent-Length: 2\r\n\r\nok',
    gets(200, 'ok'),
  ),
  good(
    'white space around the length of a reply',
    CLOSE,
    'HTTP/1.1 200 OK\r\nContent-Length: \t2 \r\n\r\nok',
    gets(200, 'ok'),
  ),
  good(
    'the coding of a reply in another case',
    CLOSE,
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    gets(200, 'ok'),
  ),
  {
    name: 'a space before a colon of a reply is taken out or refused',
    duty: 2,
    client: CLOSE,
    answers: ['HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 2\r\n\r\nok'],
    checks: [(seen) => (/^HTTP\/1\.1 502 /.test(seen.text) ? undefined : clientGetsField('X-A', 'b')(seen))],
  },
  {
    name: 'two equal lengths of a reply become one or are refused',
    duty: 2,
    client: CLOSE,
    answers: ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok'],
    checks: [(seen) => (/^HTTP\/1\.1 502 /.test(seen.text) ? undefined : clientGetsField('Content-Length', '2')(seen))],
  },
  good(
    'extensions of chunks end at the proxy',
    CLOSE,
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a="b;c"\r\nabc\r\n0;d\r\n\r\n',
    gets(200, 'abc'),
    clientNeverSees(/b;c/),
  ),
  good(
    'a chunk of 300,000 bytes',
    CLOSE,
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n493e0\r\n${'a'.repeat(300_000)}\r\n0\r\n\r\n`,
    gets(200, 'a'.repeat(300_000)),
  ),
  good(
    'a chunked reply, byte by byte',
    CLOSE,
    [...CHUNKED].flatMap((byte) => [byte, { pauseMs: 0 }]),
    gets(200, 'abcde'),
  ),
  good(
    'the first chunk comes before the second is sent',
    CLOSE,
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', { clientHas: /abc/ }, '2\r\nde\r\n0\r\n\r\n'],
    gets(200, 'abcde'),
  ),
  good(
    'a head comes before its body is sent',
    CLOSE,
    ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n', { clientHas: /200 OK/ }, 'ok'],
    gets(200, 'ok'),
  ),
  // These replies have no body, whatever their fields say.
  good(
    'HEAD keeps a length without a body',
    'HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n',
    gets(200, ''),
    clientGetsField('Content-Length', '99'),
  ),
  good(
    'HEAD of a chunked reply has no body',
    'HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    gets(200, ''),
    clientNeverSees(/0\r\n\r\n$/),
  ),
  {
    ...good(
      'HEAD leaves its connections usable',
      ['HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n', { replies: 1 }, CLOSE],
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n',
      gets(200, ''),
      requests(2),
      connections(1),
    ),
    answers: ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n', OK],
    methods: ['HEAD', 'GET'],
  },
  ...[204, 304].map(
    (status): Case => ({
      ...good(
        `${status} leaves its connections usable`,
        [GET, { replies: 1 }, CLOSE],
        '',
        gets(status, ''),
        requests(2),
        connections(1),
        clientSees(/ok$/),
      ),
      answers: [`HTTP/1.1 ${status} Odd\r\nETag: "a"\r\n\r\n`, OK],
    }),
  ),
  good(
    '204 has no length',
    CLOSE,
    'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n',
    gets(204, ''),
    clientGetsField('Content-Length'),
    clientGetsField('Transfer-Encoding'),
  ),
  good(
    '304 keeps the length of what it stands for',
    CLOSE,
    'HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: "a"\r\n\r\n',
    gets(304, ''),
    clientGetsField('Content-Length', '99'),
  ),
  good(
    '304 without a length gets no body of another framing',
    CLOSE,
    'HTTP/1.1 304 Not Modified\r\n\r\n',
    gets(304, ''),
    clientGetsField('Transfer-Encoding'),
  ),
  good('205 with a length of 0', CLOSE, 'HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n', gets(205, '')),
];
