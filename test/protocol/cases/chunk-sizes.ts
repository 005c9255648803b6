// Duties 1 and 2, chunk sizes with leading zeros, which some servers write to leave room for any size: `1*HEXDIG` has
// no limit (RFC 9112, 7.1). request-bodies.ts and bad-replies.ts test how large the number may be.

import type { Case } from '../case.ts';
import { cutOff, gets, replicaGetsBody, requests } from '../checks.ts';

const GET = 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const POST = 'POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

const zeros = (count: number) => '0'.repeat(count);
const chunks = (count: number) =>
  `${zeros(count)}3\r\nabc\r\n${zeros(count)}A\r\n0123456789\r\n${zeros(count)}0\r\nX-Sum: 1\r\n\r\n`;

export const CHUNK_SIZES: readonly Case[] = [
  ...[1, 7, 13, 14, 15, 16, 17, 40, 1000].flatMap((count): Case[] => [
    {
      name: `chunks of a request with ${count} zeros before their sizes`,
      duty: 1,
      client: POST + chunks(count),
      oursOnly: true,
      checks: [gets(200), requests(1), replicaGetsBody('abc0123456789', 'chunked')],
    },
    {
      name: `chunks of a reply with ${count} zeros before their sizes`,
      duty: 2,
      client: GET,
      answers: [OK + chunks(count)],
      oursOnly: true,
      checks: [gets(200, 'abc0123456789')],
    },
  ]),
  {
    name: 'a chunk size of a reply that is nothing but zeros, for ever, is cut',
    duty: 2,
    client: GET,
    answers: [[`${OK}3\r\nabc\r\n${zeros(5000)}`]],
    oursOnly: true,
    checks: [cutOff],
  },
];
