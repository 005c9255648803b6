// Duty 1, bodies: invalid chunks are refused, the proxy frames what it sends itself, and an upload that ends half-way
// never looks complete to a replica (RFC 9112, 6.3, 7.1 and 8).

import type { Case } from '../case.ts';
import {
  brokenOff,
  clientSees,
  connections,
  gets,
  neverSent,
  neverWhole,
  refused,
  replicaGets,
  replicaGetsBody,
  requests,
  status,
} from '../checks.ts';

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
const CHUNKED = 'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
// As much as the proxy waits for before it asks a replica.
const MUCH = 'x'.repeat(65_536);
const MUCH_CHUNKED = `${CHUNKED}10000\r\n${MUCH}\r\n`;
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

// Invalid first chunks: nothing of them can have been forwarded.
const BAD_CHUNKS: readonly (readonly [name: string, body: string])[] = [
  ['0x5', '0x5\r\nabcde\r\n0\r\n\r\n'],
  ['-5', '-5\r\nabcde\r\n0\r\n\r\n'],
  ['+5', '+5\r\nabcde\r\n0\r\n\r\n'],
  ['5 with a space before it', ' 5\r\nabcde\r\n0\r\n\r\n'],
  ['g', 'g\r\nabcde\r\n0\r\n\r\n'],
  ['nothing', '\r\nabcde\r\n0\r\n\r\n'],
  ['nothing but an extension', ';a=b\r\nabcde\r\n0\r\n\r\n'],
  ['5,5', '5,5\r\nabcde\r\n0\r\n\r\n'],
  ['"5"', '"5"\r\nabcde\r\n0\r\n\r\n'],
  ['5 with a NUL', '5\0\r\nabcde\r\n0\r\n\r\n'],
  ['5 6', '5 6\r\nabcde\r\n0\r\n\r\n'],
  ['5 that ends in LF', '5\nabcde\r\n0\r\n\r\n'],
  ['5 that ends in CR', '5\rabcde\r\n0\r\n\r\n'],
  ['5 that ends in CR CR LF', '5\r\r\nabcde\r\n0\r\n\r\n'],
  ['a number over 2^64', '10000000000000005\r\nabcde\r\n0\r\n\r\n'],
  ['17 digits that are ffff…', `${'f'.repeat(17)}\r\nabcde\r\n0\r\n\r\n`],
  ['5 with an extension that has a bare LF', `5;a\nb\r\nabcde\r\n0\r\n\r\n${SMUGGLED}`],
  ['5 with an extension that has a bare CR', `5;a\rb\r\nabcde\r\n0\r\n\r\n${SMUGGLED}`],
  ['5 with an extension that has a NUL', '5;a\0b\r\nabcde\r\n0\r\n\r\n'],
  ['2 with an extension that hides a chunk behind LF', `2;\nxx\r\n4c\r\n0\r\n\r\n${SMUGGLED}`],
  ['5 with an extension of 100,000 bytes', `5;${'a'.repeat(100_000)}\r\nabcde\r\n0\r\n\r\n`],
];

// Errors after a valid chunk. The head may have been forwarded, but a replica never gets the complete request.
const BAD_ENDS: readonly (readonly [name: string, body: string])[] = [
  ['a chunk that is longer than its size', `3\r\nabcde\r\n0\r\n\r\n${SMUGGLED}`],
  ['a chunk that is shorter than its size', `6\r\nabc\r\n0\r\n\r\n${SMUGGLED}`],
  ['chunk data that ends in LF', `3\r\nabc\n0\r\n\r\n${SMUGGLED}`],
  ['chunk data that ends in CR', `3\r\nabc\r0\r\n\r\n${SMUGGLED}`],
  ['chunk data without an end', `3\r\nabc0\r\n\r\n${SMUGGLED}`],
  ['a last chunk that ends in LF', `3\r\nabc\r\n0\n\n${SMUGGLED}`],
  ['a second chunk size of 0x0', `3\r\nabc\r\n0x0\r\n\r\n${SMUGGLED}`],
  ['a trailer without a colon', `3\r\nabc\r\n0\r\nx\r\n\r\n${SMUGGLED}`],
  ['a trailer with a space before the colon', `3\r\nabc\r\n0\r\nx : y\r\n\r\n${SMUGGLED}`],
  ['a folded trailer', `3\r\nabc\r\n0\r\nx: y\r\n z\r\n\r\n${SMUGGLED}`],
  ['a trailer with a bare LF', `3\r\nabc\r\n0\r\nx: y\nz: a\r\n\r\n${SMUGGLED}`],
  ['a trailer with a NUL', `3\r\nabc\r\n0\r\nx: y\0\r\n\r\n${SMUGGLED}`],
];

const method = (name: string, framing: 'chunked' | 'length'): Case => ({
  name: `a ${framing === 'chunked' ? 'chunked body' : 'body with a length'} of ${name} stays framed`,
  duty: 1,
  client:
    `${name} /x HTTP/1.1\r\nHost: a\r\n` +
    (framing === 'chunked'
      ? `Transfer-Encoding: chunked\r\n\r\n${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`
      : `Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`) +
    'GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  methods: [name, 'GET'],
  checks: [
    gets(200),
    requests(2),
    replicaGetsBody(SMUGGLED),
    replicaGets((request) => request.startLine === 'GET /next HTTP/1.1', 'the next request', 1),
  ],
});

export const REQUEST_BODIES: readonly Case[] = [
  ...BAD_CHUNKS.map(
    ([name, body]): Case => ({
      name: `refused: a chunk size that is ${name}`,
      duty: 1,
      client: CHUNKED + body,
      checks: [...brokenOff, clientSees(/^HTTP\/1\.1 (400|413|431) /)],
    }),
  ),
  ...BAD_CHUNKS.slice(0, 4).map(
    ([name, body]): Case => ({
      name: `never forwarded: a first chunk size that is ${name}, with the head long before`,
      duty: 1,
      client: [CHUNKED, { pauseMs: 40 }, body],
      checks: [...refused(400), neverSent],
      oursOnly: true,
    }),
  ),
  ...BAD_ENDS.map(
    ([name, body]): Case => ({ name: `broken off: ${name}`, duty: 1, client: CHUNKED + body, checks: brokenOff }),
  ),
  ...['DELETE', 'GET', 'OPTIONS', 'HEAD', 'PUT', 'PATCH', 'POST'].map((name) => method(name, 'chunked')),
  ...['DELETE', 'GET', 'OPTIONS', 'POST'].map((name) => method(name, 'length')),
  {
    name: 'a chunked body arrives as its bytes, whatever its pieces',
    duty: 1,
    client: [
      'POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n',
      ...['3\r', '\nab', 'c\r', '\n000', '2;x=y\r\nde\r\n', '0', '\r\n', '\r', '\n'].flatMap((piece) => [
        piece,
        { pauseMs: 3 },
      ]),
    ],
    checks: [gets(200), replicaGetsBody('abcde', 'chunked')],
  },
  {
    name: 'extensions of chunks end at the proxy',
    duty: 1,
    client:
      'POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3;a="b;c";d\r\nabc\r\n0;e\r\n\r\n',
    checks: [
      gets(200),
      replicaGetsBody('abc', 'chunked'),
      (seen) =>
        /;/.test(seen.connections[0]?.text.split('\r\n\r\n')[1] ?? '') ? 'an extension reached the replica' : undefined,
    ],
  },
  {
    name: 'a head without a body of what it announces waits at the proxy',
    duty: 1,
    client: ['POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n', { pauseMs: 80 }, 'leave'],
    checks: [neverSent],
  },
  {
    name: 'a chunked head without a chunk waits at the proxy',
    duty: 1,
    client: [CHUNKED, { pauseMs: 80 }, 'leave'],
    checks: [neverSent],
  },
  ...(['half-close', 'reset'] as const).flatMap((end): Case[] => [
    {
      name: `an upload with a length that dies half-way by ${end} never looks complete`,
      duty: 1,
      client: [
        `POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 65546\r\n\r\n${MUCH}abc`,
        { replicaHas: /abc/ },
        end,
        'replica-ends',
        'leave',
      ],
      checks: [neverWhole],
    },
    {
      name: `a chunked upload that dies between chunks by ${end} never looks complete`,
      duty: 1,
      client: [`${MUCH_CHUNKED}3\r\nabc\r\n`, { replicaHas: /abc/ }, end, 'replica-ends', 'leave'],
      checks: [neverWhole],
    },
    {
      name: `a chunked upload that dies in a chunk by ${end} never looks complete`,
      duty: 1,
      client: [`${MUCH_CHUNKED}ff\r\nabc`, { replicaHas: /abc/ }, end, 'replica-ends', 'leave'],
      checks: [neverWhole],
    },
    {
      name: `a chunked upload that dies before its last empty line by ${end} never looks complete`,
      duty: 1,
      client: [`${MUCH_CHUNKED}3\r\nabc\r\n0\r\n`, { replicaHas: /abc/ }, end, 'replica-ends', 'leave'],
      checks: [neverWhole],
    },
    {
      name: `a small upload that dies half-way by ${end} troubles no replica`,
      duty: 1,
      client: [`${CHUNKED}3\r\nabc\r\n`, { pauseMs: 20 }, '3\r\nde', { pauseMs: 20 }, end, { pauseMs: 20 }, 'leave'],
      checks: [requests(0)],
      oursOnly: true,
    },
  ]),
  {
    name: 'an upload that ends before its first byte is not waited for, whatever it offers to switch to',
    duty: 1,
    client: [
      'POST /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\nTransfer-Encoding: chunked\r\n\r\n',
      'half-close',
    ],
    checks: [status(400), neverWhole],
    oursOnly: true,
  },
  {
    name: 'the connection of an upload that died is not used again',
    duty: 1,
    client: [`${MUCH_CHUNKED}3\r\nabc\r\n`, { replicaHas: /abc/ }, 'reset', 'replica-ends', 'leave'],
    checks: [connections(1), neverWhole],
  },
  {
    name: 'a body of one byte more than its length is the next request, which is none',
    duty: 1,
    client: ['POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcd\r\n\r\n'],
    checks: [gets(200), requests(1), clientSees(/HTTP\/1\.1 400 /)],
  },
  {
    name: 'an answer before the end of an upload closes that connection to the replica',
    duty: 1,
    answerAt: 'head',
    answers: [OK],
    client: [`${MUCH_CHUNKED}3\r\nabc\r\n`, { replies: 1 }, 'replica-ends', 'leave'],
    checks: [
      gets(200, 'ok'),
      (seen) => (seen.connections[0]?.ended ? undefined : 'the connection to the replica is kept'),
    ],
  },
];
