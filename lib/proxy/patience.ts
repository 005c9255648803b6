// When a request has waited long enough, and for whom: the client, the replica, or a place at one. Pure: what is known goes in, the
// error comes out. Time is looked at a few times a second for all requests at once, so no request has a timer of its own.

import { BalancerError } from '../errors.ts';
import type { TimeLimits } from './proxy-limits.ts';

/** What a request waits for. */
export type Wait =
  // All replicas are full.
  | 'room'
  // The client's next body bytes.
  | 'upload'
  // The replica takes no more of the body.
  | 'replica-takes'
  | 'reply-head'
  | 'reply-body'
  // The client takes no more of the reply.
  | 'client-takes'
  | 'tunnel';

/** The error of having waited too long, or `undefined`. `who` is the hostname of the replica. */
export function overdue(wait: Wait, waitedMs: number, who: string, limits: TimeLimits): BalancerError | undefined {
  const limitMs = limitOf(wait, limits);
  if (waitedMs <= limitMs) return undefined;
  switch (wait) {
    case 'room':
      return new BalancerError('overloaded', `all replicas were full for ${limitMs} ms`);
    case 'upload':
      return new BalancerError('request-timeout', `the client sent nothing of its body for ${limitMs} ms`);
    case 'replica-takes':
      return new BalancerError('reply-timeout', `${who} took nothing of the body for ${limitMs} ms`);
    case 'reply-head':
      return new BalancerError('reply-timeout', `${who} did not reply within ${limitMs} ms`);
    case 'reply-body':
      return new BalancerError('reply-timeout', `${who} sent nothing of its body for ${limitMs} ms`);
    case 'client-takes':
      return new BalancerError('request-timeout', `the client took nothing of the reply for ${limitMs} ms`);
    case 'tunnel':
      return new BalancerError('tunnel-idle', `neither side said anything for ${limitMs} ms`);
  }
}

function limitOf(wait: Wait, limits: TimeLimits): number {
  switch (wait) {
    case 'room':
      return limits.queueTimeoutMs;
    case 'reply-head':
      return limits.replyTimeoutMs;
    case 'tunnel':
      return limits.tunnelIdleTimeoutMs;
    case 'upload':
    case 'replica-takes':
    case 'reply-body':
    case 'client-takes':
      return limits.bodyTimeoutMs;
  }
}
