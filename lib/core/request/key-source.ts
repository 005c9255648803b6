// Where the key of a request comes from, as `--key` or a program that uses the library says it. key-spec.ts reads that
// from a text, lib/proxy/keys/ reads the key from a request.

/**
 * One entry of the list. `request` means the request id, which says nothing of the client, and `function` the key
 * function of the program, which cannot leave its thread and so is no part of a plan. Of `all`, each part must be
 * there.
 */
export type KeySource =
  | { readonly type: 'function' }
  | { readonly type: 'request' }
  | { readonly type: 'all'; readonly parts: readonly KeyPart[] }
  /** A cookie of the application. Whoever has set it gets its requests. */
  | { readonly type: 'learn'; readonly name: string }
  | KeyPart;

/** What is one text of a request. */
export type KeyPart =
  | { readonly type: 'client' | 'path' | 'host' }
  | { readonly type: 'header' | 'cookie' | 'query'; readonly name: string }
  /** One part of the path between slashes: 1 is the first. */
  | { readonly type: 'segment'; readonly number: number }
  /** What stands at each `{}` of a path that begins like this one. */
  | { readonly type: 'pattern'; readonly path: string }
  /** A value of the body, which is JSON, by the names that lead to it from the outside in. */
  | { readonly type: 'json'; readonly names: readonly string[] }
  /** What tells which requests to a language model begin alike. */
  | { readonly type: 'prompt' };

/** Kinds of keys, as requests are counted by them. `joined`: of several parts. */
export const KEY_CLASSES = [
  'client',
  'path',
  'host',
  'header',
  'cookie',
  'query',
  'json',
  'prompt',
  'learn',
  'joined',
  'function',
] as const;
export type KeyClass = (typeof KEY_CLASSES)[number];

/** The class of keys of that source. */
export function classOf(source: Exclude<KeySource, { readonly type: 'request' }>): KeyClass {
  switch (source.type) {
    case 'all':
      return 'joined';
    case 'segment':
    case 'pattern':
      return 'path';
    default:
      return source.type;
  }
}

/** What a key function is told of a request. */
export interface KeyRequest {
  readonly method: string;
  /** Path and query, as the client sent them. */
  readonly url: string;
  /** Values by lower-case name, byte by byte (latin1). Of several fields of a name: all, with `, ` between them. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The address of the client, as a trusted proxy tells it; `undefined` if it is not known. */
  readonly client: string | undefined;
}

/**
 * Gives the text that a request is hashed by. With no text, or an empty one, the request goes by an id of its own.
 * Called for each request, so it should be quick. If it throws, the client gets a 500.
 */
export type KeyFunction = (request: KeyRequest) => string | null | undefined;

/** Do requests go by their ids, so that those of one client are spread over all replicas? */
export function goesByRequestId(sources: readonly KeySource[]): boolean {
  return sources[0]?.type === 'request';
}
