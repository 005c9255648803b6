// Duty 2, errors of a replica. A reply that can be read in two ways, or in none, becomes a 502 or is cut off; its
// connection is not used again, and the next request is answered as usual (RFC 9112, 4 to 6 and 9.2).

import type { Case } from '../case.ts';
import { badGateway, clientNeverSees, clientSees, connections, cutOff, gets, requests } from '../checks.ts';

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
const LAST = 'GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const NEXT = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext';
const INJECTED = 'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\ninjected';

// Heads that are refused before the client gets anything of them.
const BAD_HEADS: readonly (readonly [name: string, reply: string])[] = [
  ['no HTTP at all', '220 mail.example ESMTP\r\n\r\n'],
  ['HTTP/2.0', 'HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['HTTP/0.9', 'HTTP/0.9 200 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['HTTP/1.10', 'HTTP/1.10 200 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['HTTP/1', 'HTTP/1 200 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['http/1.1', 'http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['HTTPX/1.1', 'HTTPX/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['a space before the version', ' HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['two spaces before the status', 'HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['a tab before the status', 'HTTP/1.1\t200 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['no status', 'HTTP/1.1 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['nothing but a version', 'HTTP/1.1\r\nContent-Length: 2\r\n\r\nok'],
  ['status 099', 'HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\nok'],
  ['status 000', 'HTTP/1.1 000 Odd\r\nContent-Length: 2\r\n\r\nok'],
  ['status 1000', 'HTTP/1.1 1000 Odd\r\nContent-Length: 2\r\n\r\nok'],
  ['status 20', 'HTTP/1.1 20 Odd\r\nContent-Length: 2\r\n\r\nok'],
  ['status 2x0', 'HTTP/1.1 2x0 Odd\r\nContent-Length: 2\r\n\r\nok'],
  ['status -200', 'HTTP/1.1 -200 Odd\r\nContent-Length: 2\r\n\r\nok'],
  ['status 200OK', 'HTTP/1.1 200OK\r\nContent-Length: 2\r\n\r\nok'],
  ['a NUL in the reason phrase', 'HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\nok'],
  ['a control byte in the reason phrase', 'HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\nok'],
  ['a DEL in the reason phrase', 'HTTP/1.1 200 O\x7fK\r\nContent-Length: 2\r\n\r\nok'],
  ['a bare CR in the reason phrase', 'HTTP/1.1 200 O\rK\r\nContent-Length: 2\r\n\r\nok'],
  ['a NUL in a value', 'HTTP/1.1 200 OK\r\nX-A: b\0c\r\nContent-Length: 2\r\n\r\nok'],
  ['a control byte in a value', 'HTTP/1.1 200 OK\r\nX-A: b\x02c\r\nContent-Length: 2\r\n\r\nok'],
  ['a bare CR in a value', 'HTTP/1.1 200 OK\r\nX-A: b\rc\r\nContent-Length: 2\r\n\r\nok'],
  ['lines that end in LF', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'],
  ['one line that ends in LF', 'HTTP/1.1 200 OK\r\nX-A: b\nContent-Length: 2\r\n\r\nok'],
  ['a folded field', 'HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 2\r\n\r\nok'],
  ['white space before the first field', 'HTTP/1.1 200 OK\r\n X-A: b\r\nContent-Length: 2\r\n\r\nok'],
  ['a line without a colon', 'HTTP/1.1 200 OK\r\nX-A\r\nContent-Length: 2\r\n\r\nok'],
  ['an empty name', 'HTTP/1.1 200 OK\r\n: b\r\nContent-Length: 2\r\n\r\nok'],
  ['a space in a name', 'HTTP/1.1 200 OK\r\nX A: b\r\nContent-Length: 2\r\n\r\nok'],
  ['a NUL in a name', 'HTTP/1.1 200 OK\r\nX\0A: b\r\nContent-Length: 2\r\n\r\nok'],
  [
    'Content-Length and Transfer-Encoding',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  ],
  [
    'Transfer-Encoding and Content-Length',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  ],
  ['two lengths that differ', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok'],
  ['Content-Length: 2, 3', 'HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok'],
  ['Content-Length: +2', 'HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok'],
  ['Content-Length: -2', 'HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok'],
  ['Content-Length: 0x2', 'HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok'],
  ['Content-Length: 2 2', 'HTTP/1.1 200 OK\r\nContent-Length: 2 2\r\n\r\nok'],
  ['Content-Length without a value', 'HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok'],
  ['Content-Length of 30 digits', `HTTP/1.1 200 OK\r\nContent-Length: ${'9'.repeat(30)}\r\n\r\nok`],
  ['Transfer-Encoding: xchunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
  [
    'Transfer-Encoding: chunked, chunked',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  ],
  [
    'Transfer-Encoding: chunked, gzip',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  ],
  ['Transfer-Encoding in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
  ['101 that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'],
  ['a head of 200,000 bytes', `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(200_000)}\r\nContent-Length: 2\r\n\r\nok`],
  ['fields of 200,000 bytes', `HTTP/1.1 200 OK\r\n${'X-A: 0123456789\r\n'.repeat(12_000)}Content-Length: 2\r\n\r\nok`],
];

// What a reply consists of when its connection ends.
const CUT_HEADS: readonly (readonly [name: string, reply: string])[] = [
  ['no byte', ''],
  ['half a status line', 'HTTP/1.1 2'],
  ['a status line', 'HTTP/1.1 200 OK\r\n'],
  ['half a head', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n'],
  ['an interim reply', 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n'],
];

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

// Errors in the body: the client has got a part and must be able to see that it is not all.
const CUT_BODIES: readonly (readonly [name: string, reply: string])[] = [
  ['a body shorter than its length', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'],
  ['no byte of the body', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n'],
  ['chunks without the last', `${CHUNKED}3\r\nabc\r\n`],
  ['half a chunk', `${CHUNKED}a\r\nabc`],
  ['half a chunk size', `${CHUNKED}3\r\nabc\r\n1`],
  ['no empty line after the last chunk', `${CHUNKED}3\r\nabc\r\n0\r\n`],
  ['half a trailer', `${CHUNKED}3\r\nabc\r\n0\r\nX-A: b`],
];

const BAD_CHUNKS: readonly (readonly [name: string, reply: string])[] = [
  ['0x3', `${CHUNKED}0x3\r\nabc\r\n0\r\n\r\n`],
  ['-3', `${CHUNKED}-3\r\nabc\r\n0\r\n\r\n`],
  ['+3', `${CHUNKED}+3\r\nabc\r\n0\r\n\r\n`],
  ['g', `${CHUNKED}g\r\nabc\r\n0\r\n\r\n`],
  ['nothing', `${CHUNKED}\r\nabc\r\n0\r\n\r\n`],
  ['3 that ends in LF', `${CHUNKED}3\nabc\r\n0\r\n\r\n`],
  ['3 that ends in CR', `${CHUNKED}3\rabc\r\n0\r\n\r\n`],
  ['3 before five bytes', `${CHUNKED}3\r\nabcde\r\n0\r\n\r\n`],
  ['17 digits', `${CHUNKED}10000000000000003\r\nabc\r\n0\r\n\r\n`],
  ['3 HTTP/1.1', `${CHUNKED}3 HTTP/1.1\r\nabc\r\n0\r\n\r\n`],
  ['3 with a control byte in its extension', `${CHUNKED}3;a\x01\r\nabc\r\n0\r\n\r\n`],
  ['3 with a bare LF in its extension', `${CHUNKED}3;a\nb\r\nabc\r\n0\r\n\r\n`],
  ['3 with a bare CR in its extension', `${CHUNKED}3;a\rb\r\nabc\r\n0\r\n\r\n`],
  ['3 with a NUL in its extension', `${CHUNKED}3;a\0b\r\nabc\r\n0\r\n\r\n`],
  ['3 with data that ends in LF', `${CHUNKED}3\r\nabc\n0\r\n\r\n`],
  ['3, then a trailer without a colon', `${CHUNKED}3\r\nabc\r\n0\r\nx\r\n\r\n`],
  ['3, then a folded trailer', `${CHUNKED}3\r\nabc\r\n0\r\nx: y\r\n z\r\n\r\n`],
  ['3, then a trailer with a NUL', `${CHUNKED}3\r\nabc\r\n0\r\nx: y\0\r\n\r\n`],
];

export const BAD_REPLIES: readonly Case[] = [
  ...BAD_HEADS.map(
    ([name, reply]): Case => ({
      name: `502: ${name}`,
      duty: 2,
      client: [GET, { replies: 1 }, LAST],
      answers: [reply, NEXT],
      checks: [badGateway, clientSees(/next$/), connections(2)],
    }),
  ),
  ...CUT_HEADS.flatMap(([name, reply]) =>
    (['end', 'reset'] as const).map(
      (end): Case => ({
        name: `502: ${name}, then ${end}`,
        duty: 2,
        // Uses POST, which is answered with an error at once instead of being tried again.
        client: ['POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx'],
        answers: [reply === '' ? [end] : [reply, { pauseMs: 15 }, end]],
        checks: [badGateway, requests(1)],
      }),
    ),
  ),
  ...CUT_BODIES.flatMap(([name, reply]) =>
    (['end', 'reset'] as const).map(
      (end): Case => ({
        name: `cut: ${name}, then ${end}`,
        duty: 2,
        client: [GET, { replies: 1 }, 'leave'],
        answers: [[reply, { pauseMs: 20 }, end]],
        checks: [cutOff, requests(1)],
      }),
    ),
  ),
  ...BAD_CHUNKS.map(
    ([name, reply]): Case => ({
      name: `cut: a chunk size that is ${name}`,
      duty: 2,
      client: [GET, { replies: 1 }, 'leave'],
      answers: [reply],
      checks: [cutOff],
    }),
  ),
  {
    name: 'a reply that breaks in its first bytes, its head sound, is a 502: the client has nothing of it yet',
    duty: 2,
    client: [GET, { replies: 1 }, LAST],
    answers: [`${CHUNKED}0x3\r\nabc\r\n0\r\n\r\n`, NEXT],
    checks: [badGateway, clientSees(/next$/), connections(2)],
    oursOnly: true,
  },
  {
    name: 'what was there before a cut reaches the client',
    duty: 2,
    client: [GET],
    answers: [['HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc', { clientHas: /abc/ }, 'def', 'reset']],
    checks: [cutOff, clientSees(/abc/)],
  },
  {
    name: 'a cut reply to HTTP/1.0 without a length does not end in order',
    duty: 2,
    client: ['GET /x HTTP/1.0\r\nHost: a\r\n\r\n'],
    answers: [[`${CHUNKED}3\r\nabc\r\n`, { clientHas: /abc/ }, 'end']],
    checks: [cutOff],
  },
  {
    name: 'a reset in a reply without framing does not look like its end',
    duty: 2,
    client: [GET],
    answers: [['HTTP/1.1 200 OK\r\n\r\nabc', { clientHas: /abc/ }, 'reset']],
    checks: [cutOff],
  },
  {
    name: 'bytes after the end of a reply never reach a client, and its connection is not used again',
    duty: 2,
    client: [GET, { replies: 1 }, LAST],
    answers: [`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${INJECTED}`, NEXT],
    checks: [gets(200, 'ok'), clientSees(/next$/), clientNeverSees(/injected/), connections(2)],
  },
  {
    name: 'bytes after the last chunk never reach a client, and its connection is not used again',
    duty: 2,
    client: [GET, { replies: 1 }, LAST],
    answers: [`${CHUNKED}2\r\nok\r\n0\r\n\r\n${INJECTED}`, NEXT],
    checks: [gets(200, 'ok'), clientSees(/next$/), clientNeverSees(/injected/), connections(2)],
  },
  ...(['204 No Content', '304 Not Modified'] as const).map(
    (line): Case => ({
      name: `a body after ${line.slice(0, 3)} never reaches a client, and its connection is not used again`,
      duty: 2,
      client: [GET, { replies: 1 }, LAST],
      answers: [`HTTP/1.1 ${line}\r\n\r\n${INJECTED}`, NEXT],
      checks: [gets(Number(line.slice(0, 3)), ''), clientSees(/next$/), clientNeverSees(/injected/), connections(2)],
    }),
  ),
  {
    name: 'a body of a reply to HEAD never reaches a client, and its connection is not used again',
    duty: 2,
    client: ['HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n', { replies: 1 }, LAST],
    methods: ['HEAD', 'GET'],
    answers: [INJECTED, NEXT],
    checks: [gets(200, ''), clientSees(/next$/), clientNeverSees(/injected/), connections(2)],
  },
  {
    name: 'bytes on an idle connection are not the reply to the next request',
    duty: 2,
    client: [GET, { replies: 1 }, { pauseMs: 60 }, LAST],
    answers: [['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', { pauseMs: 20 }, INJECTED], NEXT],
    checks: [gets(200, 'ok'), clientSees(/next$/), clientNeverSees(/injected/), connections(2)],
  },
  {
    name: 'half a reply on an idle connection is not the begin of the next',
    duty: 2,
    client: [GET, { replies: 1 }, { pauseMs: 60 }, LAST],
    answers: [
      ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', { pauseMs: 20 }, 'HTTP/1.1 200 OK\r\nX-Injected: '],
      NEXT,
    ],
    checks: [gets(200, 'ok'), clientSees(/next$/), clientNeverSees(/Injected/i), connections(2)],
  },
  {
    name: 'a reply that came before its request is not its reply',
    duty: 2,
    client: [GET, { replies: 1 }, 'leave'],
    answers: [`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n${INJECTED}`],
    // Arrives in one piece with the reply before it.
    methods: ['GET'],
    checks: [gets(200, ''), clientNeverSees(/injected/)],
  },
];
