// Duty 7, the number of fields: even a head within its limit of bytes may be more work than all others together. The
// limit is the default of 256; peers have another one or none.

import type { Case, Check } from '../case.ts';
import { closed, gets, neverSent, neverWhole, requests, status } from '../checks.ts';

const MAX_FIELDS = 256;
const fields = (count: number, name = 'b') => `${name}:\r\n`.repeat(count);
const list = (count: number) => Array.from({ length: count }, (_, index) => `x${index}`).join(',');
const CLOSE = 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

const asks = (name: string, head: string, ...checks: Check[]): Case => ({
  name,
  duty: 7,
  client: [`GET /x HTTP/1.1\r\nHost: a\r\n${head}\r\n`, { replies: 1 }, 'leave'],
  oursOnly: true,
  checks,
});
const over = [status(431), neverSent, closed];
const overfull = (name: string, head: string): Case => ({
  ...asks(name, head, ...over),
  client: `GET /x HTTP/1.1\r\nHost: a\r\n${head}\r\n`,
});
const replied = (name: string, head: string, body: string, ...checks: Check[]): Case => ({
  name,
  duty: 7,
  client: CLOSE,
  answers: [`HTTP/1.1 200 OK\r\n${head}\r\n${body}`],
  oursOnly: true,
  checks,
});
const chunked = (trailers: string) =>
  `POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n${trailers}\r\n`;
const TRAILED = 'Transfer-Encoding: chunked\r\n';
const BODY = '2\r\nok\r\n0\r\n';

export const FIELD_LIMITS: readonly Case[] = [
  asks('as many fields as there may be pass', fields(MAX_FIELDS - 1), gets(200, 'ok'), requests(1)),
  overfull('one field more than there may be is a 431', fields(MAX_FIELDS)),
  overfull('thousands of the shortest fields are a 431', fields(12_000)),
  overfull(
    'a long list of options beside thousands of fields is a 431',
    `Connection: ${'xb,'.repeat(9000)}\r\n${fields(8700)}`,
  ),
  asks('as many options as there may be pass', `Connection: ${list(MAX_FIELDS)}\r\n`, gets(200, 'ok')),
  overfull('one option more than there may be is a 431', `Connection: ${list(MAX_FIELDS + 1)}\r\n`),
  overfull('options in many fields count together', `Connection: ${list(200)}\r\n`.repeat(2)),
  overfull('a list of protocols over the limit is a 431', `Connection: upgrade\r\nUpgrade: ${list(MAX_FIELDS)}\r\n`),
  overfull('a list of hops over the limit is a 431', `X-Forwarded-For: ${list(MAX_FIELDS + 1)}\r\n`),
  overfull('an Upgrade with too many fields is a 431', `Connection: upgrade\r\nUpgrade: echo\r\n${fields(MAX_FIELDS)}`),
  overfull(
    'an Upgrade that is passed over, with too many fields, is a 431',
    `Connection: upgrade\r\nUpgrade: h2c\r\n${fields(MAX_FIELDS)}`,
  ),
  {
    name: 'as many trailers of a request as there may be pass',
    duty: 7,
    client: chunked(fields(MAX_FIELDS)),
    oursOnly: true,
    checks: [gets(200, 'ok'), requests(1)],
  },
  {
    name: 'one trailer of a request more than there may be is a 431',
    duty: 7,
    client: chunked(fields(MAX_FIELDS + 1)),
    oursOnly: true,
    checks: [status(431), closed, neverWhole],
  },
  replied(
    'as many fields of a reply as there may be pass',
    `${fields(MAX_FIELDS - 1)}Content-Length: 2\r\n`,
    'ok',
    gets(200, 'ok'),
  ),
  replied(
    'one field of a reply more than there may be is a 502',
    `${fields(MAX_FIELDS)}Content-Length: 2\r\n`,
    'ok',
    status(502),
  ),
  replied(
    'a long list of options of a reply is a 502',
    `Connection: ${list(MAX_FIELDS + 1)}\r\nContent-Length: 2\r\n`,
    'ok',
    status(502),
  ),
  replied(
    'as many trailers of a reply as there may be pass',
    TRAILED,
    `${BODY}${fields(MAX_FIELDS)}\r\n`,
    gets(200, 'ok'),
  ),
  replied(
    'one trailer of a reply more than there may be is cut off, or a 502',
    TRAILED,
    `${BODY}${fields(MAX_FIELDS + 1)}\r\n`,
    (seen) =>
      seen.replies.some((reply) => reply.complete && reply.startLine.includes(' 200 ')) ? 'it looks whole' : undefined,
  ),
];
