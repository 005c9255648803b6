// Duty 3, fields: those for a single hop are removed in both directions, and everything else keeps its order, case and
// bytes (RFC 9110, 5.3, 7.6 and 10.1.1; RFC 9112, 2.1).

import type { Case, Check } from '../case.ts';
import {
  clientGetsField,
  clientNeverSees,
  clientSees,
  connections,
  finalReply,
  gets,
  replicaGets,
  replicaGetsBody,
  replicaGetsField,
  requests,
  status,
} from '../checks.ts';
import { fieldsOf, type Message } from '../message.ts';

const get = (fields: string) => `GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${fields}\r\n`;
const ok = (fields: string) => `HTTP/1.1 200 OK\r\n${fields}Content-Length: 2\r\n\r\nok`;

const up = (name: string, fields: string, ...checks: Check[]): Case => ({
  name,
  duty: 3,
  client: get(fields),
  checks: [gets(200), ...checks],
});
const down = (name: string, fields: string, ...checks: Check[]): Case => ({
  name,
  duty: 3,
  client: get(''),
  answers: [ok(fields)],
  checks: [gets(200, 'ok'), ...checks],
});
const nominated = (name: string, nomination: string, fields: string, ...checks: Check[]): Case => ({
  name,
  duty: 3,
  client: `GET /x HTTP/1.1\r\nHost: a\r\nConnection: ${nomination}, close\r\n${fields}\r\n`,
  checks: [gets(200), ...checks],
});

/** The message has these fields, in this order and case. Others may be between them. */
const inOrder = (message: Pick<Message, 'fields'>, ...expected: string[]) => {
  const lines = message.fields.map((field) => field.join(': '));
  let at = -1;
  return expected.every((line) => {
    at = lines.indexOf(line, at + 1);
    return at !== -1;
  });
};

const MIXED = 'X-B: 1\r\nx-a: 2\r\nX-b: 3\r\nX-A: 4\r\nx-A: 5\r\nETag: 6\r\n';
const MIXED_LINES = ['X-B: 1', 'x-a: 2', 'X-b: 3', 'X-A: 4', 'x-A: 5', 'ETag: 6'];
const ODD = '\xe9\xff\x80 \xc3\xa4\t~!"#';
const MANY = Array.from({ length: 1100 }, (_, index) => `X-${index}: ${index}\r\n`).join('');
const isMany = (message: Pick<Message, 'fields'>) =>
  message.fields.filter(([name]) => /^X-\d+$/i.test(name)).length === 1100;

const HOP_BY_HOP = [
  ['Keep-Alive', 'timeout=5'],
  ['Proxy-Connection', 'keep-alive'],
  ['TE', 'gzip'],
  ['Upgrade', 'h2c'],
] as const;

export const FIELDS: readonly Case[] = [
  up(
    'order, case and duplicates of fields survive to the replica',
    MIXED,
    replicaGets((request) => inOrder(request, ...MIXED_LINES), 'the fields as they were'),
  ),
  down('order, case and duplicates of fields survive to the client', MIXED, (seen) =>
    inOrder(finalReply(seen) ?? { fields: [] }, ...MIXED_LINES) ? undefined : 'the fields are not as they were',
  ),
  up('bytes above 0x7f survive to the replica', `X-A: ${ODD}\r\n`, replicaGetsField('X-A', ODD)),
  down('bytes above 0x7f survive to the client', `X-A: ${ODD}\r\n`, clientGetsField('X-A', ODD)),
  down(
    'Content-Disposition with a byte above 0x7f survives',
    'Content-Disposition: attachment; filename="\xe9.txt"\r\n',
    clientGetsField('Content-Disposition', 'attachment; filename="\xe9.txt"'),
  ),
  up('an empty value survives to the replica', 'X-A:\r\n', replicaGetsField('X-A', '')),
  down('an empty value survives to the client', 'X-A:\r\n', clientGetsField('X-A', '')),
  up(
    'a name of every token character survives',
    "!#$%&'*+-.^_`|~09azAZ: b\r\n",
    replicaGets((request) => inOrder(request, "!#$%&'*+-.^_`|~09azAZ: b"), 'the name'),
  ),
  up(
    'a name like one of JavaScript’s survives',
    '__proto__: b\r\nconstructor: c\r\n',
    replicaGetsField('__proto__', 'b'),
    replicaGetsField('constructor', 'c'),
  ),
  down(
    'a name like one of JavaScript’s survives to the client',
    '__proto__: b\r\nconstructor: c\r\n',
    clientGetsField('__proto__', 'b'),
    clientGetsField('constructor', 'c'),
  ),
  down(
    'several Set-Cookie fields stay several',
    'Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n',
    clientGetsField('Set-Cookie', 'a=1', 'b=2'),
  ),
  up(
    'several Cookie fields arrive',
    'Cookie: a=1\r\nCookie: b=2\r\n',
    replicaGets((request) => fieldsOf(request, 'cookie').join('; ') === 'a=1; b=2', 'both cookies'),
  ),
  up('credentials reach the replica', 'Authorization: Bearer x\r\n', replicaGetsField('Authorization', 'Bearer x')),
  {
    name: '1,100 fields arrive as 1,100 or are refused with 431',
    duty: 3,
    client: get(MANY),
    checks: [
      status(200, 431),
      (seen) => (seen.requests.length === 0 ? undefined : replicaGets(isMany, '1,100 fields')(seen)),
    ],
  },
  {
    name: '1,100 fields of a reply arrive as 1,100',
    duty: 3,
    client: get(''),
    answers: [ok(MANY)],
    checks: [
      status(200, 502),
      (seen) =>
        isMany(finalReply(seen) ?? { fields: [] }) || /^HTTP\/1.1 502/.test(seen.text)
          ? undefined
          : 'fields are missing',
    ],
  },
  // Hop-by-hop fields.
  ...HOP_BY_HOP.flatMap(([name, value]) => [
    up(`${name} of a request ends at the proxy`, `${name}: ${value}\r\n`, replicaGetsField(name)),
    down(`${name} of a reply ends at the proxy`, `${name}: ${value}\r\n`, clientGetsField(name)),
  ]),
  up(
    'Connection of a request is not passed on',
    '',
    replicaGets(
      (request) => !fieldsOf(request, 'connection').some((value) => /close/i.test(value)),
      'no Connection: close',
    ),
  ),
  nominated(
    'a field named in Connection ends at the proxy',
    'X-A',
    'X-A: b\r\nX-B: c\r\n',
    replicaGetsField('X-A'),
    replicaGetsField('X-B', 'c'),
  ),
  nominated('a field named in another case ends at the proxy', 'x-a', 'X-A: b\r\n', replicaGetsField('X-A')),
  nominated(
    'several fields named in Connection end at the proxy',
    'X-A ,\tX-B,,X-C',
    'X-A: 1\r\nX-B: 2\r\nX-C: 3\r\nX-D: 4\r\n',
    replicaGetsField('X-A'),
    replicaGetsField('X-B'),
    replicaGetsField('X-C'),
    replicaGetsField('X-D', '4'),
  ),
  nominated(
    'a field named in a second Connection ends at the proxy',
    'X-A',
    'Connection: X-B\r\nX-A: 1\r\nX-B: 2\r\n',
    replicaGetsField('X-A'),
    replicaGetsField('X-B'),
  ),
  nominated('a field whose name is part of a nominated one stays', 'X-A-B', 'X-A: 1\r\n', replicaGetsField('X-A', '1')),
  nominated('Host cannot be nominated away', 'Host', '', replicaGetsField('Host', 'a')),
  ...['Content-Length', 'Transfer-Encoding'].map(
    (name): Case => ({
      name: `${name} cannot be nominated away`,
      duty: 3,
      client:
        `POST /x HTTP/1.1\r\nHost: a\r\nConnection: ${name}, close\r\n` +
        (name === 'Content-Length'
          ? 'Content-Length: 3\r\n\r\nabc'
          : 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'),
      checks: [status(200, 400), (seen) => (seen.requests.length === 0 ? undefined : replicaGetsBody('abc')(seen))],
    }),
  ),
  down(
    'a field named in Connection of a reply ends at the proxy',
    'Connection: X-A\r\nX-A: b\r\nX-B: c\r\n',
    clientGetsField('X-A'),
    clientGetsField('X-B', 'c'),
  ),
  down(
    'Content-Length of a reply cannot be nominated away',
    'Connection: Content-Length\r\n',
    clientGetsField('Content-Length', '2'),
  ),
  {
    name: 'Connection: close of a replica does not close the client',
    duty: 3,
    client: [
      'GET /1 HTTP/1.1\r\nHost: a\r\n\r\n',
      { replies: 1 },
      'GET /2 HTTP/1.1\r\nHost: a\r\n\r\n',
      { replies: 2 },
      'leave',
    ],
    answers: [[ok('Connection: close\r\n'), 'end']],
    checks: [gets(200, 'ok'), requests(2), connections(2), clientNeverSees(/^connection: close/im)],
  },
  {
    name: 'Connection: close of a client does not close the replica’s connection',
    duty: 3,
    client: ['GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'],
    checks: [
      gets(200, 'ok'),
      (seen) => (seen.connections[0]?.ended ? 'the replica’s connection was closed' : undefined),
      clientGetsField('Connection', 'close'),
    ],
  },
  {
    name: 'TE: trailers does not make a field of the hop pass',
    duty: 3,
    client: 'GET /x HTTP/1.1\r\nHost: a\r\nTE: trailers, deflate;q=0.5\r\nConnection: TE, close\r\n\r\n',
    checks: [
      gets(200),
      replicaGets((request) => !fieldsOf(request, 'te').some((value) => /deflate/.test(value)), 'no coding of TE'),
    ],
  },
  // Fields that the proxy adds.
  up(
    'Via is added',
    '',
    replicaGets((request) => /^1\.1 \S+$/.test(fieldsOf(request, 'via').join()), 'Via'),
  ),
  up(
    'Via is appended',
    'Via: 1.0 first\r\n',
    replicaGets((request) => /^1\.0 first, ?1\.1 \S+$/.test(fieldsOf(request, 'via').join()), 'both Via'),
  ),
  {
    name: 'Via names the version that came',
    duty: 3,
    client: 'GET /x HTTP/1.0\r\nHost: a\r\n\r\n',
    checks: [gets(200), replicaGets((request) => /^1\.0 \S+$/.test(fieldsOf(request, 'via').join()), 'Via: 1.0')],
  },
  down('Via of a reply is appended', 'Via: 1.1 first\r\n', (seen) =>
    /^1\.1 first, ?1\.1 \S+$/.test(fieldsOf(finalReply(seen) ?? { fields: [] }, 'via').join())
      ? undefined
      : 'Via is not appended',
  ),
  up(
    'X-Forwarded-For names the client',
    '',
    replicaGets((request) => fieldsOf(request, 'x-forwarded-for').join() === '127.0.0.1', 'X-Forwarded-For'),
  ),
  up(
    'X-Forwarded-Proto and -Host are those of this connection',
    '',
    replicaGetsField('X-Forwarded-Proto', 'http'),
    replicaGetsField('X-Forwarded-Host', 'a'),
  ),
  up(
    'a client that nobody trusts cannot say who it is for',
    'X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n',
    replicaGetsField('X-Forwarded-Proto', 'http'),
    replicaGetsField('X-Forwarded-Host', 'a'),
  ),
  up(
    'X-Forwarded-For ends with the client, whatever it said',
    'X-Forwarded-For: 10.0.0.1\r\n',
    replicaGets(
      (request) => /(^|, ?)127\.0\.0\.1$/.test(fieldsOf(request, 'x-forwarded-for').join()),
      'X-Forwarded-For that ends with the client',
    ),
  ),
  down(
    'Date is added where it is missing',
    '',
    clientSees(/\r\nDate: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\n/i),
  ),
  down(
    'a Date that is there stays',
    'Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n',
    clientGetsField('Date', 'Tue, 15 Nov 1994 08:12:31 GMT'),
  ),
  down('Server stays', 'Server: b\r\n', clientGetsField('Server', 'b')),
];
