// What may come after a body. Pure.

import { kindOf, plain } from './field-rules.ts';

// RFC 9110, 6.5.1: what says how a message is framed, routed, controlled, who sends it, or how its content is to be read is not
// for after it. The attack: a server that merges trailers into the head takes from here what is replaced or refused there.
const NOT_AFTER = new Set(
  [
    'content-type content-encoding content-range content-location content-language content-disposition range trailer',
    'cache-control pragma age expires location retry-after vary warning etag last-modified origin referer',
    'cookie cookie2 set-cookie set-cookie2 www-authenticate x-http-method-override',
  ].flatMap((names) => names.split(' ')),
);
const PREFIXES_NOT_AFTER = ['if-', 'proxy-', 'access-control-'];

/** Trailer fields without those that mean something only in a head, each with its CRLF. */
export function trailerSection(fields: readonly string[]): string {
  let text = '';
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    if (!mayFollow(plain(name.toLowerCase()))) continue;
    text += `${name}: ${fields[index + 1]}\r\n`;
  }
  return text;
}

function mayFollow(lower: string): boolean {
  if (kindOf(lower) !== undefined || NOT_AFTER.has(lower)) return false;
  return !PREFIXES_NOT_AFTER.some((prefix) => lower.startsWith(prefix));
}
