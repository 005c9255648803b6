// What is found of a request's key. Types, and the finding that nearly all requests without a key share.

import type { KeyClass } from '../request/key-source.ts';
import type { Key } from '../ring/policy.ts';

export interface KeyFinding {
  /** `undefined` if the request goes by its id. */
  readonly key: Key | undefined;
  /** The source that gave it, as `--key` has it; `request` if the request goes by its id. */
  readonly source: string;
  /** What it is counted as; `undefined` if the request goes by its id. */
  readonly keyClass: KeyClass | undefined;
  /** The value of a cookie that is learned: whoever has set it comes before the ring. */
  readonly learned?: string;
  /** The value of a Set-Cookie field for its client, which gets this key by it. */
  readonly setCookie?: string;
  /** The key may be in the body. Gives what is found once the beginning of the body is here; to be called once. */
  readonly further?: (body: readonly Uint8Array[]) => KeyFinding;
}

export const BY_ID: KeyFinding = { key: undefined, source: 'request', keyClass: undefined };
