// Which replica a request goes to next: one that the table gives, a place in the line for one, or the error of there being none.

import type { Explanation } from '../../core/ring/explain.ts';
import type { Key } from '../../core/ring/policy.ts';
import type { SeatId } from '../../core/ring/ring.ts';
import { asBalancerError, BalancerError } from '../../errors.ts';
import type { RequestHead } from '../../http/headers.ts';
import type { Lessor } from '../replicas/lease.ts';
import type { ExchangeContext } from './exchange-context.ts';
import type { Waiting } from './waiting-line.ts';

/** A request that is to go somewhere. */
export interface Seeker extends Waiting {
  readonly key: Key;
  readonly head: RequestHead;
  /** Seats that have failed it. */
  readonly tried: SeatId[];
  /** The error of the last of them. */
  readonly lastError: BalancerError | undefined;
  /** It has its place in the line. */
  readonly isWaiting: boolean;
  /** No replica was left when it was tried, and none has been found since. */
  awaitsReturn: boolean;
  /** Why it goes where it goes, if its client asks. */
  explanation: Explanation | undefined;
}

/** `undefined`: it waits for one, in the line. */
export function findReplica(seeker: Seeker, context: ExchangeContext): Lessor | BalancerError | undefined {
  const { tried } = seeker;
  const barred = seeker.head.offered === '' ? tried : context.barredFromTunnels(tried);
  try {
    if (seeker.head.asksWhy) seeker.explanation ??= context.explanationOf(seeker.key);
    const agent = context.take(seeker.key, barred);
    if (agent !== undefined) return agent;
  } catch (error) {
    // A hash module of the user's own may throw.
    return asBalancerError(error);
  }
  // All replicas that it could go to are full, and there is a place to wait for one.
  if ((seeker.isWaiting && !seeker.awaitsReturn) || context.wait(seeker, barred)) return undefined;
  if (barred.length === tried.length) return waitForReturn(seeker, context) ? undefined : noReplica(seeker, context);
  if (seeker.lastError !== undefined) return seeker.lastError;
  const { maxTunnels } = context.limits;
  return new BalancerError('overloaded', `each replica has ${maxTunnels} upgraded connections already`);
}

/** Nobody is left, but somebody may be soon, and it can be sent (again) then. False if that is in vain. */
export function waitForReturn(seeker: Seeker, context: ExchangeContext): boolean {
  if (!context.returns.join(seeker)) return false;
  seeker.awaitsReturn = true;
  seeker.tried.length = 0;
  return true;
}

export function noReplica(seeker: Seeker, context: ExchangeContext): BalancerError {
  return seeker.lastError ?? new BalancerError('no-replica', context.returns.whyNone);
}
