// The requests of the built-in load: which key each one has, and where in a request that key has to stand for the
// source of `--key` to find it. Pure. Who sends them, and when, is decided in load-generator.ts.

import type { KeyPart, KeySource } from '../../core/request/key-source.ts';

/**
 * `uniform`: each of the keys equally often. `zipf`: the second half as often as the first, the third a third as
 * often, as words in a text (Zipf, "Human Behavior and the Principle of Least Effort", 1949). `hot`: one key has half
 * of all requests.
 */
export const DISTRIBUTIONS = ['uniform', 'zipf', 'hot'] as const;
export type Distribution = (typeof DISTRIBUTIONS)[number];

/** A request without a body. */
export interface KeyedRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The address on this machine that it has to come from; any if it is not set. */
  readonly localAddress?: string;
}

export const KEYS = 200;
const HOT_SHARE = 0.5;
// Sums of 1, 1/2, 1/3, …: key number k has all that is between the sum before it and its own.
const ZIPF_SUMS: number[] = [];
for (let number = 1; number <= KEYS; number++) ZIPF_SUMS.push((ZIPF_SUMS.at(-1) ?? 0) + 1 / number);

/**
 * The number of a key, from 1 to `KEYS`.
 * @param random gives a number from 0 up to but not including 1.
 */
export function drawKey(distribution: Distribution, random: () => number): number {
  switch (distribution) {
    case 'uniform':
      return 1 + Math.floor(random() * KEYS);
    case 'zipf': {
      const point = random() * (ZIPF_SUMS.at(-1) as number);
      return 1 + ZIPF_SUMS.findIndex((sum) => point < sum);
    }
    case 'hot':
      return random() < HOT_SHARE ? 1 : 2 + Math.floor(random() * (KEYS - 1));
  }
}

/**
 * That request with its key where that source looks for it; `undefined` if the key stands in what a plain request does
 * not have, such as a body.
 */
export function withKey(path: string, source: KeySource | undefined, key: number): KeyedRequest | undefined {
  const request: KeyedRequest = { path, headers: {} };
  if (source === undefined) return undefined;
  if (source.type !== 'all') return withPart(request, source, key);
  return source.parts.reduce<KeyedRequest | undefined>(
    (sofar, part) => (sofar === undefined ? undefined : withPart(sofar, part, key)),
    request,
  );
}

function withPart(request: KeyedRequest, part: KeySource | KeyPart, key: number): KeyedRequest | undefined {
  const { path, headers } = request;
  const text = `key-${key}`;
  switch (part.type) {
    case 'header':
      return { ...request, headers: { ...headers, [part.name]: text } };
    case 'cookie': {
      const others = headers.Cookie === undefined ? '' : `${headers.Cookie}; `;
      return { ...request, headers: { ...headers, Cookie: `${others}${part.name}=${text}` } };
    }
    case 'query':
      return { ...request, path: `${path}${path.includes('?') ? '&' : '?'}${encodeURIComponent(part.name)}=${text}` };
    case 'host':
      return { ...request, headers: { ...headers, Host: `${text}.example` } };
    case 'client':
      // All of 127.0.0.0/8 is this machine on Linux, so each key is a client of its own.
      return process.platform === 'linux' ? { ...request, localAddress: `127.0.1.${key}` } : undefined;
    default:
      return undefined;
  }
}
