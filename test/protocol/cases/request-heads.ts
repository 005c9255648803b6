// Duty 1, heads: a request of doubtful framing or syntax is refused, its connection is closed, and no byte of it is
// forwarded (RFC 9112, 2.2, 3, 5 and 6).

import type { Case } from '../case.ts';
import {
  closed,
  gets,
  neverSent,
  refused,
  replicaGets,
  replicaGetsBody,
  replicaGetsField,
  requests,
  status,
} from '../checks.ts';

// The request that a misread body would hide.
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';

type Refusal = readonly [name: string, request: string, ...statuses: number[]];

const post = (fields: string, body = '') => `POST /x HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`;
const get = (fields: string) => `GET /x HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
const chunked = (coding: string) => post(`Transfer-Encoding: ${coding}\r\n`, `0\r\n\r\n${SMUGGLED}`);
const length = (value: string) => post(`Content-Length: ${value}\r\n`, `abc${SMUGGLED}`);

const REFUSALS: readonly Refusal[] = [
  [
    'Content-Length with Transfer-Encoding',
    post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${SMUGGLED}`),
  ],
  [
    'Transfer-Encoding with Content-Length',
    post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', `0\r\n\r\n${SMUGGLED}`),
  ],
  [
    'Content-Length: 0 with Transfer-Encoding',
    post('Content-Length: 0\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${SMUGGLED}`),
  ],
  ['two Content-Length fields that differ', post('Content-Length: 3\r\nContent-Length: 5\r\n', `abc${SMUGGLED}`)],
  [
    'two Content-Length fields, one with a zero more',
    post('Content-Length: 3\r\nContent-Length: 03\r\n', `abc${SMUGGLED}`),
  ],
  ['Content-Length: 3, 3', length('3, 3')],
  ['Content-Length: 3, 5', length('3, 5')],
  ['Content-Length: +3', length('+3')],
  ['Content-Length: -3', length('-3')],
  ['Content-Length: -0', length('-0')],
  ['Content-Length: 0x3', length('0x3')],
  ['Content-Length: 3 0', length('3 0')],
  ['Content-Length: 3.0', length('3.0')],
  ['Content-Length: 3e0', length('3e0')],
  ['Content-Length: 3;', length('3;')],
  ['Content-Length: "3"', length('"3"')],
  ['Content-Length without a value', length('')],
  ['Content-Length: abc', length('abc')],
  ['Content-Length of 30 digits', length('9'.repeat(30)), 400, 413],
  ['Content-Length over 2^64', length('18446744073709551619'), 400, 413],
  ['Content-Length with a vertical tab', length('\x0b3')],
  ['Content-Length with a digit that is not ASCII', length('\xb3')],
  ['Transfer-Encoding: xchunked', chunked('xchunked'), 400, 501],
  ['Transfer-Encoding: chunkedx', chunked('chunkedx'), 400, 501],
  ['Transfer-Encoding with a vertical tab before chunked', chunked('\x0bchunked'), 400, 501],
  ['Transfer-Encoding with a form feed after chunked', chunked('chunked\x0c'), 400, 501],
  ['Transfer-Encoding with a NUL after chunked', chunked('chunked\0'), 400, 501],
  ['Transfer-Encoding: "chunked"', chunked('"chunked"'), 400, 501],
  ['Transfer-Encoding: chunked;q=1', chunked('chunked;q=1'), 400, 501],
  ['Transfer-Encoding: chunked, chunked', chunked('chunked, chunked'), 400, 501],
  ['Transfer-Encoding: chunked, identity', chunked('chunked, identity'), 400, 501],
  ['Transfer-Encoding: chunked, gzip', chunked('chunked, gzip'), 400, 501],
  ['Transfer-Encoding: gzip, chunked', chunked('gzip, chunked'), 400, 501],
  ['Transfer-Encoding: gzip', chunked('gzip'), 400, 501],
  ['Transfer-Encoding: identity', chunked('identity'), 400, 501],
  ['Transfer-Encoding: identity, chunked', chunked('identity, chunked'), 400, 501],
  ['Transfer-Encoding without a value', chunked(''), 400, 501],
  [
    'Transfer-Encoding: chunked twice',
    post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${SMUGGLED}`),
    400,
    501,
  ],
  [
    'Transfer-Encoding: identity in a field after chunked',
    post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', `0\r\n\r\n${SMUGGLED}`),
    400,
    501,
  ],
  [
    'Transfer-Encoding: chunked after a gzip of its own field',
    post('Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${SMUGGLED}`),
    400,
    501,
  ],
  ['Transfer-Encoding on a line of its own', chunked('\r\n chunked'), 400, 501],
  [
    'Transfer-Encoding in HTTP/1.0',
    `POST /x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    400,
    501,
    505,
  ],
  [
    'Transfer-Encoding in HTTP/1.0, kept alive',
    `POST /x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    400,
    501,
    505,
  ],
  ['a space between Transfer-Encoding and the colon', post('Transfer-Encoding : chunked\r\n', `0\r\n\r\n${SMUGGLED}`)],
  ['a space between Content-Length and the colon', post('Content-Length : 3\r\n', `abc${SMUGGLED}`)],
  ['a tab before the colon', get('X-A\t: b\r\n')],
  ['a folded field', get('X-A: b\r\n c\r\n')],
  ['a field folded with a tab', get('X-A: b\r\n\tc\r\n')],
  ['a fold that hides a length', post('X-A: b\r\n Content-Length: 3\r\n')],
  ['white space before the first field', 'GET /x HTTP/1.1\r\n Host: a\r\n\r\n'],
  ['a folded empty value', get('X-A:\r\n b\r\n')],
  ['lines that end in LF', 'GET /x HTTP/1.1\nHost: a\n\n'],
  ['one line that ends in LF', 'GET /x HTTP/1.1\r\nHost: a\r\nX-A: b\nX-B: c\r\n\r\n'],
  ['a request line that ends in LF', 'GET /x HTTP/1.1\nHost: a\r\n\r\n'],
  ['an empty line that is LF', 'GET /x HTTP/1.1\r\nHost: a\r\n\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a LF in a field that hides a length', post('X-A: b\nContent-Length: 3\r\n', `abc${SMUGGLED}`)],
  ['a bare CR in a value', get('X-A: b\rc\r\n')],
  ['a bare CR that hides a field', get('X-A: b\rTransfer-Encoding: chunked\r\n')],
  ['a bare CR before the colon', get('X-A\r: b\r\n')],
  ['CR CR LF at the end of a line', get('X-A: b\r\r\n')],
  ['a bare CR in the request line', 'GET /x\r HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a NUL in a value', get('X-A: b\0c\r\n')],
  ['a NUL in a name', get('X\0A: b\r\n')],
  ['a NUL in the target', 'GET /x\0y HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a control byte in a value', get('X-A: b\x01c\r\n')],
  ['a DEL in a value', get('X-A: b\x7fc\r\n')],
  ['a space before the colon', get('X-A : b\r\n')],
  ['a space in a name', get('X A: b\r\n')],
  ['an empty name', get(': b\r\n')],
  ['a line without a colon', get('X-A\r\n')],
  ['a name with a parenthesis', get('X(A): b\r\n')],
  ['a name with a byte above 0x7f', get('X\xe9: b\r\n')],
  ['a name in quotes', get('"Host": b\r\n')],
  ['a space after the version', 'GET /x HTTP/1.1 \r\nHost: a\r\n\r\n'],
  ['a tab after the method', 'GET\t/x HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a space in the target', 'GET /x y HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a tab in the target', 'GET /x\ty HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a space before the method', ' GET /x HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['no version', 'GET /x\r\nHost: a\r\n\r\n'],
  ['no target', 'GET HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['version HTTP/2.0', 'GET /x HTTP/2.0\r\nHost: a\r\n\r\n', 400, 505],
  ['version HTTP/0.9', 'GET /x HTTP/0.9\r\nHost: a\r\n\r\n', 400, 505],
  ['version HTTP/11', 'GET /x HTTP/11\r\nHost: a\r\n\r\n', 400, 505],
  ['version HTTP/1.10', 'GET /x HTTP/1.10\r\nHost: a\r\n\r\n', 400, 505],
  ['version HTTP/1.', 'GET /x HTTP/1.\r\nHost: a\r\n\r\n', 400, 505],
  ['version http/1.1', 'GET /x http/1.1\r\nHost: a\r\n\r\n', 400, 505],
  ['version HTTP/+1.1', 'GET /x HTTP/+1.1\r\nHost: a\r\n\r\n', 400, 505],
  ['version ICY/1.1', 'GET /x ICY/1.1\r\nHost: a\r\n\r\n', 400, 505],
  ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 405, 501, 505],
  ['a TLS hello', '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n'],
  ['a method with a character of no token', 'G(T /x HTTP/1.1\r\nHost: a\r\n\r\n', 400, 405, 501],
  ['a method with a NUL', 'G\0T /x HTTP/1.1\r\nHost: a\r\n\r\n', 400, 405, 501],
  ['a target that does not begin with a slash', 'GET x HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['an authority as the target of GET', 'GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['an asterisk as the target of GET', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a fragment in the target', 'GET /x#y HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['CONNECT', 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n', 400, 405, 501],
];

const refusals: readonly Case[] = REFUSALS.map(([name, request, ...statuses]) => ({
  name: `refused: ${name}`,
  duty: 1,
  client: request,
  checks: refused(...statuses),
}));

const accepted = (name: string, client: string, ...checks: Case['checks']): Case => ({
  name: `accepted: ${name}`,
  duty: 1,
  client,
  checks: [gets(200, 'ok'), requests(1), ...checks],
});

const CLOSE = 'Connection: close\r\n';

export const REQUEST_HEADS: readonly Case[] = [
  ...refusals,
  accepted(
    'white space around a length',
    post(`${CLOSE}Content-Length: \t 3 \t\r\n`, 'abc'),
    replicaGetsBody('abc', 'length'),
  ),
  accepted(
    'white space around chunked',
    post(`${CLOSE}Transfer-Encoding: \t chunked \r\n`, '3\r\nabc\r\n0\r\n\r\n'),
    replicaGetsBody('abc', 'chunked'),
  ),
  accepted(
    'chunked in another case',
    post(`${CLOSE}Transfer-Encoding: ChUnKeD\r\n`, '3\r\nabc\r\n0\r\n\r\n'),
    replicaGetsBody('abc', 'chunked'),
  ),
  accepted('an empty line before the request', `\r\n${get(CLOSE)}`),
  accepted('an empty field value', get(`${CLOSE}X-A:\r\n`), replicaGetsField('X-A', '')),
  accepted('no space after the colon', get(`${CLOSE}X-A:b\r\n`), replicaGetsField('X-A', 'b')),
  accepted('tabs around and in a value', get(`${CLOSE}X-A:\tb\tc\t\r\n`), replicaGetsField('X-A', 'b\tc')),
  accepted(
    'a length with leading zeros',
    post(`${CLOSE}Content-Length: 0003\r\n`, 'abc'),
    replicaGetsBody('abc', 'length'),
  ),
  {
    name: 'two equal Content-Length fields are refused or become one',
    duty: 1,
    client: post(`${CLOSE}Content-Length: 3\r\nContent-Length: 3\r\n`, 'abc'),
    checks: [
      status(200, 400),
      (seen) => (seen.requests.length === 0 ? undefined : replicaGetsBody('abc', 'length')(seen)),
    ],
  },
  {
    name: 'a method in small letters is another method',
    duty: 1,
    client: `get /x HTTP/1.1\r\nHost: a\r\n${CLOSE}\r\n`,
    checks: [
      status(200, 400, 405, 501),
      (seen) =>
        seen.requests.length === 0
          ? undefined
          : replicaGets((request) => request.startLine.startsWith('get '), 'the method as it was')(seen),
    ],
  },
  ...['GET  /x HTTP/1.1', 'GET /x  HTTP/1.1'].map((line) => ({
    name: `a space too many is refused or taken out: ${line}`,
    duty: 1,
    client: `${line}\r\nHost: a\r\n${CLOSE}\r\n`,
    checks: [
      status(200, 400),
      (seen) =>
        seen.requests.length === 0
          ? undefined
          : replicaGets((request) => request.startLine === 'GET /x HTTP/1.1', 'one space')(seen),
    ] as Case['checks'],
  })),
  {
    name: 'a later minor version is HTTP/1.1 or refused',
    duty: 1,
    client: `GET /x HTTP/1.2\r\nHost: a\r\n${CLOSE}\r\n`,
    checks: [status(200, 400, 505)],
  },
  {
    name: 'a request that ends in its head is never forwarded',
    duty: 1,
    client: ['GET /x HTTP/1.1\r\nHost: a\r\nX-A: b', 'half-close'],
    checks: [closedOrRefused, neverSent],
  },
  {
    name: 'nothing but an end is no request',
    duty: 1,
    client: ['half-close'],
    checks: [closed, neverSent],
  },
  {
    name: 'a good request before a bad one is answered, the bad one refused',
    duty: 1,
    client: ['GET /x HTTP/1.1\r\nHost: a\r\n\r\nGET /y HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n'],
    checks: [
      gets(200, 'ok'),
      requests(1),
      (seen) => (/HTTP\/1.1 400 /.test(seen.text) ? undefined : 'no 400 for the second'),
      closed,
    ],
  },
];

function closedOrRefused(seen: Parameters<typeof closed>[0]): string | undefined {
  return seen.text === '' ? closed(seen) : status(400, 408)(seen);
}
