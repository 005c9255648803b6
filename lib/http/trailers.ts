// Decides which fields may come after a body. Pure.

import { kindOf, plain } from './field-rules.ts';

// A trailer must not say how the message is framed, routed, controlled or authenticated, or how its content is to be
// read (RFC 9110, 6.5.1). The attack: a server merges trailers into the head, and there they set what is replaced or
// refused in a head.
const NOT_AFTER = new Set(
  [
    'content-type content-encoding content-range content-location content-language content-disposition range trailer',
    'cache-control pragma age expires location retry-after vary warning etag last-modified origin referer',
    'cookie cookie2 set-cookie set-cookie2 www-authenticate x-http-method-override',
  ].flatMap((names) => names.split(' ')),
);
const PREFIXES_NOT_AFTER = ['if-', 'proxy-', 'access-control-'];

/**
 * The trailer fields that may come after a body, each with its CRLF. Fields that only mean something in a head are
 * dropped.
 */
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
