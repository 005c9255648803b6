// Duty 4: `Expect: 100-continue` is between client and replica, and an answer before the end of an upload reaches the
// client (RFC 9110, 10.1.1; RFC 9112, 9.3 and 9.6).

import type { Case } from '../case.ts';
import {
  clientNeverSees,
  clientSees,
  finalReply,
  gets,
  neverWhole,
  replicaGets,
  replicaGetsBody,
  replicaGetsField,
  requests,
  status,
} from '../checks.ts';

const EXPECT = 'POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const TOO_LARGE = 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig';
const MEGABYTE = 'a'.repeat(2 ** 20);

export const EXPECT_CASES: readonly Case[] = [
  {
    name: 'no 100 before the replica says so',
    duty: 4,
    client: [`${EXPECT}\r\n`, { replicaHas: /\r\n\r\n$/ }, { pauseMs: 60 }, 'leave'],
    answerAt: 'head',
    answers: [[]],
    checks: [clientNeverSees(/./), replicaGetsField('Expect', '100-continue')],
  },
  {
    name: '100 of the replica reaches the client, then its body the replica',
    duty: 4,
    client: [`${EXPECT}Connection: close\r\n\r\n`, { until: /100 Continue\r\n(?:.+\r\n)*\r\n/ }, 'abc'],
    answerAt: 'head',
    answers: [[CONTINUE, { until: /abc$/ }, OK]],
    checks: [clientSees(/^HTTP\/1\.1 100 Continue\r\n/), gets(200, 'ok'), replicaGetsBody('abc')],
  },
  {
    name: '100 of the replica, with a chunked body',
    duty: 4,
    client: [
      'POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n',
      { until: /100 Continue\r\n(?:.+\r\n)*\r\n/ },
      '3\r\nabc\r\n0\r\n\r\n',
    ],
    answerAt: 'head',
    answers: [[CONTINUE, { until: /0\r\n\r\n$/ }, OK]],
    checks: [gets(200, 'ok'), replicaGetsBody('abc', 'chunked')],
  },
  {
    name: 'only one 100 reaches the client',
    duty: 4,
    client: [`${EXPECT}Connection: close\r\n\r\n`, { until: /100 Continue\r\n(?:.+\r\n)*\r\n/ }, 'abc'],
    answerAt: 'head',
    answers: [[CONTINUE, { until: /abc$/ }, OK]],
    checks: [clientNeverSees(/100 Continue[\s\S]*100 Continue/), gets(200, 'ok')],
  },
  {
    name: 'a final answer instead of 100 reaches the client, which sends no body',
    duty: 4,
    client: [`${EXPECT}\r\n`, { replies: 1 }, 'leave'],
    answerAt: 'head',
    answers: ['HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno'],
    checks: [gets(417, 'no'), clientNeverSees(/100 Continue/)],
  },
  {
    name: 'a body that comes after a final answer is not the next request',
    duty: 4,
    client: [
      'POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 35\r\n\r\n',
      { replies: 1 },
      'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n',
    ],
    answerAt: 'head',
    answers: ['HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno'],
    checks: [
      gets(417, 'no'),
      (seen) =>
        seen.requests.some((request) => request.complete && request.body === '')
          ? 'a whole request without its body'
          : undefined,
    ],
  },
  {
    name: 'a client that does not wait for 100 has its body passed on',
    duty: 4,
    client: [`${EXPECT}Connection: close\r\n\r\nabc`],
    checks: [gets(200, 'ok'), replicaGetsBody('abc'), requests(1)],
  },
  {
    name: 'a replica that answers without 100 is waited for, with the body sent late',
    duty: 4,
    client: [`${EXPECT}Connection: close\r\n\r\n`, { pauseMs: 50 }, 'abc'],
    checks: [gets(200, 'ok'), replicaGetsBody('abc')],
  },
  {
    name: 'Expect of a request without a body passes',
    duty: 4,
    client: 'GET /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n',
    checks: [gets(200, 'ok'), requests(1)],
  },
  {
    name: 'Expect of HTTP/1.0 gets no 100',
    duty: 4,
    client: 'POST /x HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc',
    answers: [[CONTINUE, OK]],
    checks: [gets(200, 'ok'), clientSees(/^HTTP\/1\.1 200 /)],
  },
  {
    name: 'another expectation is for the replica to judge, or 417',
    duty: 4,
    client: 'POST /x HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc',
    checks: [
      status(200, 417),
      (seen) =>
        finalReply(seen)?.startLine.includes('200')
          ? replicaGets((request) => request.body === 'abc', 'the body')(seen)
          : undefined,
    ],
  },
  {
    name: 'an early 413 reaches a client that is still uploading with a length',
    duty: 4,
    client: ['POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n', MEGABYTE, { replies: 1 }, 'leave'],
    answerAt: 'head',
    answers: [[TOO_LARGE]],
    checks: [gets(413, 'big'), neverWholeEarly],
  },
  {
    name: 'an early 413 reaches a client that is still uploading in chunks',
    duty: 4,
    client: [
      `POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n${MEGABYTE}\r\n`,
      { replies: 1 },
      'leave',
    ],
    answerAt: 'head',
    answers: [[TOO_LARGE]],
    checks: [gets(413, 'big'), neverWholeEarly],
  },
  {
    name: 'an early 413 reaches the client although the replica closes at once',
    duty: 4,
    client: ['POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n', MEGABYTE, { replies: 1 }, 'leave'],
    answerAt: 'head',
    answers: [[TOO_LARGE.replace('Content-L', 'Connection: close\r\nContent-L'), 'end']],
    checks: [gets(413, 'big')],
  },
  {
    name: 'after an early answer the rest of the upload is not the next request',
    duty: 4,
    client: [
      `POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n${'x'.repeat(65_536)}`,
      { replies: 1 },
      'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n',
      { pauseMs: 50 },
      'leave',
    ],
    answerAt: 'head',
    answers: [TOO_LARGE],
    checks: [gets(413, 'big'), neverWhole],
  },
];

function neverWholeEarly(seen: Parameters<typeof neverWhole>[0]): string | undefined {
  return seen.requests.some((request) => request.complete) ? 'a replica got a whole request' : undefined;
}
