// An attempt was lost: whom that is held against, and whether the request is tried once more. What may be repeated at all is
// lib/core/request/retry.ts.

import { mayRetry } from '../../core/request/retry.ts';
import type { SeatId } from '../../core/ring/ring.ts';
import { BalancerError } from '../../errors.ts';
import type { Lease } from '../replicas/lease.ts';
import type { ExchangeContext } from './exchange-context.ts';

/**
 * Try it once more, on a new connection if `again-fresh`, or once somebody may have come back, since nothing was sent; or the error to fail
 * with.
 */
export type Verdict = 'again' | 'again-fresh' | 'when-back' | BalancerError;

/**
 * @param tried seats that have failed the request; the one of this attempt is added if it is to blame.
 * @param bodyInHand all that was sent of the body can be sent once more.
 */
export function judgeLoss(
  error: BalancerError,
  lease: Lease,
  method: string,
  bodyInHand: boolean,
  tried: SeatId[],
  context: ExchangeContext,
): Verdict {
  // What this process is out of, it is out of at every seat, and no replica is to blame.
  if (error.code === 'overloaded') return error;
  // A kept connection may close at any time, which says nothing of the replica: ask it once more on a new one.
  const stale = lease.reused && !lease.replyBegun;
  if (!stale) {
    tried.push(lease.lessor.replica.seat);
    if (error.code !== 'bad-reply') context.suspect(lease.lessor.replica);
  }
  const attempt = {
    method,
    unsent: !lease.connected,
    bodyInHand,
    replyBegun: lease.replyBegun,
    replicasTried: tried.length,
  };
  const isUnsent = error.code === 'connect-failed' && bodyInHand;
  if (!mayRetry(attempt, context.limits.maxAttempts)) return isUnsent ? 'when-back' : error;
  if (stale) return 'again-fresh';
  // What was moved away from a replica that is gone, or found an old connection closed, is no load that an outage multiplies.
  if (lease.lessor.retired || context.spendRetry()) return 'again';
  if (isUnsent) return 'when-back';
  return new BalancerError(error.code, `${error.message}; too many requests are being repeated`);
}
