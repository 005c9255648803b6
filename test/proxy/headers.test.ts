import t from 'tap';
import { type ParsedRequest, replyHead, requestHead as requestHeadWith, textFor } from '../../lib/http/headers.ts';
import { parseReplyHead } from '../../lib/http/reply-head.ts';
import { trailerSection } from '../../lib/http/trailers.ts';

const client = { address: '192.0.2.7', trusted: false };

const requestHead = (request: ParsedRequest, from: typeof client, offered?: string, hopsLeft?: number) =>
  requestHeadWith(request, from, 'drop-owned', offered, hopsLeft);

function parsed(target: string, fields: string[], method = 'GET', minor = 1) {
  const rawHeaders = fields.flatMap((field) => {
    const colon = field.indexOf(':');
    return [field.slice(0, colon), field.slice(colon + 1).trim()];
  });
  return { method, url: target, httpVersionMajor: 1, httpVersionMinor: minor, rawHeaders };
}

const lines = (target: string, fields: string[], method?: string, minor?: number) =>
  requestHead(parsed(target, fields, method, minor), client).text.split('\r\n');

t.test('fields pass in their order, case, number and bytes; what the gateway says comes last', async (t) => {
  t.same(lines('/a?b=%20c', ['X-b: 1', 'hOST: example:80', 'X-B: 2', 'Cookie: \xe4', 'x-b: 1']), [
    'GET /a?b=%20c HTTP/1.1',
    'X-b: 1',
    'hOST: example:80',
    'X-B: 2',
    'Cookie: \xe4',
    'x-b: 1',
    'Via: 1.1 ringmaster',
    'X-Forwarded-For: 192.0.2.7',
    'X-Forwarded-Host: example:80',
    'X-Forwarded-Proto: http',
    '',
    '',
  ]);
});

t.test('hop-by-hop fields and those named in Connection are removed', async (t) => {
  const sent = lines('/', [
    'Host: a',
    'Connection: keep-alive, X-Secret',
    'connection: x-short',
    'Keep-Alive: 5',
    'X-Secret: 1',
    'X-Short: 1',
    'X-Secrets: stays',
    'TE: trailers',
    'Upgrade: h2c',
    'Proxy-Connection: x',
    'Proxy-Authorization: x',
  ]);
  t.same(sent.slice(1, -6), ['Host: a', 'X-Secrets: stays']);
});

t.test('Host and Content-Length cannot be nominated away', async (t) => {
  const sent = lines('/', ['Host: a', 'Connection: host, content-length', 'Content-Length: 3'], 'POST');
  t.same(sent.slice(1, 3), ['Host: a', 'Content-Length: 3']);
});

const FORWARDED = [
  'Host: a',
  'X-Forwarded-For: 198.51.100.1',
  'X-Forwarded-Proto: https',
  'x-forwarded-for: 203.0.113.9',
  'X-Forwarded-Host: b',
  'X-Forwarded-Port: 443',
  'Forwarded: for=198.51.100.1',
  'X-Real-IP: 198.51.100.1',
];

t.test('the attack: what a client says of where its request comes from is replaced', async (t) => {
  t.same(lines('/', FORWARDED).slice(1, -2), [
    'Host: a',
    'Via: 1.1 ringmaster',
    'X-Forwarded-For: 192.0.2.7',
    'X-Forwarded-Host: a',
    'X-Forwarded-Proto: http',
  ]);
});

t.test('what a trusted proxy says of it is passed on, and its own address appended', async (t) => {
  const trusted = requestHead(parsed('/', FORWARDED), { ...client, trusted: true }).text.split('\r\n');
  t.same(trusted.slice(1, -2), [
    'Host: a',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Host: b',
    'X-Forwarded-Port: 443',
    'Forwarded: for=198.51.100.1',
    'X-Real-IP: 198.51.100.1',
    'Via: 1.1 ringmaster',
    'X-Forwarded-For: 198.51.100.1, 203.0.113.9, 192.0.2.7',
  ]);
});

t.test('the attack: a client behind a trusted proxy nominates away who it is', async (t) => {
  const nominated = ['Host: a', 'Connection: x-forwarded-for, X-Forwarded-Proto, x-forwarded-host, x-real-ip, via'];
  const fields = [...nominated, ...FORWARDED.slice(1), 'Via: 1.1 x'];
  const trusted = requestHead(parsed('/', fields), { ...client, trusted: true }).text.split('\r\n');
  t.same(trusted.slice(1, -2), [
    'Host: a',
    'X-Forwarded-Port: 443',
    'Forwarded: for=198.51.100.1',
    'Via: 1.1 ringmaster',
    'X-Forwarded-For: 198.51.100.1, 203.0.113.9, 192.0.2.7',
    'X-Forwarded-Host: a',
    'X-Forwarded-Proto: http',
  ]);
  t.same(lines('/', nominated).slice(1, -2), [
    'Host: a',
    'Via: 1.1 ringmaster',
    'X-Forwarded-For: 192.0.2.7',
    'X-Forwarded-Host: a',
    'X-Forwarded-Proto: http',
  ]);
});

t.test('Max-Forwards goes on one lower where it counts', async (t) => {
  const head = requestHead(parsed('*', ['Host: a', 'max-forwards: 3'], 'OPTIONS'), client, '', 2);
  t.match(head.text, /\r\nmax-forwards: 2\r\n/);
  t.match(lines('/', ['Host: a', 'Max-Forwards: 3']), ['GET / HTTP/1.1', 'Host: a', 'Max-Forwards: 3']);
});

t.test('an offer to switch protocols goes on as this hop makes it', async (t) => {
  const fields = ['Host: a', 'Connection: Upgrade', 'Upgrade: websocket, h2c'];
  const { text, offered } = requestHead(parsed('/', fields), client, 'websocket');
  t.equal(offered, 'websocket');
  t.match(text, /^GET \/ HTTP\/1.1\r\nHost: a\r\nVia: .*\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n$/s);
});

t.test('a body is announced in our framing', async (t) => {
  const chunked = requestHead(parsed('/', ['Host: a', 'Transfer-Encoding: Chunked'], 'DELETE'), client);
  t.equal(chunked.body, 'chunked');
  t.match(chunked.text, /\r\nTransfer-Encoding: chunked\r\n\r\n$/);
  t.equal(requestHead(parsed('/', ['Host: a', 'Content-Length: 0'], 'POST'), client).body, 'length');
  t.equal(requestHead(parsed('/', ['Host: a']), client).body, 'none');
});

t.test('Expect: 100-continue is seen, but not of HTTP/1.0', async (t) => {
  const fields = ['Host: a', 'Expect: 100-Continue', 'Content-Length: 1'];
  t.ok(requestHead(parsed('/', fields, 'PUT'), client).expectsContinue);
  const old = requestHead(parsed('/', fields, 'PUT', 0), client);
  t.notOk(old.expectsContinue);
  t.notMatch(old.text, /expect/i, 'which is then not said to the replica either');
});

t.test('an absolute target names the host, `OPTIONS *` stays', async (t) => {
  t.same(lines('http://b:81/x?y', ['Host: a']).slice(0, 2), ['GET /x?y HTTP/1.1', 'Host: b:81']);
  t.equal(lines('http://b', ['Host: a'])[0], 'GET / HTTP/1.1');
  t.equal(lines('HTTP://b?q', ['Host: a'])[0], 'GET /?q HTTP/1.1');
  t.equal(lines('http://b', ['Host: a'], 'OPTIONS')[0], 'OPTIONS * HTTP/1.1');
  t.equal(lines('*', ['Host: a'], 'OPTIONS')[0], 'OPTIONS * HTTP/1.1');
});

t.test('HTTP/1.0 may leave Host out; the replica gets its own address all the same', async (t) => {
  const head = requestHead(parsed('/', ['A: b'], 'GET', 0), client);
  t.same(textFor(head, '$&:80').split('\r\n').slice(0, -2), [
    'GET / HTTP/1.1',
    'Host: $&:80',
    'A: b',
    'Via: 1.0 ringmaster',
    'X-Forwarded-For: 192.0.2.7',
    'X-Forwarded-Proto: http',
  ]);
  const named = requestHead(parsed('/', ['Host: a'], 'GET', 0), client);
  t.equal(textFor(named, 'b:80'), named.text);
});

t.test('refused with 400', async (t) => {
  const refused = (...args: Parameters<typeof parsed>) =>
    t.throws(() => requestHead(parsed(...args), client), { code: 'bad-request' }, JSON.stringify(args));
  refused('/', []);
  refused('/', ['Host: a', 'Host: a']);
  refused('/', ['Host: a/b']);
  refused('/', ['Host: a b']);
  refused('/', ['Host: user@a']);
  refused('*', ['Host: a']);
  refused('a/b', ['Host: a']);
  refused('ftp://a/', ['Host: a']);
  refused('/', ['Host: a', 'Transfer-Encoding: chunked'], 'POST', 0);
  refused('/', ['Host: a', 'Transfer-Encoding: chunked', 'Content-Length: 1'], 'POST');
  t.throws(() => requestHead({ ...parsed('/', ['Host: a']), httpVersionMajor: 2 }, client), { code: 'bad-request' });
});

t.test('another transfer coding than chunked is refused with 501', async (t) => {
  for (const coding of ['gzip, chunked', 'chunked, gzip', 'identity', 'xchunked', 'chunked, chunked', '']) {
    t.throws(() => requestHead(parsed('/', ['Host: a', `Transfer-Encoding: ${coding}`], 'POST'), client), {
      code: 'not-implemented',
    });
  }
});

const terms = { clientMinor: 1, keepAlive: true, body: 'length', date: 'Sat, 01 Jan 2000 00:00:00 GMT' } as const;
const replied = (fields: string, changed: Partial<Parameters<typeof replyHead>[1]> = {}, status = '200 OK') =>
  replyHead(parseReplyHead(`HTTP/1.1 ${status}\r\n${fields}`, 'GET', 16), { ...terms, ...changed })
    .split('\r\n')
    .slice(0, -2);

t.test('the reply passes likewise, with Via, and Date where it has none', async (t) => {
  t.same(replied('b: 1\r\nA: \xff\r\nB: 2\r\nContent-Length: 0\r\n'), [
    'HTTP/1.1 200 OK',
    'b: 1',
    'A: \xff',
    'B: 2',
    'Content-Length: 0',
    'Date: Sat, 01 Jan 2000 00:00:00 GMT',
    'Via: 1.1 ringmaster',
  ]);
  t.same(replied('date: x\r\n').slice(1), ['date: x', 'Via: 1.1 ringmaster']);
});

t.test('what the replica says of its own connection does not reach the client', async (t) => {
  t.same(
    replied(
      'Connection: close, X-Private\r\nKeep-Alive: 5\r\nX-Private: 1\r\nDate: x\r\nProxy-Authenticate: x\r\n',
    ).slice(1),
    ['Date: x', 'Via: 1.1 ringmaster'],
  );
});

t.test('framing and connection are told to the client in its own terms', async (t) => {
  t.equal(replied('', { body: 'chunked' }).at(-1), 'Transfer-Encoding: chunked');
  t.equal(replied('', { keepAlive: false }).at(-1), 'Connection: close');
  t.equal(replied('', { clientMinor: 0 }).at(-1), 'Connection: keep-alive');
  t.notMatch(replied('Content-Length: 0\r\n', {}, '204 No Content').join(), /Content-Length/);
  t.same(replied('Link: x\r\n', {}, '103 Early Hints'), ['HTTP/1.1 103 Early Hints', 'Link: x']);
});

t.test('trailers lose what frames or routes', async (t) => {
  t.equal(
    trailerSection([
      'Digest',
      'x',
      'Content-Length',
      '3',
      'Transfer-Encoding',
      'x',
      'host',
      'y',
      'X-Forwarded-For',
      '6.6.6.6',
      'via',
      'z',
      'Authorization',
      'b',
    ]),
    'Digest: x\r\n',
  );
});
