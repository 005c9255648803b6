// The key function of a program that uses the library: what it is told of a request, and what it may give.

import type { KeyFunction, KeyRequest } from '../../core/request/key-source.ts';
import { BalancerError, describe } from '../../errors.ts';
import { originForm } from '../../http/target.ts';
import type { KeyedRequest, TextReader } from './head-texts.ts';

/** Throws `internal` for what the function does wrong. */
export function functionText(own: KeyFunction): TextReader {
  return (request, clientAddress) => {
    const text: unknown = called(own, keyRequest(request, clientAddress));
    if (text === undefined || text === null) return undefined;
    if (typeof text === 'string') return text;
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
