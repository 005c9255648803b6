// Decides whether a failed attempt may be repeated. If a request may have had an effect, it is repeated only if its
// method is idempotent (RFC 9110, 9.2.2). If no byte of it was sent it may always be. A head counts as sent, also one
// that announces a body of which nothing was sent: a service may act on it. Where it goes next is for the ring: past
// the seats tried.

/** What is known of a failed attempt. */
export interface FailedAttempt {
  readonly method: string;
  /** No byte of the request can have reached the replica, since no connection was established. */
  readonly unsent: boolean;
  /** Every byte of the body that was sent can be sent again. */
  readonly bodyInHand: boolean;
  /**
   * The head of the final reply has come, so the client may have some of it. Interim replies do not count, since the
   * final one may still come from anybody (RFC 9110, 15.2).
   */
  readonly replyBegun: boolean;
  /** How many replicas have failed the request. A kept connection that was closed does not count. */
  readonly replicasTried: number;
}

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

export function mayRetry(attempt: FailedAttempt, maxAttempts: number): boolean {
  if (attempt.replyBegun || attempt.replicasTried >= maxAttempts) return false;
  if (!attempt.bodyInHand) return false;
  return attempt.unsent || IDEMPOTENT.has(attempt.method);
}
