// Reads the heads of plain requests: a GET, HEAD or DELETE without a body that comes whole in one read, with nothing
// odd in it. Most requests are such, and what `http.Server` does for each of them costs more than all the rest of this
// program. Whatever is not plain is left to the server, so this reader never refuses anything.
//
// It must read a head as the server does, or not at all; test/proxy/plain-head.test.ts compares the two. Pure.

import type { ParsedRequest } from '../../../http/headers.ts';

export interface PlainHead extends ParsedRequest {
  /** The client, as far as this request says, would send another one after it. */
  readonly keepAlive: boolean;
  /** Index of the first byte behind the head. */
  readonly next: number;
}

const END = Buffer.from('\r\n\r\n');

// Method, target in origin form without a fragment, version; then fields, each of them a token, a colon and a value
// without control characters (RFC 9112, 3 and 5). Lines that end with a bare LF, folded lines and white space before a
// colon are not matched. There is one way to match each character, so this takes linear time.
const PLAIN = /^(GET|HEAD|DELETE) (\/[!-"$-~]*) HTTP\/1\.([01])\r\n(?:[\w!#$%&'*+.^`|~-]+:[\t -~\u0080-\u00ff]*\r\n)*$/;

/**
 * The plain head that begins at `from`; `undefined` if there is none.
 * @param bytes ends where the read did.
 * @param maxBytes of a head. A larger one is not plain.
 */
export function readPlainHead(bytes: Buffer, from: number, maxBytes: number): PlainHead | undefined {
  const end = bytes.indexOf(END, from);
  if (end === -1 || end + END.length - from > maxBytes) return undefined;
  const text = bytes.toString('latin1', from, end + 2);
  const line = PLAIN.exec(text);
  if (line === null) return undefined;
  const [, method, url, minor] = line as unknown as [string, string, string, string];
  const rawHeaders: string[] = [];
  const httpVersionMinor = minor === '1' ? 1 : 0;
  let keepAlive = httpVersionMinor === 1;
  let hasConnection = false;
  let at = method.length + url.length + ' '.length + ' HTTP/1.1\r\n'.length;
  while (at < text.length) {
    const colon = text.indexOf(':', at);
    const lineEnd = text.indexOf('\r\n', colon);
    const name = text.slice(at, colon);
    const value = trimmed(text, colon + 1, lineEnd);
    at = lineEnd + 2;
    switch (roleOf(name)) {
      case 'none':
        break;
      case 'connection': {
        const option = value.toLowerCase();
        if (hasConnection || (option !== 'keep-alive' && option !== 'close')) return undefined;
        hasConnection = true;
        keepAlive = option === 'keep-alive';
        break;
      }
      case 'odd':
        return undefined;
    }
    rawHeaders.push(name, value);
  }
  return { method, url, httpVersionMajor: 1, httpVersionMinor, rawHeaders, keepAlive, next: end + END.length };
}

// Spaces and tabs around a value do not belong to it (RFC 9112, 5).
function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

// Fields that announce a body, ask for something of the connection, or have an answer of ours.
const ODD = new Set([
  'expect',
  'upgrade',
  'content-length',
  'proxy-connection',
  'transfer-encoding',
  'x-ringmaster-explain',
]);
// Names are told apart by length first, since nearly all fields are none of these.
const LENGTHS = new Set([...ODD, 'connection'].map(({ length }) => length));

function roleOf(name: string): 'none' | 'connection' | 'odd' {
  if (!LENGTHS.has(name.length)) return 'none';
  const lower = name.toLowerCase();
  if (lower === 'connection') return 'connection';
  return ODD.has(lower) ? 'odd' : 'none';
}
