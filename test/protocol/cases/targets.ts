// Duty 3, where a request goes: Host, the forms of a target, Max-Forwards (RFC 9110, 7.2, 7.6.2, 9.3.7 and 9.3.8; RFC
// 9112, 3.2).

import type { Case } from '../case.ts';
import { gets, neverSent, refused, replicaGets, replicaGetsField, requests, status } from '../checks.ts';
import { fieldsOf } from '../message.ts';

const line = (startLine: string, fields = 'Host: a\r\n') => `${startLine}\r\n${fields}Connection: close\r\n\r\n`;

const host = (name: string, fields: string): Case => ({
  name: `refused: ${name}`,
  duty: 3,
  client: `GET /x HTTP/1.1\r\n${fields}\r\n`,
  checks: refused(400),
});

const passes = (target: string): Case => ({
  name: `the target ${target.slice(0, 60)} passes byte for byte`,
  duty: 3,
  client: line(`GET ${target} HTTP/1.1`),
  checks: [gets(200), replicaGets((request) => request.startLine === `GET ${target} HTTP/1.1`, 'the target as it was')],
});

const goodHost = (value: string): Case => ({
  name: `Host: ${value} passes as it is`,
  duty: 3,
  client: line('GET /x HTTP/1.1', `Host: ${value}\r\n`),
  checks: [gets(200), replicaGetsField('Host', value)],
});

const absolute = (name: string, request: string, startLine: string, authority: string): Case => ({
  name,
  duty: 3,
  client: request,
  checks: [
    gets(200),
    replicaGets((got) => got.startLine === startLine, startLine),
    replicaGetsField('Host', authority),
  ],
});

const maxForwards = (method: 'TRACE' | 'OPTIONS', hops: string) =>
  line(`${method} /x HTTP/1.1`, `Host: a\r\nMax-Forwards: ${hops}\r\n`);

export const TARGETS: readonly Case[] = [
  host('no Host', 'X-A: b\r\n'),
  host('two Host fields', 'Host: a\r\nHost: b\r\n'),
  host('two equal Host fields', 'Host: a\r\nHost: a\r\n'),
  host('two Host fields in different case', 'Host: a\r\nhOST: b\r\n'),
  host('an empty Host', 'Host:\r\n'),
  host('a Host that is nothing but a port', 'Host: :80\r\n'),
  host('Host with a space', 'Host: a b\r\n'),
  host('Host with a path', 'Host: a/b\r\n'),
  host('Host with a list', 'Host: a, b\r\n'),
  host('Host with a user', 'Host: u@a\r\n'),
  host('Host with a port that is none', 'Host: a:x\r\n'),
  host('Host with two ports', 'Host: a:1:2\r\n'),
  host('Host with an open bracket', 'Host: [::1\r\n'),
  host('Host with a query', 'Host: a?b\r\n'),
  host('Host with a fragment', 'Host: a#b\r\n'),
  host('Host with a backslash', 'Host: a\\b\r\n'),
  host('Host with a byte above 0x7f', 'Host: \xe9\r\n'),
  host('Host with a control byte', 'Host: a\x01\r\n'),
  host('Host with a quote', 'Host: "a"\r\n'),
  host('Host with angle brackets', 'Host: <a>\r\n'),
  {
    name: 'refused: an absolute target without a Host',
    duty: 3,
    client: 'GET http://a/x HTTP/1.1\r\n\r\n',
    checks: refused(400),
  },
  {
    name: 'refused: an absolute target and a Host that is none',
    duty: 3,
    client: 'GET http://a/x HTTP/1.1\r\nHost: a b\r\n\r\n',
    checks: refused(400),
  },
  {
    name: 'refused: an absolute target and two Host fields',
    duty: 3,
    client: 'GET http://a/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
    checks: refused(400),
  },
  {
    name: 'refused: an absolute target with a user',
    duty: 3,
    client: 'GET http://u:p@a/x HTTP/1.1\r\nHost: a\r\n\r\n',
    checks: refused(400),
  },
  {
    name: 'refused: an absolute target without an authority',
    duty: 3,
    client: 'GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n',
    checks: refused(400),
  },
  {
    name: 'refused: an absolute target of another scheme',
    duty: 3,
    client: 'GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n',
    checks: refused(400, 421),
  },
  ...[
    'a',
    'A.Example',
    'a:80',
    'a:',
    'a.',
    '127.0.0.1:5000',
    '[::1]',
    '[2001:db8::1]:8080',
    'a_b',
    'xn--bcher-kva.example',
  ].map(goodHost),
  {
    name: 'HTTP/1.0 needs no Host, and the replica gets one',
    duty: 3,
    client: 'GET /x HTTP/1.0\r\n\r\n',
    checks: [gets(200), replicaGets((request) => fieldsOf(request, 'host').length === 1, 'one Host')],
  },
  ...['GET /x HTTP/1.0\r\n\r\n', 'POST /x HTTP/1.0\r\nX-A: $&\r\nContent-Length: 3\r\n\r\nabc'].map(
    (client): Case => ({
      name: `the Host of ${client.split('\r\n')[0]} without one is the address of the replica`,
      duty: 3,
      client,
      oursOnly: true,
      checks: [
        gets(200),
        replicaGets((request) => /^127\.0\.0\.1:\d+$/.test(fieldsOf(request, 'host').join()), 'its address as Host'),
        replicaGetsField('X-Forwarded-Host'),
      ],
    }),
  ),
  {
    name: 'the Host of HTTP/1.0 is that of the replica which it is repeated at',
    duty: 3,
    profile: 'pair',
    client: 'GET /x HTTP/1.0\r\n\r\n',
    answers: [['reset'], 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'],
    oursOnly: true,
    checks: [
      gets(200, 'ok'),
      (seen) => {
        const [first, second] = seen.connections.map((side) => /\r\nHost: (\S+)\r\n/.exec(side.text)?.[1]);
        return first !== undefined && second !== undefined && first !== second ? undefined : `${first} and ${second}`;
      },
    ],
  },
  ...[
    '/',
    '//',
    '/a//b',
    '/a/../b/./c',
    '/%2e%2e/%2F%41%zz',
    '/a?b',
    '/a?',
    '/?a=b&c=d?e',
    "/a;b=c,d:e@f!$&'()*+",
    '/[a]{b}|c^d`e"f<g>h\\i',
    '/a?u=http://b/c',
    `/${'a'.repeat(7000)}`,
    '/http://b/c',
    '/*',
  ].map(passes),
  {
    name: 'a target with bytes above 0x7f passes byte for byte or is refused',
    duty: 3,
    client: line('GET /\xc3\xa4\xff HTTP/1.1'),
    checks: [
      status(200, 400),
      (seen) =>
        seen.requests.every((request) => request.startLine === 'GET /\xc3\xa4\xff HTTP/1.1')
          ? undefined
          : 'it was changed',
    ],
  },
  absolute(
    'absolute-form becomes a path, and overrides Host',
    line('GET http://b:81/x?y HTTP/1.1', 'Host: a\r\n'),
    'GET /x?y HTTP/1.1',
    'b:81',
  ),
  absolute('absolute-form with an empty path', line('GET http://b HTTP/1.1', 'Host: b\r\n'), 'GET / HTTP/1.1', 'b'),
  absolute(
    'absolute-form with nothing but a query',
    line('GET http://b?y HTTP/1.1', 'Host: b\r\n'),
    'GET /?y HTTP/1.1',
    'b',
  ),
  absolute(
    'absolute-form with a scheme in capitals',
    line('GET HTTP://b/x HTTP/1.1', 'Host: a\r\n'),
    'GET /x HTTP/1.1',
    'b',
  ),
  absolute(
    'absolute-form with an IPv6 address',
    line('GET http://[::1]:8/x HTTP/1.1', 'Host: a\r\n'),
    'GET /x HTTP/1.1',
    '[::1]:8',
  ),
  absolute('absolute-form of HTTP/1.0 without a Host', 'GET http://b/x HTTP/1.0\r\n\r\n', 'GET /x HTTP/1.1', 'b'),
  absolute('OPTIONS * passes as it is', line('OPTIONS * HTTP/1.1'), 'OPTIONS * HTTP/1.1', 'a'),
  absolute(
    'OPTIONS of an absolute target without a path asks for *',
    line('OPTIONS http://b HTTP/1.1', 'Host: a\r\n'),
    'OPTIONS * HTTP/1.1',
    'b',
  ),
  absolute('OPTIONS of a path passes', line('OPTIONS /x HTTP/1.1'), 'OPTIONS /x HTTP/1.1', 'a'),
  ...(['TRACE', 'OPTIONS'] as const).map(
    (method): Case => ({
      name: `${method} with Max-Forwards: 0 is answered here`,
      duty: 3,
      client: maxForwards(method, '0'),
      checks: [method === 'TRACE' ? status(200, 405, 501) : status(200, 204), neverSent],
    }),
  ),
  {
    name: 'OPTIONS with Max-Forwards: 5 passes with 4',
    duty: 3,
    client: maxForwards('OPTIONS', '5'),
    checks: [gets(200), replicaGetsField('Max-Forwards', '4')],
  },
  {
    name: 'GET with Max-Forwards: 0 passes',
    duty: 3,
    client: line('GET /x HTTP/1.1', 'Host: a\r\nMax-Forwards: 0\r\n'),
    checks: [gets(200), requests(1)],
  },
  ...['PROPFIND', 'REPORT', 'PATCH', 'LINK', 'QUERY', 'M-SEARCH'].map(
    (method): Case => ({
      name: `the method ${method} passes`,
      duty: 3,
      client: line(`${method} /x HTTP/1.1`),
      methods: ['GET'],
      checks: [gets(200), replicaGets((request) => request.startLine === `${method} /x HTTP/1.1`, 'the method')],
    }),
  ),
  {
    name: 'a method that nobody knows passes or is not implemented',
    duty: 3,
    client: line('BREW /x HTTP/1.1'),
    checks: [status(200, 501)],
  },
];
