// The reader of plain heads reads a head as Node's parser does, or leaves it alone.

import http from 'node:http';
import { Duplex } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { SILENT } from '../../lib/proxy/front/http1/responses.ts';
import { readPlainHead } from '../../lib/proxy/front/plain/plain-head.ts';

const MAX_BYTES = 16_384;

/** A request as one of the two readers sees it. */
interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly version: string;
  readonly rawHeaders: readonly string[];
  readonly keepAlive: boolean;
}

/** What `http.Server` makes of bytes of one head: `undefined` if no request comes of it at once, whole, with no body. */
async function served(bytes: Buffer): Promise<Seen | undefined> {
  const server = http.createServer({ ServerResponse: SILENT, requireHostHeader: false, maxHeaderSize: MAX_BYTES });
  const socket = new Duplex({ read: () => undefined, write: (_bytes, _encoding, done) => done() });
  let seen: Seen | undefined;
  let wrong = false;
  const onRequest = (request: http.IncomingMessage, response: { shouldKeepAlive: boolean }) => {
    wrong ||= seen !== undefined;
    const { method, url, httpVersion: version, rawHeaders } = request;
    request.once('data', () => {
      wrong = true;
    });
    seen = { method, url, version, rawHeaders, keepAlive: response.shouldKeepAlive };
  };
  server.on('request', onRequest as never);
  for (const event of ['checkContinue', 'checkExpectation', 'upgrade', 'connect', 'clientError']) {
    server.on(event, () => {
      wrong = true;
    });
  }
  server.emit('connection', socket);
  socket.push(bytes);
  await new Promise((resolve) => setImmediate(resolve));
  socket.destroy();
  return wrong ? undefined : seen;
}

function plain(bytes: Buffer, from = 0): Seen | undefined {
  const head = readPlainHead(bytes, from, MAX_BYTES);
  if (head === undefined) return undefined;
  const { method, url, httpVersionMajor, httpVersionMinor, rawHeaders, keepAlive } = head;
  return { method, url, version: `${httpVersionMajor}.${httpVersionMinor}`, rawHeaders, keepAlive };
}

const LINES = [
  'Host: a',
  'host:a:80',
  'Accept: */*',
  'Connection: keep-alive',
  'Connection: close',
  'connection:\tClose ',
  'Connection: keep-alive, x',
  'Connection: upgrade',
  'Connection:',
  'Upgrade: websocket',
  'Content-Length: 0',
  'content-length: 4',
  'Transfer-Encoding: chunked',
  'Proxy-Connection: close',
  'Expect: 100-continue',
  'X-Empty:',
  'X-Blank: \t ',
  'X-Latin: \u00e9\u00ff',
  'X-Tab: a\tb',
  'X-Ringmaster-Explain: 1',
  ' folded',
  'No colon',
  'Space : before',
  ': no name',
  'X-Control: a\u0001b',
  'X-Delete: \u007f',
  'X-Zero: \u0000',
  'X-Return: a\rb',
  'X-Feed: a\nB: c',
  'Cookie: a=b; c=d',
  'TE: trailers',
  'Trailer: a',
];

const WHOLE = [
  'GET /a?b=c HTTP/1.1\r\nHost: a\r\nAccept:*/*\r\nConnection: keep-alive\r\n\r\n',
  'DELETE / HTTP/1.0\r\nX: \tb c \r\nconnection: Close\r\n\r\n',
];

/** The bytes if they are read in two ways. */
async function misread(bytes: Buffer): Promise<string | undefined> {
  const found = plain(bytes);
  if (found === undefined) return undefined;
  const { next = 0 } = readPlainHead(bytes, 0, MAX_BYTES) ?? {};
  const same = isDeepStrictEqual(found, await served(bytes.subarray(0, next)));
  return same ? undefined : JSON.stringify(bytes.toString('latin1'));
}

t.test('with any byte of a plain head changed, it is read as `http.Server` reads it, or left to it', async (t) => {
  for (const text of WHOLE) {
    let plainOnes = 0;
    const wrong: string[] = [];
    for (let at = 0; at < text.length; at++) {
      for (let byte = 0; byte < 256; byte++) {
        const bytes = Buffer.from(text);
        bytes[at] = byte;
        const misreading = await misread(bytes);
        if (misreading !== undefined) wrong.push(misreading);
        if (plain(bytes) !== undefined) plainOnes += 1;
      }
    }
    t.strictSame(wrong.slice(0, 10), []);
    t.ok(plainOnes > 2000, `${plainOnes} were plain`);
  }
});

const oneOf = (common: string, ...others: string[]) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(common) }, { weight: 1, arbitrary: fc.constantFrom(...others) });
const line = fc.oneof({ weight: 20, arbitrary: fc.constantFrom(...LINES) }, fc.string({ unit: 'binary-ascii' }));
const head = fc
  .tuple(
    oneOf('GET', 'HEAD', 'DELETE', 'POST', 'OPTIONS', 'get', 'G', '', '\r\nGET', 'GET ', 'SOURCE', 'CONNECT'),
    oneOf('/', '/p?q=1', '*', 'http://a/b', '/a#b', '/%zz', '/\u00e9', '/ b', '', '/"<>\\^`{|}', 'a'),
    oneOf('HTTP/1.1', 'HTTP/1.0', 'HTTP/1.2', 'HTTP/0.9', 'HTTP/2.0', 'RTSP/1.0', 'ICE/1.0', 'http/1.1', 'HTTP/1.1 '),
    fc.array(line, { maxLength: 4 }),
    oneOf('\r\n', '\n', '\r'),
    fc.constantFrom('', '\r\n', 'GET /next HTTP/1.1\r\n\r\n'),
  )
  .map(([method, target, version, lines, end, rest]) =>
    Buffer.from(`${[`${method} ${target} ${version}`, ...lines].join(end)}${end}${end}${rest}`, 'latin1'),
  );

t.test('and so is any head', async (t) => {
  let plainOnes = 0;
  const wrong: string[] = [];
  await fc.assert(
    fc.asyncProperty(head, async (bytes) => {
      if (plain(bytes) !== undefined) plainOnes += 1;
      const misreading = await misread(bytes);
      if (misreading !== undefined) wrong.push(misreading);
      return misreading === undefined;
    }),
    { numRuns: Number(process.env.RUNS ?? 20_000) },
  );
  t.strictSame(wrong, []);
  t.ok(plainOnes > 500, `${plainOnes} were plain`);
});

t.test('an ordinary request is plain', async (t) => {
  for (const method of ['GET', 'HEAD', 'DELETE']) {
    const bytes = Buffer.from(`${method} /a?b=c HTTP/1.1\r\nHost: a\r\nX-A:  b\t\r\nConnection: close\r\n\r\n`);
    t.strictSame(readPlainHead(bytes, 0, MAX_BYTES), {
      method,
      url: '/a?b=c',
      httpVersionMajor: 1,
      httpVersionMinor: 1,
      rawHeaders: ['Host', 'a', 'X-A', 'b', 'Connection', 'close'],
      keepAlive: false,
      next: bytes.length,
    });
  }
});

t.test('what has or asks for more is not', async (t) => {
  const fields = [
    'Content-Length: 0',
    'Transfer-Encoding: chunked',
    'Upgrade: a',
    'Expect: b',
    'Proxy-Connection: close',
  ];
  for (const field of [
    ...fields,
    'X-Ringmaster-Explain: 1',
    'Connection: a',
    'Connection: close\r\nConnection: close',
  ]) {
    t.equal(
      readPlainHead(Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\n${field}\r\n\r\n`), 0, MAX_BYTES),
      undefined,
      field,
    );
  }
});

t.test('a head is read from any byte on, and its end is told', async (t) => {
  const one = 'GET /1 HTTP/1.1\r\nHost: a\r\n\r\n';
  const two = 'GET /2 HTTP/1.0\r\n\r\n';
  const bytes = Buffer.from(`${one}${two}GET`);
  t.equal(readPlainHead(bytes, 0, MAX_BYTES)?.next, one.length);
  t.strictSame(plain(bytes, one.length), {
    method: 'GET',
    url: '/2',
    version: '1.0',
    rawHeaders: [],
    keepAlive: false,
  });
  t.equal(readPlainHead(bytes, one.length + two.length, MAX_BYTES), undefined, 'it has not come whole');
  t.equal(readPlainHead(bytes, 0, one.length)?.url, '/1');
  t.equal(readPlainHead(bytes, 0, one.length - 1), undefined, 'a large one is left to the server');
});
