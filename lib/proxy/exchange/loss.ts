// Judges a lost attempt: which replica is to blame, and whether the request is tried again. lib/core/request/retry.ts
// says which attempts may be repeated at all.

import { type FailedAttempt, mayRetry } from '../../core/request/retry.ts';
import type { SeatId } from '../../core/ring/ring.ts';
import { BalancerError } from '../../errors.ts';
import type { Lease } from '../replicas/lease.ts';
import type { ExchangeContext, Loss } from './exchange-context.ts';

/**
 * What to do with the request: try again, try again on a new connection, wait until some replica is back (nothing was
 * sent), or fail with the error.
 */
export type Verdict = 'again' | 'again-fresh' | 'when-back' | BalancerError;

/** The losses of a request that lost no attempt: one object serves all such requests, since nearly all are such. */
export const NO_LOSSES: readonly Loss[] = [];

/** What the exchange knows of its attempt. */
export type Attempted = Pick<FailedAttempt, 'method' | 'bodyInHand' | 'replyBegun'>;

/** @param tried seats that have failed the request. The seat of this attempt is added if it is to blame. */
export function judgeLoss(
  error: BalancerError,
  lease: Lease,
  attempted: Attempted,
  tried: SeatId[],
  context: ExchangeContext,
): Verdict {
  // This process lacks something, such as file descriptors. No replica is to blame, and no other seat would do better.
  if (error.code === 'overloaded') return error;
  // A kept connection may close at any time, which says nothing about the replica. It gets another attempt on a new
  // connection.
  const stale = lease.reused && !lease.hasSpoken;
  if (!stale) {
    tried.push(lease.lessor.replica.seat);
    if (error.code !== 'bad-reply') context.suspect(lease.lessor.replica);
  }
  // Bytes that are no reply answer the request too, though badly. The next replica, of the same kind, would be given
  // what made this one answer so.
  const replyBegun = attempted.replyBegun || error.code === 'bad-reply';
  const attempt = { ...attempted, replyBegun, unsent: !lease.connected, replicasTried: tried.length };
  const isUnsent = error.code === 'connect-failed' && attempted.bodyInHand;
  if (!mayRetry(attempt, context.limits.maxAttempts)) return isUnsent ? 'when-back' : error;
  const { measures } = lease.lessor;
  if (stale) {
    measures.retry('stale');
    return 'again-fresh';
  }
  // The budget keeps an outage from multiplying load. An attempt at a retired replica adds none, so it is free.
  if (lease.lessor.retired || context.spendRetry()) {
    measures.retry(error.code);
    return 'again';
  }
  if (isUnsent) return 'when-back';
  return new BalancerError(error.code, `${error.message}; too many requests are being repeated`);
}
