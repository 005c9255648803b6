// From a request to the number that the ring is asked with. `--key` is a list: the first source that the request has decides.
// One that has none of them goes by its request id.

import type { KeySource } from '../core/request/key-source.ts';
import { hashText } from '../core/ring/hashes/text.ts';
import type { Key } from '../core/ring/policy.ts';
import type { ParsedRequest } from '../http/headers.ts';
import { originForm } from '../http/request-target.ts';

/** Gives the key of a request, `undefined` if it goes by its request id. */
export type KeyReader = (request: KeyedRequest, clientAddress: string | undefined) => Key | undefined;

/** What a key can be taken from. */
export type KeyedRequest = Pick<ParsedRequest, 'url' | 'rawHeaders'>;

export function keyReader(sources: readonly KeySource[]): KeyReader {
  return (request, clientAddress) => {
    for (const source of sources) {
      if (source.type === 'request') return undefined;
      const text = readText(source, request, clientAddress);
      // An empty one would gather all who have none in one place.
      if (text !== undefined && text !== '') return hashText(text);
    }
    return undefined;
  };
}

function readText(
  source: KeySource,
  { url, rawHeaders }: KeyedRequest,
  clientAddress: string | undefined,
): string | undefined {
  switch (source.type) {
    case 'request':
      return undefined;
    case 'client':
      return clientAddress;
    case 'path':
      return originForm(url).split('?', 1)[0] || '/';
    case 'header':
      return firstOf(rawHeaders, source.name, (value) => value);
    case 'cookie':
      return firstOf(rawHeaders, 'cookie', (value) => pairValue(value, ';', source.name));
    case 'query':
      return pairValue(url.slice(url.indexOf('?') + 1 || url.length), '&', source.name);
  }
}

// What `read` finds in the first field of that name in which it finds something; an empty text is nothing.
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

// The value of the first pair of that name that has one; a cookie may write none as two quotes (RFC 6265, 4.1.1).
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
