// Where the key of a request comes from, as `--key` names it. lib/proxy/key.ts reads it from a request.

/** One entry of the list. `request` means the request id, which says nothing of the client. */
export type KeySource =
  | { readonly type: 'request' }
  | { readonly type: 'client' }
  | { readonly type: 'path' }
  | { readonly type: 'header' | 'cookie' | 'query'; readonly name: string };

/** Do requests go by their ids, so that those of one client are spread over all replicas? */
export function goesByRequestId(sources: readonly KeySource[]): boolean {
  return sources[0]?.type === 'request';
}
