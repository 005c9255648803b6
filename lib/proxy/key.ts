// Computes the number that a request asks the ring with. `--key` is a list of sources: the first one that the request
// has decides. A request that has none of them goes by its request id.

import type { KeySource } from '../core/request/key-source.ts';
import { hashText } from '../core/ring/hashes/text.ts';
import type { Key } from '../core/ring/policy.ts';
import type { ParsedRequest } from '../http/headers.ts';
import { pathOf } from '../http/target.ts';

/** Gives the key of a request, or `undefined` if the request goes by its id. */
export type KeyReader = (request: KeyedRequest, clientAddress: string | undefined) => Key | undefined;

/** The parts of a request that a key can be taken from. */
export type KeyedRequest = Pick<ParsedRequest, 'url' | 'rawHeaders'>;

export function keyReader(sources: readonly KeySource[]): KeyReader {
  return (request, clientAddress) => {
    for (const source of sources) {
      if (source.type === 'request') return undefined;
      const text = readText(source, request, clientAddress);
      // If an empty value counted, all requests with an empty value would go to one replica.
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
      return pathOf(url) || '/';
    case 'header':
      return firstOf(rawHeaders, source.name, (value) => value);
    case 'cookie':
      return firstOf(rawHeaders, 'cookie', (value) => pairValue(value, ';', source.name));
    case 'query':
      return pairValue(url.slice(url.indexOf('?') + 1 || url.length), '&', source.name);
  }
}

// What `read` finds in the first field of this name in which it finds a text that is not empty.
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
