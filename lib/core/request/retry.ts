// May a failed attempt be repeated? RFC 9110, 9.2.2: a request whose effect may have begun is repeated only if its method
// is idempotent; one of which no byte was sent may always be. Where to is the ring's answer: on past the seats tried.

/** What is known of a failed attempt. */
export interface FailedAttempt {
  readonly method: string;
  /** No byte of the request can have reached the replica: the connection never came about. */
  readonly unsent: boolean;
  /** Every body byte sent is still in hand, so that it can be sent again. */
  readonly bodyInHand: boolean;
  /** A byte of a reply, interim ones included, has come from the replica. */
  readonly replyBegun: boolean;
  /** Replicas that have failed it. A kept connection that was closed counts for none. */
  readonly replicasTried: number;
}

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

export function mayRetry(attempt: FailedAttempt, maxAttempts: number): boolean {
  if (attempt.replyBegun || attempt.replicasTried >= maxAttempts) return false;
  if (!attempt.bodyInHand) return false;
  return attempt.unsent || IDEMPOTENT.has(attempt.method);
}
