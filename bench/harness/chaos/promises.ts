// What a chaos run holds the program to.

/** What the program promises, by the options that it was started with. */
export interface PromisedLimits {
  /** As much of a body is kept to be sent again. */
  readonly keptBytes: number;
  readonly maxAttempts: number;
  readonly retryBudget: number;
  readonly leastRetriesPerSecond: number;
  /** Most that are not counted, in five seconds. */
  readonly freeRetries: number;
  readonly wholeWithinMs: number;
}

export type Rule =
  /** A POST was begun more than once: whoever repeats it may double what it does. */
  | 'executed twice'
  /** A POST was answered with 503, which says that it may be sent again, though a replica had got it. */
  | 'told that it may be repeated'
  /** It was answered with 200, and the replica that the reply names did not execute it. */
  | 'answered by nobody'
  | 'reply to another'
  /** A reply that its framing says is whole has not the bytes that the replica sent. */
  | 'truncated reply'
  /** A replica executed it with a body that the client did not send. */
  | 'body changed'
  /** An idempotent request failed though a replica was well, and no documented limit explains it. */
  | 'failed though one was well'
  /** A request failed, and nothing that may cost one was under way. */
  | 'failed without a fault'
  | 'never over'
  | 'sent after the removal'
  | 'not whole in time'
  /** A replica was given up that nothing had befallen. */
  | 'lost without a fault'
  | 'repeated beyond the budget'
  /** The program met a mistake of its own. */
  | 'mistake';

export interface Conviction {
  readonly rule: Rule;
  readonly atMs: number;
  /** What happened, for people: the nonce first, if it is about one. */
  readonly words: string;
}
