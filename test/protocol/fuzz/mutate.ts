// Random messages: made from a grammar, then broken. The same random numbers make the same message.

import type { Random } from '../../fixtures/random.ts';
import { forgedTrailers } from './forged.ts';

/** What a mutation inserts: bytes that frame, and texts that mean something to some parser. */
const SCRAPS = [
  ...[
    '\r',
    '\n',
    '\r\n',
    '\r\n\r\n',
    '\n\n',
    '\0',
    ' ',
    '\t',
    ':',
    ';',
    ',',
    '\x0b',
    '\x7f',
    '\x80',
    '\xff',
    '"',
    '0',
    '1',
    'a',
    'f',
  ],
  ...[
    '\r\n0\r\n\r\n',
    '0\r\n\r\n',
    '\r\n ',
    '\r\n\t',
    ' \r\n',
    ';a=b',
    ';\n',
    ', chunked',
    'x',
    '+',
    '-',
    '0x',
    '#',
    '//',
    '%00',
  ],
  ...['Content-Length: 5\r\n', 'Content-Length: 0\r\n', 'content-length:3\r\n', 'Content-Length: 5, 5\r\n'],
  ...['Transfer-Encoding: chunked\r\n', 'transfer-encoding:\tchunked\r\n', 'Transfer-Encoding : chunked\r\n'],
  ...['Transfer-Encoding: gzip\r\n', 'Connection: close\r\n', 'Connection: Content-Length, Host\r\n', 'Host: b\r\n'],
  ...[
    'Expect: 100-continue\r\n',
    'Connection: Upgrade\r\nUpgrade: websocket\r\n',
    'Max-Forwards: 0\r\n',
    'TE: trailers\r\n',
  ],
  ...[
    ' HTTP/1.1',
    ' HTTP/1.0',
    'HTTP/1.1 200 OK\r\n',
    'HTTP/1.1 100 Continue\r\n\r\n',
    'HTTP/1.1 204 No\r\n\r\n',
    '18446744073709551616',
  ],
  'GET /other HTTP/1.1\r\nHost: a\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray',
];

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)] as T;
}

/** Breaks a text in one to four places, or now and then leaves it as it is. What `kept` matches is never touched. */
export function mutate(random: Random, text: string, kept: RegExp): string {
  let mutated = text;
  for (let count = random.chance(0.1) ? 0 : 1 + random.below(4); count > 0; count--)
    mutated = mutateOnce(random, mutated, kept);
  // A letter in another case may not fit into a byte.
  return Buffer.from(mutated, 'latin1').toString('latin1');
}

function mutateOnce(random: Random, text: string, kept: RegExp): string {
  // Even parts are free, odd ones are kept.
  const parts = text.split(new RegExp(`(${kept.source})`));
  const index = 2 * random.below(Math.ceil(parts.length / 2));
  const part = parts[index] ?? '';
  const at = placeIn(random, part);
  const until = Math.min(part.length, at + random.below(random.chance(0.5) ? 3 : 30));
  parts[index] = part.slice(0, at) + replacement(random, part.slice(at, until), part) + part.slice(until);
  return parts.join('');
}

// Often the beginning of a line, where a field could be.
function placeIn(random: Random, text: string): number {
  const anywhere = random.below(text.length + 1);
  if (random.chance(0.6)) return anywhere;
  const line = text.indexOf('\r\n', anywhere);
  return line === -1 ? anywhere : line + 2;
}

function replacement(random: Random, old: string, around: string): string {
  switch (random.below(8)) {
    case 0:
      return '';
    case 1:
      return old + old;
    case 2:
      return String.fromCharCode(random.below(256)) + old.slice(1);
    case 3:
      return old.toUpperCase() === old ? old.toLowerCase() : old.toUpperCase();
    case 4:
      return old + around.slice(random.below(around.length + 1)).slice(0, random.below(60));
    default:
      return pick(random, SCRAPS) + old;
  }
}

/** The text in one to four pieces. */
export function pieces(random: Random, text: string): string[] {
  const cuts = Array.from({ length: random.below(4) }, () => random.below(text.length + 1)).sort((a, b) => a - b);
  return [0, ...cuts].map((cut, index) => text.slice(cut, cuts[index] ?? text.length)).filter((piece) => piece !== '');
}

/** Fields without a meaning here. */
export function fields(random: Random): string {
  return Array.from({ length: random.below(4) }, () => pick(random, FIELDS)).join('');
}

/** A body and the fields that frame it. */
export function framed(random: Random, body: string): string {
  if (random.chance(0.4)) return `Content-Length: ${body.length}\r\n\r\n${body}`;
  const cut = random.below(body.length + 1);
  const chunks = [body.slice(0, cut), body.slice(cut)].filter((chunk) => chunk !== '');
  const extension = random.chance(0.2) ? ';a="b"' : '';
  const trailer = random.chance(0.3) ? forgedTrailers(random) : '';
  const zeros = '0'.repeat(random.chance(0.1) ? random.below(30) : 0);
  const coded = chunks.map((chunk) => `${zeros}${chunk.length.toString(16)}${extension}\r\n${chunk}\r\n`).join('');
  return `Transfer-Encoding: chunked\r\n\r\n${coded}0\r\n${trailer}\r\n`;
}

const FIELDS = [
  ...[
    'X-A: b\r\n',
    'x-a:  c \r\n',
    'X-B:\r\n',
    'X-C: \xe9\t"d"\r\n',
    'Cookie: a=1; b=2\r\n',
    'Accept: */*\r\n',
    'Via: 1.0 x\r\n',
  ],
  ...[
    'Connection: keep-alive\r\n',
    'Connection: X-A\r\n',
    'Keep-Alive: 5\r\n',
    'X-Forwarded-For: 10.0.0.1\r\n',
    'Date: x\r\n',
  ],
  `X-Long: ${'l'.repeat(300)}\r\n`,
];
