// What a line of the access log is made of, and the parts of it that both forms have.

import type { ReplicaRef } from '../../core/ports.ts';
import type { Key } from '../../core/ring/policy.ts';
import type { Told } from '../exchange/downstream.ts';
import type { Ended } from '../exchange/exchange-context.ts';

/** A request that is over. It need not have been an exchange. */
export interface Entry extends Omit<Ended, 'request' | 'key' | 'found' | 'agent' | 'error'> {
  /** `undefined` if it could not be read. */
  readonly request: Told | undefined;
  /** `undefined` if it was refused or answered before it got one. */
  readonly key: Key | undefined;
  readonly agent: { readonly replica: ReplicaRef } | undefined;
}

/** What a line says beside its entry. */
export interface Outcome {
  /** Of the reply; 499 if its client left before one began. */
  readonly status: number;
  /** `ok`, `own`, or the code of an error. */
  readonly ended: string;
  /** Where the key is on the ring. */
  readonly slot: number | undefined;
  /** When the line is made: ms since 1970. */
  readonly nowMs: number;
}

/** Fields of a request that are logged, `undefined` where it has none. */
export interface LoggedFields {
  host: string | undefined;
  userAgent: string | undefined;
  referer: string | undefined;
  traceparent: string | undefined;
}

// One object for all calls: it is read at once.
const found: LoggedFields = { host: undefined, userAgent: undefined, referer: undefined, traceparent: undefined };

/** The same object at each call. Of a field that comes twice, the last one counts. */
export function loggedFields(request: Told | undefined): LoggedFields {
  found.host = found.userAgent = found.referer = found.traceparent = undefined;
  if (request === undefined) return found;
  const { rawHeaders } = request;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    // Most fields are told apart by their length.
    switch (name.length) {
      case 4:
        if (name.toLowerCase() === 'host') found.host = rawHeaders[index + 1];
        break;
      case 7:
        if (name.toLowerCase() === 'referer') found.referer = rawHeaders[index + 1];
        break;
      case 10:
        if (name.toLowerCase() === 'user-agent') found.userAgent = rawHeaders[index + 1];
        break;
      case 11:
        if (name.toLowerCase() === 'traceparent') found.traceparent = rawHeaders[index + 1];
    }
  }
  return found;
}
