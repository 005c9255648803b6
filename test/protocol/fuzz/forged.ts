// What a fuzzed message says without having the right to, and what must therefore never reach the other end: fields
// about where it comes from, by any name that some server reads as one, and trailers that belong in a head. Uses
// nothing of lib/.

import type { Random } from '../../fixtures/random.ts';
import { fieldsOf, type Message } from '../message.ts';

type Field = readonly [name: string, value: string];

const NAMES = [
  ...['X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Access-Token', 'X-Forwarded-Tls-Client-Cert-Info'],
  ...['Forwarded', 'X-Real-IP', 'Content-Length', 'Transfer-Encoding', 'Max-Forwards', 'Keep-Alive'],
];
const TRAILERS = [
  ...['X-Sum', 'Digest', 'Content-Type', 'Content-Range', 'If-None-Match', 'Authorization', 'Set-Cookie', 'Range'],
  ...NAMES,
];
const LISTS = [
  'X-Forwarded-Proto, x-forwarded-for',
  'close, x-a,,X-B ,\tHost',
  'keep-alive,'.repeat(30),
  'x-a,'.repeat(300),
  'Content-Length, X_Real_IP',
];

/** Fields that nobody may believe: forged ones in spellings of all kinds, and long lists. */
export function forgedFields(random: Random): string {
  return Array.from({ length: random.below(3) }, () =>
    random.chance(0.3)
      ? `Connection: ${LISTS[random.below(LISTS.length)]}\r\n`
      : `${spelled(random, NAMES)}: forged\r\n`,
  )
    .filter((field) => !/^(?:content-length|transfer-encoding|max-forwards):/i.test(field))
    .join('');
}

export function forgedTrailers(random: Random): string {
  return Array.from({ length: random.below(3) }, () => `${spelled(random, TRAILERS)}: 1\r\n`).join('');
}

function spelled(random: Random, names: readonly string[]): string {
  const name = names[random.below(names.length)] as string;
  const odd = random.chance(0.5) ? name : name.replaceAll('-', () => '-_._!'[random.below(5)] as string);
  return random.chance(0.3) ? odd.toLowerCase() : odd;
}

/** The variable into which CGI and its successors turn a field. */
const variable = (name: string) => name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');

const SAID_HERE = /^(?:X_FORWARDED(?:_.*)?|FORWARDED|X_REAL_IP)$/;
const FRAMES = /^(?:CONTENT_LENGTH|TRANSFER_ENCODING|MAX_FORWARDS|KEEP_ALIVE|PROXY_.*)$/;
const HEAD_ONLY =
  /^(?:CONTENT_(?:TYPE|RANGE|ENCODING|LENGTH)|IF_.*|RANGE|AUTHORIZATION|(?:SET_)?COOKIE|TE|HOST|EXPECT|CONNECTION|UPGRADE|VIA|DATE)$/;

/** Whether a field must not come after a body. */
export function isHeadOnly([name]: Field): boolean {
  return [SAID_HERE, FRAMES, HEAD_ONLY].some((names) => names.test(variable(name)));
}

/** Whether a field becomes one of the proxy's own where names are turned into variables. */
export function isDisguised([name]: Field): boolean {
  return /[^A-Za-z0-9-]/.test(name) && (SAID_HERE.test(variable(name)) || FRAMES.test(variable(name)));
}

/** What a request at a replica contains that can only be forged. */
export function forgery(request: Message): string | undefined {
  const said = request.fields.filter(([name]) => SAID_HERE.test(variable(name)) && !isDisguised([name, '']));
  const expected = [
    'X-Forwarded-For: 127.0.0.1',
    `X-Forwarded-Host: ${fieldsOf(request, 'host')}`,
    'X-Forwarded-Proto: http',
  ];
  // An HTTP/1.0 request without a host leaves nothing to say about it.
  const missing = said.length === 2 ? expected.filter((one) => !one.startsWith('X-Forwarded-Host')) : expected;
  if (said.map((field) => field.join(': ')).join() !== missing.join()) return `it says of itself: ${said.join(' | ')}`;
  const disguised = request.fields.find(isDisguised);
  return disguised === undefined ? lateField(request) : `a disguised field: ${disguised[0]}`;
}

/** A trailer of the message that must not be one. */
export function lateField({ trailers }: Message): string | undefined {
  const late = trailers.find(isHeadOnly);
  return late === undefined ? undefined : `a trailer that belongs into the head: ${late[0]}`;
}
