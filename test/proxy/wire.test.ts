import fc from 'fast-check';
import t from 'tap';
import type { ReplyHead } from '../../lib/http/reply-head.ts';
import { ReplyReader, type ReplySink } from '../../lib/http/reply-reader.ts';

/** What a reader found, in one line per call; pieces of a body joined. */
class Transcript implements ReplySink {
  readonly lines: string[] = [];
  /** What the reader says of the connection at the moment at which the reply ends. */
  reusableAtEnd: boolean | undefined;
  readonly reader: ReplyReader;
  #body: string | undefined;

  constructor(reader: ReplyReader) {
    this.reader = reader;
  }

  onInformation(head: ReplyHead): void {
    this.lines.push(`information ${head.status}`);
  }
  onHead(head: ReplyHead): void {
    this.lines.push(`head ${head.status} ${head.reason}|${head.fields.join('|')}|${head.framing}`);
  }
  onSwitch(head: ReplyHead): void {
    this.lines.push(`switch ${head.status}`);
  }
  onBody(bytes: Buffer): void {
    this.#body = (this.#body ?? '') + bytes.toString('latin1');
  }
  onEnd(trailers: readonly string[]): void {
    if (this.#body !== undefined) this.lines.push(`body ${this.#body}`);
    this.lines.push(`end ${trailers.join('|')}`);
    this.reusableAtEnd = this.reader.reusable;
  }
  get unfinished(): string {
    return this.#body ?? '';
  }
}

interface Result {
  readonly lines: string[];
  readonly reusable: boolean;
}

/** Feeds the pieces one by one; `end` closes the connection after them. */
function transcribe(pieces: readonly string[], { method = 'GET', end = false, maxHeadBytes = 200 } = {}): Transcript {
  const reader = new ReplyReader({ maxHeadBytes, maxFields: 16 });
  const transcript = new Transcript(reader);
  reader.expectReply(method);
  for (const piece of pieces) reader.read(Buffer.from(piece, 'latin1'), transcript);
  if (end) reader.finish(transcript);
  return transcript;
}

function read(pieces: readonly string[], options: Parameters<typeof transcribe>[1] = {}): Result {
  const { lines, reader } = transcribe(pieces, options);
  return { lines, reusable: reader.reusable };
}

const HEAD = 'HTTP/1.1 200 OK\r\n';

t.test('a body of a length ends with its last byte', async (t) => {
  t.same(read([`${HEAD}Content-Length: 5\r\n\r\nhello`]), {
    lines: ['head 200 OK|Content-Length|5|length', 'body hello', 'end '],
    reusable: true,
  });
  t.same(read([`${HEAD}content-length: 0\r\n\r\n`]).lines, ['head 200 OK|content-length|0|length', 'end ']);
});

t.test('a chunked body ends with its trailers; extensions are dropped', async (t) => {
  const reply = `${HEAD}Transfer-Encoding: Chunked\r\n\r\n5;a=b\r\nhello\r\n00A \r\n0123456789\r\n0\r\nDigest: x\r\nB:\r\n\r\n`;
  t.same(read([reply]), {
    lines: ['head 200 OK|Transfer-Encoding|Chunked|chunked', 'body hello0123456789', 'end Digest|x|B|'],
    reusable: true,
  });
  t.same(read([`${HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`]).lines.at(-1), 'end ');
});

t.test('a body without framing ends with the connection, which is not used again', async (t) => {
  t.same(read([`${HEAD}A: b\r\n\r\nhel`, 'lo'], { end: true }), {
    lines: ['head 200 OK|A|b|close', 'body hello', 'end '],
    reusable: false,
  });
});

t.test('HEAD, 204 and 304 have no body whatever their fields say', async (t) => {
  t.same(read([`${HEAD}Content-Length: 5\r\n\r\n`], { method: 'HEAD' }).lines.at(-1), 'end ');
  t.same(read(['HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n']).lines.at(-1), 'end ');
  t.same(read(['HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n']).lines.at(-1), 'end ');
});

t.test('interim replies come before the final one', async (t) => {
  const reply = `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${HEAD}Content-Length: 0\r\n\r\n`;
  t.same(read([reply]).lines, ['information 100', 'information 103', 'head 200 OK|Content-Length|0|length', 'end ']);
});

t.test('a connection may be used again only if both sides keep it and nothing came after the end', async (t) => {
  const reusable = (head: string) => read([`${head}Content-Length: 0\r\n\r\n`]).reusable;
  t.ok(reusable(HEAD));
  t.notOk(reusable(`${HEAD}Connection: close\r\n`));
  t.notOk(reusable(`${HEAD}Connection: x\r\nConnection: A , CLOSE\r\n`));
  t.ok(reusable(`${HEAD}Connection: closer\r\n`));
  t.notOk(reusable('HTTP/1.0 200 OK\r\n'));
  t.ok(reusable('HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n'));
  const tooLong = transcribe([`${HEAD}Content-Length: 0\r\n\r\nHTTP/1.1 200`]);
  t.notOk(tooLong.reader.reusable, 'bytes after the end');
  t.notOk(tooLong.reusableAtEnd, 'known when the end is told');
  t.notOk(read([`${HEAD}Content-Length: 0\r\n\r\n`, 'x']).reusable, 'bytes after the end, later');
});

t.test('bytes above 0x7f, empty values, blanks around values and an empty reason pass', async (t) => {
  t.same(
    read(['HTTP/1.1 200 \r\nX-A: \t\xe4\xff \t\r\nX-B:\r\nX-C : c\r\nContent-Length: 0\r\n\r\n']).lines[0],
    'head 200 |X-A|\xe4\xff|X-B||X-C|c|Content-Length|0|length',
  );
  t.same(read(['HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n']).lines[0], 'head 200 |Content-Length|0|length');
});

const BROKEN: Record<string, string> = {
  'no HTTP': 'SSH-2.0-x\r\n\r\n',
  'HTTP/2': 'HTTP/2 200 OK\r\n\r\n',
  'HTTP/1.x': 'HTTP/1.x 200 OK\r\n\r\n',
  'status 099': 'HTTP/1.1 099 OK\r\n\r\n',
  'status 1000': 'HTTP/1.1 1000 OK\r\n\r\n',
  'status 2x0': 'HTTP/1.1 2x0 OK\r\n\r\n',
  'no blank before the status': 'HTTP/1.1_200 OK\r\n\r\n',
  'a control byte in the reason': 'HTTP/1.1 200 O\x01K\r\n\r\n',
  'a NUL in a value': `${HEAD}A: b\0c\r\n\r\n`,
  'a bare CR in a value': `${HEAD}A: b\rc\r\n\r\n`,
  'a DEL in a value': `${HEAD}A: b\x7f\r\n\r\n`,
  'a line that ends without CR': `${HEAD}A: b\nC: d\r\n\r\n`,
  'only line feeds': 'HTTP/1.1 200 OK\nA: b\n\n',
  'a line without colon': `${HEAD}nonsense\r\n\r\n`,
  'an empty field name': `${HEAD}: x\r\n\r\n`,
  'a blank in a field name': `${HEAD}A B: x\r\n\r\n`,
  'a folded line': `${HEAD}A: b\r\n c\r\n\r\n`,
  'two lengths': `${HEAD}Content-Length: 1\r\nContent-Length: 1\r\n\r\n`,
  'a list of lengths': `${HEAD}Content-Length: 1, 1\r\n\r\n`,
  'a signed length': `${HEAD}Content-Length: +1\r\n\r\n`,
  'an empty length': `${HEAD}Content-Length:\r\n\r\n`,
  'a length of 16 digits': `${HEAD}Content-Length: 1234567890123456\r\n\r\n`,
  'length and chunked': `${HEAD}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
  'another coding': `${HEAD}Transfer-Encoding: gzip, chunked\r\n\r\n`,
  'chunked twice': `${HEAD}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`,
  'chunked in HTTP/1.0': 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
  'a head over the limit': `${HEAD}A: ${'b'.repeat(200)}\r\n\r\n`,
  'a head over the limit that does not end': `${HEAD}A: ${'b'.repeat(200)}`,
  'a chunk without size': `${HEAD}Transfer-Encoding: chunked\r\n\r\n\r\n`,
  'a chunk size that is not hexadecimal': `${HEAD}Transfer-Encoding: chunked\r\n\r\n5g\r\n`,
  'a signed chunk size': `${HEAD}Transfer-Encoding: chunked\r\n\r\n-5\r\n`,
  'a chunk size over 2^52': `${HEAD}Transfer-Encoding: chunked\r\n\r\n10000000000000\r\n`,
  'a chunk size over 2^52 behind zeros': `${HEAD}Transfer-Encoding: chunked\r\n\r\n00010000000000000\r\n`,
  'a chunk size of zeros without an end': `${HEAD}Transfer-Encoding: chunked\r\n\r\n${'0'.repeat(1025)}`,
  'a chunk size that ends without CR': `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\nhello`,
  'a chunk size that ends without LF': `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\rhello`,
  'a NUL in a chunk extension': `${HEAD}Transfer-Encoding: chunked\r\n\r\n5;\0\r\n`,
  'a chunk extension without end': `${HEAD}Transfer-Encoding: chunked\r\n\r\n5;${'x'.repeat(1100)}`,
  'a chunk longer than its size': `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n`,
  'a chunk that ends without LF': `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r0\r\n`,
  'a broken trailer': `${HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\nnonsense\r\n\r\n`,
};

for (const [what, reply] of Object.entries(BROKEN)) {
  t.test(`refused: ${what}`, async (t) => {
    t.throws(() => read([reply]), { code: 'bad-reply' }, 'in one piece');
    t.throws(() => read([...reply], { end: true }), { code: 'bad-reply' }, 'byte by byte');
  });
}

t.test('a reply that ends early is refused, wherever it ends', async (t) => {
  for (const reply of [
    `${HEAD}Content-Length: 5\r\n\r\nhello`,
    `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  ]) {
    for (let length = 1; length < reply.length; length++) {
      t.throws(() => read([reply.slice(0, length)], { end: true }), { code: 'bad-reply' }, `${length} bytes`);
    }
  }
});

t.test('in whatever pieces a reply comes, the same is read', async () => {
  const body = fc.string({ unit: 'binary-ascii', maxLength: 60 });
  const anyReply = fc.oneof(
    body.map((text) => `${HEAD}Content-Length: ${text.length}\r\n\r\n${text}`),
    fc
      .array(
        body.filter((text) => text !== ''),
        { maxLength: 5 },
      )
      .map((chunks) => {
        const coded = chunks.map((text) => `${text.length.toString(16)};x=y\r\n${text}\r\n`).join('');
        return `HTTP/1.1 100 Continue\r\n\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n${coded}0\r\nT: u\r\n\r\n`;
      }),
  );
  fc.assert(
    fc.property(anyReply, fc.array(fc.nat()), (reply, cuts) => {
      const at = [0, ...cuts.map((cut) => cut % reply.length).sort((a, b) => a - b), reply.length];
      const pieces = at.slice(1).map((end, index) => reply.slice(at[index], end));
      const whole = read([reply], { maxHeadBytes: 1000 });
      return JSON.stringify(read(pieces, { maxHeadBytes: 1000 })) === JSON.stringify(whole) && whole.reusable;
    }),
    { numRuns: 2000 },
  );
});

t.test('a reader begins anew with each reply', async (t) => {
  const reader = new ReplyReader({ maxHeadBytes: 200, maxFields: 16 });
  const transcript = new Transcript(reader);
  reader.expectReply('GET');
  t.notOk(reader.begun);
  reader.read(Buffer.from(`${HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`), transcript);
  t.ok(reader.begun);
  reader.expectReply('HEAD');
  t.notOk(reader.begun);
  t.notOk(reader.reusable);
  reader.read(Buffer.from(`${HEAD}Content-Length: 9\r\n\r\n`), transcript);
  t.ok(reader.reusable);
  t.equal(transcript.unfinished, '');
});
