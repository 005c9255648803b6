// Where the key of a request is taken from: what `--key` names. Reading it from a request is lib/proxy/key.ts.

/** One entry of the list. `request` is the request id, which is no key of the client's. */
export type KeySource =
  | { readonly type: 'request' }
  | { readonly type: 'client' }
  | { readonly type: 'path' }
  | { readonly type: 'header' | 'cookie' | 'query'; readonly name: string };

/** Requests have no key that would send those of one client to one place. */
export function goesByRequestId(sources: readonly KeySource[]): boolean {
  return sources[0]?.type === 'request';
}
