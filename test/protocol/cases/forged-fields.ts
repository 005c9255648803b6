// Duty 3, forged fields. Only the proxy may say where a request comes from, whatever name, case or place somebody else
// uses to say it. Servers that turn names into variables, as CGI does, read `X_Real_IP` as X-Real-IP; servers that
// merge trailers into the head read what comes after a body as if it had come before.

import type { Case } from '../case.ts';
import { clientNeverSees, gets, refused, replicaGets, replicaGetsBody, status } from '../checks.ts';
import { fieldsOf, type Message } from '../message.ts';

const get = (fields: string) => `GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${fields}\r\n`;
const chunked = (trailers: string) =>
  `POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n${trailers}\r\n`;
const variable = (name: string) => name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');
const hasForged = (message: Pick<Message, 'fields' | 'trailers'>) =>
  [...message.fields, ...message.trailers].some(([, value]) => value === 'forged');

/** None of these has a rule of its own: each falls under a rule for several. */
const FORWARDING = [
  ...['X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Forwarded-Port', 'X-Forwarded-Server'],
  ...['X-Forwarded-Access-Token', 'X-Forwarded-Preferred-Username', 'X-Forwarded-User', 'X-Forwarded-Email'],
  ...['X-Forwarded-Tls-Client-Cert', 'X-Forwarded-Tls-Client-Cert-Info', 'X-Forwarded-Client-Cert', 'X-Forwarded-Ssl'],
  ...['X-Forwarded-Original-Url', 'X-Forwarded-Client-Ip', 'X-Forwarded-Prefix', 'X-Forwarded-Scheme', 'X-Forwarded-X'],
  ...['X-Forwarded-By', 'X-Forwarded', 'Forwarded', 'X-Real-IP', 'x-forwarded-access-token', 'X-FORWARDED-GROUPS'],
  `X-Forwarded-${'Long-'.repeat(30)}Name`,
];

const ALIASES = [
  ...['X_Real_IP', 'X-Real_IP', 'x_real_ip', 'X_Forwarded_For', 'X-Forwarded_User', 'X_Forwarded_Access_Token'],
  ...['X_Forwarded-Proto', 'X.Forwarded.Host', 'X!Real~IP', 'X-Forwarded-Client_Ip', 'Keep_Alive', 'Max_Forwards'],
  ...['Proxy_Authorization', 'X_Ringmaster_Explain'],
];

// Fields that would say how a message is to be read, by whom, or whether at all.
const NOT_TRAILERS = [
  ...['Content-Type', 'Content-Encoding', 'Content-Range', 'Range', 'If-Match', 'If-None-Match', 'If-Modified-Since'],
  ...['If-Range', 'Authorization', 'Cookie', 'Set-Cookie', 'Proxy-Authorization', 'Proxy-Connection', 'Cache-Control'],
  ...['Content-Length', 'Host', 'Expect', 'Max-Forwards', 'TE', 'Connection', 'Upgrade', 'Via', 'WWW-Authenticate'],
  ...['Location', 'Vary', 'Date', 'Age', 'Content_Type', 'CONTENT-TYPE', 'Content_Length', 'If_None_Match'],
  ...['Set_Cookie', ...FORWARDING, ...ALIASES],
].filter((name) => name !== 'Transfer-Encoding');

export const FORGED_FIELDS: readonly Case[] = [
  ...FORWARDING.map(
    (name): Case => ({
      name: `a client that nobody trusts cannot forge ${name.slice(0, 60)}`,
      duty: 3,
      client: get(`${name}: forged\r\n`),
      oursOnly: true,
      checks: [gets(200), replicaGets((request) => !hasForged(request), 'no forged field')],
    }),
  ),
  ...ALIASES.map(
    (name): Case => ({
      name: `${name} is not passed off as ${variable(name)}`,
      duty: 3,
      client: get(`${name}: forged\r\n`),
      oursOnly: true,
      checks: [gets(200), replicaGets((request) => !hasForged(request), 'no forged field')],
    }),
  ),
  ...['Content_Length: 0', 'Content_Length: 30', 'Transfer_Encoding: chunked', 'Content.Length: 0'].map(
    (field): Case => ({
      name: `${field} frames nothing`,
      duty: 3,
      client: `POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${field}\r\nContent-Length: 3\r\n\r\nabc`,
      oursOnly: true,
      checks: [
        gets(200),
        replicaGetsBody('abc', 'length'),
        replicaGets((request) => !request.fields.some(([name]) => /_|\./.test(name)), 'no such name'),
      ],
    }),
  ),
  {
    name: 'names with underscores that nothing here has a rule for pass',
    duty: 3,
    client: get('X_Custom_Name: b\r\nuser_id: 7\r\nContent_Type: c\r\n'),
    oursOnly: true,
    checks: [
      gets(200),
      replicaGets(
        (request) => ['x_custom_name', 'user_id', 'content_type'].every((name) => fieldsOf(request, name).length === 1),
        'all of them',
      ),
    ],
  },
  ...NOT_TRAILERS.map(
    (name): Case => ({
      name: `a trailer of a request cannot be ${name.slice(0, 60)}`,
      duty: 3,
      client: chunked(`${name}: forged\r\nX-Sum: 1\r\n`),
      oursOnly: true,
      checks: [
        status(200, 400),
        (seen) => (seen.requests.some(hasForged) ? 'a replica got it' : undefined),
        (seen) =>
          seen.requests.every(({ trailers }) => trailers.some(([one]) => one === 'X-Sum'))
            ? undefined
            : 'the other trailer is lost',
      ],
    }),
  ),
  {
    name: 'a trailer of a reply cannot be one of those either',
    duty: 3,
    client: get(''),
    answers: [
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${NOT_TRAILERS.map((name) => `${name}: forged\r\n`).join('')}\r\n`,
    ],
    oursOnly: true,
    checks: [gets(200, 'ok'), clientNeverSees(/forged/)],
  },
  ...['Authorization: Basic YQ==\r\nAuthorization: Basic Yg==\r\n', 'Authorization: a\r\nauthorization: a\r\n'].map(
    (fields): Case => ({
      name: `refused: two Authorization fields, ${fields.includes('Basic') ? 'which differ' : 'which are equal'}`,
      duty: 1,
      client: get(fields),
      checks: refused(),
    }),
  ),
];
