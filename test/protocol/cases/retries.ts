// Duty 6: what may be tried again, where, and how often (RFC 9110, 9.2.2; RFC 9112, 9.3.1 and 9.5). Also pipelining,
// since a retry must not change the order (9.3.2).

import type { Case, Check } from '../case.ts';
import { clientSees, connections, gets, replicaGetsBody, requests, status } from '../checks.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const GET = 'GET /1 HTTP/1.1\r\nHost: a\r\n\r\n';
const LAST = 'GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const post = (path: string, fields = '') =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\n${fields}Connection: close\r\nContent-Length: 3\r\n\r\nabc`;

/** The request for `path` was sent `times` times. */
const sent =
  (path: string, times: number): Check =>
  (seen) => {
    const count = seen.requests.filter((request) => request.startLine.includes(` ${path} `)).length;
    return count === times ? undefined : `${path} was sent ${count} times, not ${times}`;
  };

const onTwoReplicas: Check = (seen) => {
  const used = new Set(seen.connections.filter((side) => side.text !== '').map((side) => side.replica));
  return used.size === 2 ? undefined : 'one replica was asked, not two';
};

/** Two seats: the replica that is asked first does this, and the next one answers. */
const elsewhere = (
  name: string,
  request: string,
  first: NonNullable<Case['answers']>[0],
  ...checks: Check[]
): Case => ({
  name,
  duty: 6,
  profile: 'pair',
  client: request,
  answers: [first, OK],
  checks,
});

export const RETRIES: readonly Case[] = [
  ...(['end', 'reset'] as const).flatMap((end): Case[] => [
    {
      name: `a kept connection that closes by ${end} at the next request: it is sent again`,
      duty: 6,
      client: [GET, { replies: 1 }, LAST],
      answers: [OK, [end], OK],
      checks: [gets(200, 'ok'), clientSees(/HTTP\/1\.1 200[\s\S]*HTTP\/1\.1 200/), sent('/2', 2), connections(2)],
    },
    {
      name: `a kept connection that closes by ${end} while idle: the next request never sees it`,
      duty: 6,
      client: [GET, { replies: 1 }, { pauseMs: 50 }, LAST],
      answers: [[OK, end], OK],
      checks: [clientSees(/HTTP\/1\.1 200[\s\S]*HTTP\/1\.1 200/), sent('/2', 1), connections(2)],
    },
    {
      name: `a kept connection that closes by ${end} as soon as it has replied: the next request is answered`,
      duty: 6,
      client: [GET, { replies: 1 }, LAST],
      answers: [[OK, end], OK],
      checks: [clientSees(/HTTP\/1\.1 200[\s\S]*HTTP\/1\.1 200/)],
    },
    {
      name: `a POST on a kept connection that closes by ${end} is not sent again`,
      duty: 6,
      client: [GET, { replies: 1 }, post('/2')],
      answers: [OK, [end], OK],
      checks: [clientSees(/HTTP\/1\.1 502 /), sent('/2', 1)],
    },
    elsewhere(
      `a GET whose first connection ends by ${end} is answered by the other replica`,
      LAST,
      [end],
      gets(200, 'ok'),
      requests(2),
      onTwoReplicas,
    ),
    elsewhere(
      `a POST whose first connection ends by ${end} is not sent again`,
      post('/2'),
      [end],
      status(502),
      requests(1),
    ),
  ]),
  ...['PUT', 'DELETE', 'OPTIONS', 'HEAD'].map((method) =>
    elsewhere(
      `${method} is tried at the other replica`,
      LAST.replace('GET', method),
      ['end'],
      status(200),
      requests(2),
      onTwoReplicas,
    ),
  ),
  ...['PATCH', 'LOCK'].map((method) =>
    elsewhere(`${method} is not tried again`, LAST.replace('GET', method), ['end'], status(502), requests(1)),
  ),
  elsewhere(
    'a PUT is tried again with its whole body',
    post('/2').replace('POST', 'PUT'),
    ['end'],
    gets(200, 'ok'),
    replicaGetsBody('abc'),
    requests(2),
    (seen) => (seen.requests[1]?.body === 'abc' ? undefined : 'the second time without its body'),
  ),
  elsewhere(
    'a GET whose reply breaks within its head is answered by the other replica',
    LAST,
    ['HTTP/1.1 2', { pauseMs: 20 }, 'end'],
    gets(200, 'ok'),
    requests(2),
    onTwoReplicas,
  ),
  elsewhere(
    'a GET whose replica breaks after an interim reply is answered by the other replica',
    LAST,
    ['HTTP/1.1 103 Early Hints\r\n\r\n', { pauseMs: 20 }, 'end'],
    gets(200, 'ok'),
    requests(2),
    onTwoReplicas,
  ),
  elsewhere(
    'a POST whose reply breaks within its head is not sent again',
    post('/2'),
    ['HTTP/1.1 2', { pauseMs: 20 }, 'end'],
    status(502),
    requests(1),
  ),
  {
    name: 'a PUT whose replica breaks after its 100 is answered by the other replica',
    duty: 6,
    profile: 'pair',
    client: [
      post('/2', 'Expect: 100-continue\r\n').replace('POST', 'PUT').slice(0, -'abc'.length),
      { until: /100 Continue\r\n(?:.+\r\n)*\r\n/ },
      'abc',
    ],
    answerAt: 'head',
    answers: [
      ['HTTP/1.1 100 Continue\r\n\r\n', { until: /abc$/ }, 'end'],
      ['HTTP/1.1 100 Continue\r\n\r\n', { until: /abc$/ }, OK],
    ],
    checks: [gets(200, 'ok'), requests(2), onTwoReplicas],
  },
  {
    name: 'a POST whose replica breaks after its 100 is not sent again, though its body was not sent',
    duty: 6,
    profile: 'pair',
    client: [post('/2', 'Expect: 100-continue\r\n').slice(0, -'abc'.length), { replies: 1 }],
    answerAt: 'head',
    answers: [['HTTP/1.1 100 Continue\r\n\r\n', { pauseMs: 20 }, 'end'], OK],
    checks: [status(502), sent('/2', 1)],
  },
  elsewhere('a bad reply is not tried again', LAST, ['HTTP/1.1 099 Odd\r\n\r\n'], status(502), requests(1)),
  elsewhere(
    '503 of a replica is its reply',
    LAST,
    'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno',
    gets(503, 'no'),
    requests(1),
  ),
  {
    name: 'with one replica, a request that it drops is tried once more at most',
    duty: 6,
    client: LAST,
    answers: [['end']],
    checks: [
      status(502),
      (seen) => (seen.requests.length <= 2 ? undefined : `it was sent ${seen.requests.length} times`),
    ],
  },
  {
    name: 'with two replicas that drop it, a request is tried at each',
    duty: 6,
    profile: 'pair',
    client: LAST,
    answers: [['end']],
    checks: [
      status(502),
      onTwoReplicas,
      (seen) => (seen.requests.length <= 4 ? undefined : `it was sent ${seen.requests.length} times`),
    ],
  },
  {
    name: 'a kept connection that closes is replaced once, not for ever',
    duty: 6,
    client: [GET, { replies: 1 }, LAST],
    answers: [OK, ['end']],
    checks: [clientSees(/HTTP\/1\.1 502 /), (seen) => sent('/2', 2)(seen) && sent('/2', 3)(seen)],
  },
  {
    name: 'pipelined requests are answered in their order',
    duty: 6,
    client: ['/1', '/2', '/3']
      .map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n${path === '/3' ? 'Connection: close\r\n' : ''}\r\n`)
      .join(''),
    answers: [[{ pauseMs: 40 }, OK.replace('ok', '#1')], OK.replace('ok', '#2'), OK.replace('ok', '#3')],
    checks: [
      (seen) => {
        const bodies = seen.replies.map((reply) => reply.body).join();
        const paths = seen.requests.map((request) => request.startLine.split(' ')[1]);
        return bodies === '#1,#2,#3' && new Set(paths).size === 3 ? undefined : `${bodies} for ${paths.join()}`;
      },
    ],
  },
  {
    name: 'a pipelined request behind a POST is answered after it',
    duty: 6,
    client: `POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc${LAST}`,
    answers: [[{ pauseMs: 30 }, OK.replace('ok', '#1')], OK.replace('ok', '#2')],
    checks: [
      (seen) => (seen.replies.map((reply) => reply.body).join() === '#1,#2' ? undefined : 'not in order'),
      requests(2),
    ],
  },
  {
    name: 'a hundred pipelined requests behind a slow reply and an upload are answered in order',
    duty: 6,
    client: [
      `${GET}POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc${GET.repeat(98)}${LAST}`,
      { replies: 101 },
    ],
    methods: ['GET', 'POST', 'GET'],
    answers: [
      [{ pauseMs: 40 }, OK],
      ...Array.from({ length: 100 }, (_, index) => `HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n${index + 100}`),
    ],
    checks: [
      (seen) =>
        seen.replies.map((reply) => reply.body).join() ===
        ['ok', ...Array.from({ length: 100 }, (_, index) => index + 100)].join()
          ? undefined
          : 'not in order',
      requests(101),
    ],
  },
  ...(['half-close', 'reset'] as const).map(
    (end): Case => ({
      name: `a client that leaves by ${end} frees its replica, and what waits behind is never sent`,
      duty: 6,
      client: [`${GET}${LAST}`, { replicaHas: /GET \/1/ }, end, 'replica-ends', 'leave'],
      answers: [[{ until: /never/ }, OK]],
      checks: [sent('/2', 0)],
    }),
  ),
  {
    name: 'a client that half-closes after its request gets its reply',
    duty: 6,
    profile: 'half-close',
    client: [GET, 'half-close'],
    answers: [[{ pauseMs: 40 }, OK]],
    checks: [gets(200, 'ok')],
  },
  {
    name: 'a client that half-closes after pipelined requests gets all replies',
    duty: 6,
    profile: 'half-close',
    client: [`${GET}${LAST}`, 'half-close'],
    answers: [[{ pauseMs: 40 }, OK]],
    checks: [(seen) => (seen.replies.length === 2 ? undefined : `${seen.replies.length} replies, not 2`), requests(2)],
  },
  {
    name: 'a client that half-closes in the middle of a reply gets all of it',
    duty: 6,
    profile: 'half-close',
    client: [GET, { until: /abc/ }, 'half-close'],
    answers: [['HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc', { pauseMs: 40 }, 'def']],
    checks: [gets(200, 'abcdef')],
  },
  {
    name: 'a client that resets leaves no open request at the replica',
    duty: 6,
    client: [GET, { replicaHas: /1/ }, 'reset', 'replica-ends', 'leave'],
    answers: [[]],
    checks: [requests(1)],
  },
];
