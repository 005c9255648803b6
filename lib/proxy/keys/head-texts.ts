// Reads the parts of a key that are in the head of a request. Pure. A part that is empty is none: if an empty value
// counted, all requests with an empty value would go to one replica.

import { compilePattern, segmentOf } from '../../core/keys/path-pattern.ts';
import type { KeyPart } from '../../core/request/key-source.ts';
import type { ParsedRequest } from '../../http/headers.ts';
import { authorityOf, pathOf } from '../../http/target.ts';

/** The parts of a request that a key can be taken from. */
export type KeyedRequest = Pick<ParsedRequest, 'method' | 'url' | 'rawHeaders'>;

/** There may be a text in the body, which is not here. */
export const IN_BODY = Symbol('in the body');

/**
 * Gives a text of a request, byte by byte (latin1); `undefined` or empty if there is none.
 * @param body its beginning; `undefined` if it is not here yet.
 */
export type TextReader = (
  request: KeyedRequest,
  clientAddress: string | undefined,
  body: readonly Uint8Array[] | undefined,
) => string | undefined | typeof IN_BODY;

/** The parts that are in the head. */
export type HeadPart = Exclude<KeyPart, { readonly type: 'json' | 'prompt' }>;

export function headText(part: HeadPart): TextReader {
  switch (part.type) {
    case 'client':
      return (_request, clientAddress) => clientAddress;
    case 'path':
      return ({ url }) => pathOf(url) || '/';
    case 'segment':
      return ({ url }) => segmentOf(pathOf(url), part.number);
    case 'pattern': {
      const capture = compilePattern(part.path);
      return ({ url }) => capture(pathOf(url));
    }
    case 'host':
      return hostOf;
    case 'header':
      return (request) => fieldValue(request, part.name);
    case 'cookie':
      return ({ rawHeaders }) => cookieOf(rawHeaders, part.name);
    case 'query':
      return ({ url }) => pairValue(url.slice(url.indexOf('?') + 1 || url.length), '&', part.name);
  }
}

/** The value of the first cookie of this name that is not empty. */
export function cookieOf(rawHeaders: readonly string[], name: string): string | undefined {
  return firstOf(rawHeaders, 'cookie', (value) => pairValue(value, ';', name));
}

// In lower case and without a port, so that one site has one key however it was written. The authority of a target in
// absolute form overrides the field (RFC 9112, 3.2.2).
function hostOf(request: KeyedRequest): string | undefined {
  const authority = authorityOf(request.url) ?? fieldValue(request, 'host');
  return authority?.toLowerCase().replace(/:\d*$/, '');
}

/** The value of the first field of this name that is not empty. */
export function fieldValue({ rawHeaders }: Pick<KeyedRequest, 'rawHeaders'>, name: string): string | undefined {
  return firstOf(rawHeaders, name, (value) => value);
}

/** What `read` finds in the first field of this name in which it finds a text that is not empty. */
function firstOf(
  rawHeaders: readonly string[],
  name: string,
  read: (value: string) => string | undefined,
): string | undefined {
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const candidate = rawHeaders[index] as string;
    if (candidate.length !== name.length || candidate.toLowerCase() !== name.toLowerCase()) continue;
    const found = read(rawHeaders[index + 1] as string);
    if (found !== undefined && found !== '') return found;
  }
  return undefined;
}

// The value of the first pair of this name that is not empty. A cookie may write an empty value as two quotes (RFC
// 6265, 4.1.1).
function pairValue(list: string, separator: string, name: string): string | undefined {
  const start = `${name}=`;
  for (const pair of list.split(separator)) {
    const text = pair.trim();
    if (!text.startsWith(start)) continue;
    const value = text.slice(start.length);
    if (value !== '' && value !== '""') return value;
  }
  return undefined;
}
