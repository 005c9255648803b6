// Duties 7 and 8: every limit has its status, and every error its envelope and its id (RFC 9110, 15.5 and 15.6; RFC
// 6585, 5). Cases with many connections at once are in test/proxy/limits.test.ts.

import type { Case, Check } from '../case.ts';
import { clientSees, closed, finalReply, gets, neverSent, requests, status } from '../checks.ts';
import { fieldsOf } from '../message.ts';

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
const CLOSE = 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** The reply is the failure envelope of the contract, with a request id. */
const envelope: Check = (seen) => {
  const reply = finalReply(seen);
  if (reply === undefined) return 'no reply';
  if (fieldsOf(reply, 'content-type').join() !== 'application/json') return 'it is not JSON';
  const { message, status: word } = JSON.parse(Buffer.from(reply.body, 'latin1').toString());
  if (typeof message !== 'string' || !message.startsWith('<Error> ') || word !== 'failure')
    return 'it is no failure envelope';
  return /\b\d{6}\b/.test(reply.body) || fieldsOf(reply, 'x-request-id').length === 1
    ? undefined
    : 'it has no request id';
};

const tight = (name: string, client: Case['client'], answers: Case['answers'], ...checks: Check[]): Case => ({
  name,
  duty: 7,
  profile: 'tight',
  client,
  ...(answers === undefined ? {} : { answers }),
  checks,
});

export const LIMITS: readonly Case[] = [
  {
    name: 'a head over the limit is a 431',
    duty: 7,
    client: `GET /x HTTP/1.1\r\nHost: a\r\nX-A: ${'a'.repeat(700_000)}\r\n\r\n`,
    checks: [status(400, 431), closed, neverSent],
  },
  {
    name: 'a target over the limit is a 414 or 431',
    duty: 7,
    client: `GET /${'a'.repeat(700_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    checks: [status(400, 414, 431), closed, neverSent],
  },
  tight(
    'a client that is slow with its head gets 408',
    ['GET /x HTTP/1.1\r\nHost: a\r\n'],
    undefined,
    status(408),
    closed,
    neverSent,
  ),
  tight(
    'a client that sends its head byte by byte gets 408 all the same',
    ['GET /x HTTP/1.1\r\n', ...Array.from({ length: 12 }, () => ['X', { pauseMs: 60 }] as const).flat()],
    undefined,
    status(408),
    closed,
    neverSent,
  ),
  {
    ...tight('a client that sends nothing is closed', [{ pauseMs: 1 }], undefined, (seen) =>
      seen.ended === 'open' ? 'it stays open' : undefined,
    ),
  },
  {
    ...tight('an idle connection is closed', [GET, { replies: 1 }], undefined, gets(200, 'ok'), closed),
    oursOnly: true,
  },
  {
    ...tight(
      'a client that stops in its body gets 408 or a cut',
      ['POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc'],
      undefined,
      (seen) => (seen.ended === 'open' ? 'it stays open' : undefined),
      (seen) => (finalReply(seen) === undefined ? undefined : status(408)(seen)),
    ),
    oursOnly: true,
  },
  tight('a replica that does not answer is a 504', [CLOSE], [[]], status(504)),
  {
    ...tight(
      'a replica that stops in its reply is cut',
      [GET],
      [['HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc']],
      (seen) => (seen.ended === 'open' ? 'the client waits' : undefined),
    ),
    oursOnly: true,
  },
  {
    ...tight('a replica that stops in its head is a 504', [CLOSE], [['HTTP/1.1 200 OK\r\nContent-']], status(502, 504)),
    oursOnly: true,
  },
  tight(
    'a replica that is slow but goes on is not cut',
    [CLOSE],
    [
      [
        'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n',
        ...Array.from('abcdef', (byte) => [{ pauseMs: 90 }, byte] as const).flat(),
      ],
    ],
    gets(200, 'abcdef'),
  ),
  tight(
    'a body over the limit is a 413',
    ['POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n', { replies: 1 }, 'leave'],
    undefined,
    status(413),
    neverSent,
  ),
  {
    ...tight(
      'a chunked body over the limit is a 413',
      [
        `POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n${'a'.repeat(1001)}\r\n0\r\n\r\n`,
        { replies: 1 },
        'leave',
      ],
      undefined,
      status(413),
      (seen) => (seen.requests.some((request) => request.complete) ? 'a replica got all of it' : undefined),
    ),
    oursOnly: true,
  },
  tight(
    'a body at the limit passes',
    [`POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n${'a'.repeat(1000)}`],
    undefined,
    gets(200, 'ok'),
  ),
  {
    ...tight(
      'the last request of a connection says so',
      [GET, { replies: 1 }, GET, { replies: 2 }, GET, { replies: 3 }],
      undefined,
      closed,
      clientSees(/Connection: close\r\n\r\nok$/i),
      requests(3),
    ),
    oursOnly: true,
  },
  // Errors.
  {
    name: 'a refusal is a failure envelope with a request id',
    duty: 8,
    client: 'GET /x HTTP/1.1\r\n\r\n',
    checks: [status(400), envelope],
  },
  {
    name: 'a syntax error is a failure envelope with a request id',
    duty: 8,
    client: 'GET /x HTTP/1.1\r\nHost: a\r\nX A: b\r\n\r\n',
    checks: [status(400), envelope],
  },
  {
    name: '502 is a failure envelope with a request id',
    duty: 8,
    client: CLOSE,
    answers: ['no HTTP\r\n\r\n'],
    checks: [status(502), envelope],
  },
  {
    name: '504 is a failure envelope with a request id',
    duty: 8,
    profile: 'tight',
    client: CLOSE,
    answers: [[]],
    checks: [status(504), envelope],
  },
  {
    name: '408 is a failure envelope with a request id',
    duty: 8,
    profile: 'tight',
    client: ['GET /x HTTP/1.1\r\nHost: a\r\n'],
    checks: [status(408), envelope],
  },
  {
    name: '413 is a failure envelope with a request id',
    duty: 8,
    profile: 'tight',
    client: ['POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n', { replies: 1 }, 'leave'],
    checks: [status(413), envelope],
  },
  {
    name: '431 is a failure envelope with a request id',
    duty: 8,
    client: `GET /x HTTP/1.1\r\nHost: a\r\nX-A: ${'a'.repeat(700_000)}\r\n\r\n`,
    checks: [status(431), envelope],
  },
  {
    name: '501 is a failure envelope with a request id',
    duty: 8,
    client: 'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    checks: [status(501), envelope],
  },
  {
    name: 'CONNECT is not implemented, in an envelope',
    duty: 8,
    client: 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n',
    checks: [status(405, 501), envelope],
  },
  {
    name: '502 for HEAD has the envelope’s length, not its body',
    duty: 8,
    client: 'HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    answers: ['no HTTP\r\n\r\n'],
    checks: [status(502), clientSees(/\r\n\r\n$/)],
  },
  {
    name: 'a 502 leaves the client’s connection usable',
    duty: 8,
    client: [GET, { replies: 1 }, CLOSE],
    answers: ['no HTTP\r\n\r\n', OK],
    checks: [status(502), clientSees(/ok$/)],
  },
  {
    name: 'no replica that listens is a 503 with Retry-After',
    duty: 8,
    profile: 'down',
    client: CLOSE,
    checks: [
      status(503),
      envelope,
      (seen) => (/^retry-after: \d+\r$/im.test(seen.text) ? undefined : 'no Retry-After'),
      clientSees(/^date: /im),
    ],
  },
];
