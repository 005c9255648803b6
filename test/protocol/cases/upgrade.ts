// Duty 5: bytes after an Upgrade are held back until the replica has switched, any other answer is an ordinary reply,
// and a tunnel ends with either side (RFC 9110, 7.8; RFC 6455, 4).

import type { Case } from '../case.ts';
import {
  clientNeverSees,
  clientSees,
  gets,
  type neverWhole,
  replicaGets,
  replicaGetsBody,
  replicaGetsField,
  requests,
  status,
} from '../checks.ts';
import { fieldsOf } from '../message.ts';

const upgrade = (method = 'GET', fields = '', version = '1.1') =>
  `${method} /ws HTTP/${version}\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
  `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${fields}\r\n`;
const SWITCH =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const MEGABYTE = '\0\x01\xfe\xff'.repeat(2 ** 18);
const PASSED_OVER = (method: string, fields = '') =>
  `${method} /p HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n${fields}\r\n`;
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
const FRAME = '\x81\x05hello\r\n\r\n\0\xff';

export const UPGRADES: readonly Case[] = [
  {
    name: 'an Upgrade reaches the replica with its fields',
    duty: 5,
    client: [upgrade(), { until: /101 / }, 'leave'],
    answers: [['tunnel', SWITCH]],
    checks: [
      replicaGetsField('Upgrade', 'websocket'),
      replicaGets(
        (request) => fieldsOf(request, 'connection').some((value) => /upgrade/i.test(value)),
        'Connection: Upgrade',
      ),
      replicaGetsField('Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='),
      clientSees(/^HTTP\/1\.1 101 [\s\S]*\r\nUpgrade: websocket\r\n/i),
      clientSees(/\r\nConnection: Upgrade\r\n/i),
      clientSees(/\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/i),
    ],
  },
  {
    name: 'bytes pass both ways after 101',
    duty: 5,
    client: [upgrade(), { until: /\r\n\r\n/ }, FRAME, { until: /echo$/ }, 'leave'],
    answers: [['tunnel', SWITCH, { until: /hello\r\n\r\n\0\xff$/ }, 'echo']],
    checks: [clientSees(/\r\n\r\necho$/)],
  },
  {
    name: 'bytes right after an Upgrade are held until 101',
    duty: 5,
    client: [upgrade() + FRAME, { until: /\r\n\r\necho$/ }, 'leave'],
    answerAt: 'head',
    answers: [['tunnel', { pauseMs: 40 }, SWITCH, { until: /hello\r\n\r\n\0\xff$/ }, 'echo']],
    checks: [clientSees(/\r\n\r\necho$/)],
  },
  {
    name: 'bytes right after an Upgrade never reach a replica that does not switch',
    duty: 5,
    client: [`${upgrade()}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`, { replies: 1 }, { pauseMs: 30 }, 'leave'],
    answers: [[{ pauseMs: 30 }, 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno']],
    checks: [gets(403, 'no'), requests(1)],
  },
  {
    name: 'bytes of the replica right after 101 reach the client',
    duty: 5,
    client: [upgrade(), { until: /first$/ }, 'leave'],
    answers: [['tunnel', `${SWITCH}first`]],
    checks: [clientSees(/\r\n\r\nfirst$/)],
  },
  {
    name: 'an answer that does not switch is an ordinary reply',
    duty: 5,
    client: [upgrade(), { replies: 1 }, 'leave'],
    answers: [OK],
    checks: [gets(200, 'ok'), requests(1)],
  },
  {
    name: 'a chunked answer that does not switch is whole',
    duty: 5,
    client: [upgrade(), { replies: 1 }, 'leave'],
    answers: ['HTTP/1.1 426 Upgrade Required\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n'],
    checks: [gets(426, 'no')],
  },
  {
    name: 'an Upgrade of a protocol that the proxy does not know passes',
    duty: 5,
    client: [
      'GET /x HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n\r\n',
      { until: /first$/ },
      'leave',
    ],
    answers: [['tunnel', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n\r\nfirst']],
    checks: [replicaGetsField('Upgrade', 'echo/1'), clientSees(/^HTTP\/1\.1 101 /)],
  },
  {
    name: '103 before 101 does no harm',
    duty: 5,
    client: [upgrade(), { until: /first$/ }, 'leave'],
    answers: [['tunnel', `HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${SWITCH}first`]],
    checks: [clientSees(/HTTP\/1\.1 101 [\s\S]*\r\n\r\nfirst$/)],
  },
  {
    name: 'Upgrade without Connection is for this hop: no tunnel',
    duty: 5,
    client: 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUpgrade: websocket\r\n\r\n',
    checks: [gets(200, 'ok'), replicaGetsField('Upgrade')],
  },
  {
    name: 'Upgrade in HTTP/1.0 is ignored',
    duty: 5,
    client: [upgrade('GET', '', '1.0'), { replies: 1 }, 'leave'],
    checks: [gets(200, 'ok'), replicaGetsField('Upgrade')],
  },
  {
    name: '101 to a request that did not ask is a 502',
    duty: 5,
    client: 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    answers: [['tunnel', SWITCH]],
    checks: [status(502)],
  },
  {
    name: 'a tunnel ends when the replica ends it',
    duty: 5,
    client: [upgrade()],
    answers: [['tunnel', SWITCH, { clientHas: /101/ }, 'last', 'end']],
    checks: [
      clientSees(/\r\n\r\nlast$/),
      (seen) => (seen.ended === 'open' ? 'the client’s connection stays open' : undefined),
    ],
  },
  {
    name: 'a tunnel ends when the replica resets it',
    duty: 5,
    client: [upgrade()],
    answers: [['tunnel', SWITCH, { clientHas: /101/ }, 'reset']],
    checks: [(seen) => (seen.ended === 'open' ? 'the client’s connection stays open' : undefined)],
  },
  ...(['half-close', 'reset'] as const).map(
    (end): Case => ({
      name: `a tunnel ends when the client ends it by ${end}`,
      duty: 5,
      client: [upgrade(), { until: /101/ }, 'last', { replicaHas: /last$/ }, end, 'replica-ends', 'leave'],
      answers: [['tunnel', SWITCH]],
      checks: [],
    }),
  ),
  {
    name: 'a replica that closes instead of switching is a 502',
    duty: 5,
    client: [upgrade(), { replies: 1 }, 'leave'],
    answers: [['end']],
    checks: [status(502)],
  },
  {
    name: 'a client that goes before 101 leaves no open request',
    duty: 5,
    client: [upgrade(), { replicaHas: /ws/ }, 'reset', 'replica-ends', 'leave'],
    answerAt: 'head',
    answers: [['tunnel']],
    checks: [clientNeverSees(/./)],
  },
  {
    name: 'a malformed answer to an Upgrade is a 502',
    duty: 5,
    client: [upgrade(), { replies: 1 }, 'leave'],
    answers: [['HTTP/1.1 1O1 Switching\r\n\r\n']],
    checks: [status(502)],
  },
  {
    name: 'a tunnel carries a megabyte each way',
    duty: 5,
    client: [upgrade(), { until: /\r\n\r\n/ }, `${MEGABYTE}up`, { until: /down$/ }, 'leave'],
    answers: [['tunnel', SWITCH, { until: /up$/ }, `${MEGABYTE}down`]],
    checks: [
      (seen) => (seen.text.endsWith(`\r\n\r\n${MEGABYTE}down`) ? undefined : 'the client got other bytes'),
      (seen) =>
        seen.connections[0]?.text.endsWith(`\r\n\r\n${MEGABYTE}up`) ? undefined : 'the replica got other bytes',
    ],
  },
  {
    name: 'a body with an Upgrade is framed as ever',
    duty: 5,
    client: [`${upgrade('POST', 'Content-Length: 3\r\n')}abc`, { until: /\r\n\r\n/ }, 'leave'],
    answers: [OK],
    checks: [
      status(200, 400, 501),
      (seen) =>
        seen.requests.length === 0
          ? undefined
          : replicaGets((request) => request.complete && request.body === 'abc', 'its body')(seen),
    ],
  },
  {
    name: 'an Upgrade with a body is offered on, and what is behind the body is for the tunnel',
    duty: 5,
    client: [`${upgrade('POST', 'Content-Length: 3\r\n')}abcGET`, { until: /echo$/ }, 'leave'],
    answers: [['tunnel', SWITCH, { until: /abcGET$/ }, 'echo']],
    checks: [replicaGetsField('Upgrade', 'websocket'), clientSees(/^HTTP\/1\.1 101 [\s\S]*\r\n\r\necho$/)],
  },
  {
    name: 'an offer that is passed over, a POST head in the same write, its body later',
    duty: 5,
    client: [
      `${PASSED_OVER('GET')}POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n`,
      { replies: 1 },
      SMUGGLED,
      { replies: 2 },
      'leave',
    ],
    checks: [gets(200, 'ok'), requests(2), replicaGets((request) => request.body === SMUGGLED, 'the body', 1)],
  },
  {
    name: 'an offer that is passed over, with a body, and a request behind it',
    duty: 5,
    client: [
      `${PASSED_OVER('POST', 'Transfer-Encoding: chunked\r\n')}1\r\na\r\n0\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n`,
      { replies: 2 },
      'leave',
    ],
    checks: [gets(200, 'ok'), requests(2), replicaGetsBody('a')],
  },
  {
    name: 'a bad chunk behind an offer that is passed over is a 400 at once',
    duty: 5,
    client: [`${PASSED_OVER('POST', 'Transfer-Encoding: chunked\r\n')}zz\r\n`],
    checks: [status(400)],
  },
  {
    name: 'a tunnel that says nothing ends after its idle limit',
    duty: 5,
    profile: 'tight',
    oursOnly: true,
    client: [upgrade(), { until: /101/ }],
    answers: [['tunnel', SWITCH]],
    checks: [(seen) => (seen.ended === 'open' ? 'the client’s connection stays open' : undefined), neverOpen],
  },
];

function neverOpen(seen: Parameters<typeof neverWhole>[0]): string | undefined {
  return seen.connections.some((side) => !side.ended) ? 'the replica’s connection stays open' : undefined;
}
