// Duty 1, requests that are not HTTP: RTSP and ICE are refused. A method that this proxy does not support is answered
// as such, and not as an error of the client (RFC 9110, 9.1 and 15.6.2).

import type { Case } from '../case.ts';
import { clientSees, closed, gets, neverSent, refused, replicaGets, replicaGetsBody, requests } from '../checks.ts';

const FIELDS = 'Host: a\r\nConnection: close\r\n';
const request = (line: string, fields = '') => `${line}\r\n${FIELDS}${fields}\r\n`;
const GET = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';

const OTHERS = [
  ...['GET /p RTSP/1.0', 'OPTIONS /p RTSP/1.0', 'OPTIONS * RTSP/1.1', 'DESCRIBE /p RTSP/1.0'],
  ...['GET /p RTSP/2.0', 'HEAD /p RTSP/1.0', 'SETUP /p RTSP/1.1', 'GET rtsp://a/p RTSP/1.0', 'GET http://a/p RTSP/1.0'],
  ...['SOURCE /p ICE/1.0', 'SOURCE /p ICE/1.1', 'GET /p ICE/1.0', 'PUT /p ICE/1.1', 'GET /p?q=%20 RTSP/1.0'],
  ...['GET /p HTTQ/1.1', 'GET /p SIP/2.0', 'GET /p FTP/1.0'],
];

// Heads that arrive in one piece with an earlier request, which have to be checked as well.
const LATER = ['GET /p RTSP/1.0', 'OPTIONS /p RTSP/1.1', 'SOURCE /p ICE/1.1', 'PLAY /p RTSP/1.1'];

const UNKNOWN = [
  ...['FLUSH', 'DESCRIBE', 'ANNOUNCE', 'SETUP', 'PLAY', 'PAUSE', 'TEARDOWN', 'GET_PARAMETER', 'SET_PARAMETER'],
  ...['REDIRECT', 'RECORD', 'LIST', 'BAN', 'BREW', 'PURGEALL'],
];

export const OTHER_PROTOCOLS: readonly Case[] = [
  ...OTHERS.map(
    (line): Case => ({ name: `refused: ${line}`, duty: 1, client: request(line), oursOnly: true, checks: refused() }),
  ),
  {
    name: 'refused: POST /p RTSP/1.0 with a body',
    duty: 1,
    client: `${request('POST /p RTSP/1.0', 'Content-Length: 3\r\n')}abc`,
    oursOnly: true,
    checks: refused(),
  },
  ...['websocket', 'h2c'].map(
    (protocol): Case => ({
      name: `refused: RTSP that offers to switch to ${protocol}`,
      duty: 1,
      client: `GET /p RTSP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: ${protocol}\r\n\r\n`,
      oursOnly: true,
      checks: refused(),
    }),
  ),
  {
    name: 'refused: RTSP later on a connection, behind one of HTTP in the same read',
    duty: 1,
    client: `GET /1 HTTP/1.1\r\nHost: a\r\n\r\n${request('GET /2 RTSP/1.0')}`,
    methods: ['GET', 'GET'],
    oursOnly: true,
    checks: [gets(200, 'ok'), requests(1), clientSees(/HTTP\/1\.1 400 /), closed],
  },
  ...LATER.map(
    (line): Case => ({
      name: `refused behind a good request: ${line}`,
      duty: 1,
      client: GET + request(line),
      methods: ['GET', 'GET'],
      oursOnly: true,
      checks: [gets(200, 'ok'), requests(1), clientSees(/HTTP\/1\.1 400 /), closed],
    }),
  ),
  ...LATER.map(
    (line): Case => ({
      name: `refused after a good request and its reply: ${line}`,
      duty: 1,
      client: [GET, { replies: 1 }, request(line)],
      methods: ['GET', 'GET'],
      oursOnly: true,
      checks: [gets(200, 'ok'), requests(1), clientSees(/HTTP\/1\.1 400 /), closed],
    }),
  ),
  {
    name: 'a body that holds a request of RTSP is a body',
    duty: 1,
    client: `${request('POST /x HTTP/1.1', 'Content-Length: 19\r\n')}GET /x RTSP/1.0\r\n\r\n`,
    oursOnly: true,
    checks: [gets(200, 'ok'), replicaGetsBody('GET /x RTSP/1.0\r\n\r\n')],
  },
  {
    name: 'SOURCE is a method of HTTP too',
    duty: 1,
    client: request('SOURCE /x HTTP/1.1'),
    oursOnly: true,
    checks: [gets(200, 'ok'), replicaGets(({ startLine }) => startLine === 'SOURCE /x HTTP/1.1', 'the method')],
  },
  ...UNKNOWN.map(
    (method): Case => ({
      name: `the method ${method} is not implemented`,
      duty: 1,
      client: request(`${method} /x HTTP/1.1`),
      methods: ['GET'],
      oursOnly: true,
      checks: refused(501),
    }),
  ),
  {
    name: 'a method that is not implemented behind a good request',
    duty: 1,
    client: GET + request('DESCRIBE /x HTTP/1.1'),
    methods: ['GET', 'GET'],
    oursOnly: true,
    checks: [gets(200, 'ok'), requests(1), clientSees(/HTTP\/1\.1 501 /), closed],
  },
  {
    name: 'what begins like a method that is not implemented, and is no request',
    duty: 1,
    client: 'LIST\r\n\r\n',
    oursOnly: true,
    checks: [...refused(), neverSent],
  },
];
