// Computes the number that a request asks the ring with. `--key` is a list of sources: the first one that the request
// has decides. A request that has none of them goes by its request id.

import type { KeyFunction, KeyRequest, KeySource } from '../core/request/key-source.ts';
import { hashText } from '../core/ring/hashes/text.ts';
import type { Key } from '../core/ring/policy.ts';
import { BalancerError, describe } from '../errors.ts';
import type { ParsedRequest } from '../http/headers.ts';
import { originForm, pathOf } from '../http/target.ts';

/** Gives the key of a request, or `undefined` if the request goes by its id. */
export type KeyReader = (request: KeyedRequest, clientAddress: string | undefined) => Key | undefined;

/** The parts of a request that a key can be taken from. */
export type KeyedRequest = Pick<ParsedRequest, 'method' | 'url' | 'rawHeaders'>;

/** @param own what the source `function` stands for. */
export function keyReader(sources: readonly KeySource[], own?: KeyFunction): KeyReader {
  if (own !== undefined && sources.some(({ type }) => type === 'function')) return ownReader(own);
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

function ownReader(own: KeyFunction): KeyReader {
  return (request, clientAddress) => {
    const text: unknown = called(own, keyRequest(request, clientAddress));
    if (text === undefined || text === null || text === '') return undefined;
    if (typeof text === 'string') return hashText(text);
    throw new BalancerError('internal', `the key function returned ${shownType(text)}, not a text`);
  };
}

function called(own: KeyFunction, request: KeyRequest): unknown {
  try {
    return own(request);
  } catch (error) {
    throw new BalancerError('internal', `the key function threw: ${describe(error)}`, { cause: error });
  }
}

function shownType(value: unknown): string {
  return value instanceof Promise ? 'a promise' : `a ${typeof value}`;
}

function keyRequest({ method, url, rawHeaders }: KeyedRequest, client: string | undefined): KeyRequest {
  const headers: Record<string, string> = Object.create(null);
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] as string).toLowerCase();
    const value = rawHeaders[index + 1] as string;
    const before = headers[name];
    headers[name] = before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ', '}${value}`;
  }
  return { method, url: originForm(url), headers, client };
}

function readText(
  source: KeySource,
  { url, rawHeaders }: KeyedRequest,
  clientAddress: string | undefined,
): string | undefined {
  switch (source.type) {
    case 'request':
    case 'function':
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
