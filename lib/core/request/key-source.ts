// Where the key of a request is taken from, in the words of `--key`.

/** Where a key is taken from. */
export type KeySource =
  | { readonly type: 'request' }
  | { readonly type: 'client' }
  | { readonly type: 'path' }
  | { readonly type: 'header' | 'cookie' | 'query'; readonly name: string };
