// When a request has waited long enough, and for whom: the client, the replica, or a place at one. Pure: what is known goes in, the
// error comes out. Time is looked at a few times a second for all requests at once, so no request has a timer of its own.

import type { TimeLimits } from '../../core/traffic-settings.ts';
import { BalancerError } from '../../errors.ts';

/**
 * How far an exchange has come. `receiving`: no replica was asked for, since too little of the request is here. `waiting`: in the line
 * for a place. `asking`: a replica has it. `replying`: of the reply, something was relayed.
 */
export type Phase = 'receiving' | 'waiting' | 'asking' | 'replying' | 'tunnel' | 'over';

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

interface Blockable {
  readonly blocked: boolean;
}

/** @param awaitsContinue the client sends no body before it has a 100. */
export function waitOf(
  phase: Phase,
  body: Blockable & { readonly ended: boolean },
  client: Blockable,
  awaitsContinue: boolean,
): Wait {
  if (phase === 'tunnel') return 'tunnel';
  if (phase === 'waiting') return 'room';
  if (phase === 'replying') return client.blocked ? 'client-takes' : 'reply-body';
  if (body.ended) return 'reply-head';
  if (body.blocked) return 'replica-takes';
  // A client that waits for a 100 waits for the replica.
  return awaitsContinue ? 'reply-head' : 'upload';
}

const MOST_BETWEEN_LOOKS_MS = 500;

/** Of one request: since when nothing has moved, and when it should be over. */
export class Patience {
  readonly #limits: TimeLimits;
  #seenProgress = -1;
  #sinceMs = 0;
  #dueMs = Number.POSITIVE_INFINITY;
  #lookedMs = Number.NaN;
  #uploadMs = 0;

  constructor(limits: TimeLimits) {
    this.#limits = limits;
  }

  /**
   * The error of having waited too long, or `undefined`.
   * @param progress any number that changes with each step forward.
   * @param isWhole the client has sent all of it, and no reply has begun.
   * @param who hostname of the replica.
   */
  lost(nowMs: number, wait: Wait, progress: number, isWhole: boolean, who: string): BalancerError | undefined {
    if (progress !== this.#seenProgress) {
      this.#seenProgress = progress;
      this.#sinceMs = nowMs;
    }
    const { requestTimeoutMs } = this.#limits;
    if (!isWhole) this.#dueMs = Number.POSITIVE_INFINITY;
    else if (this.#dueMs === Number.POSITIVE_INFINITY) this.#dueMs = nowMs + requestTimeoutMs;
    if (nowMs > this.#dueMs) {
      return new BalancerError('reply-timeout', `there was no reply within ${requestTimeoutMs} ms`);
    }
    return overdue(wait, nowMs - this.#sinceMs, who, this.#limits);
  }

  /**
   * The error of a client that sends, but too little: a byte a minute would hold up its request for days. Only the time counts in
   * which its next bytes are waited for, not that in which nobody here reads them.
   */
  lostPace(nowMs: number, wait: Wait, receivedBytes: number): BalancerError | undefined {
    // After a late look nobody knows how long the client really took.
    const passedMs = Math.min(nowMs - this.#lookedMs, MOST_BETWEEN_LOOKS_MS);
    this.#lookedMs = nowMs;
    if (wait !== 'upload' || Number.isNaN(passedMs)) return undefined;
    this.#uploadMs += passedMs;
    const { minUploadBytesPerSecond, uploadGraceMs } = this.#limits;
    if (minUploadBytesPerSecond === 0) return undefined;
    if (this.#uploadMs <= uploadGraceMs + (receivedBytes / minUploadBytesPerSecond) * 1000) return undefined;
    const tookS = Math.round(this.#uploadMs / 1000);
    return new BalancerError('request-timeout', `the client sent ${receivedBytes} bytes of its body in ${tookS} s`);
  }
}

function overdue(wait: Wait, waitedMs: number, who: string, limits: TimeLimits): BalancerError | undefined {
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
