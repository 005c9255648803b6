// Decides when a request has waited too long, and for whom: the client, a replica, or a place at one. Pure: facts go
// in, an error comes out. All requests are checked together a few times a second, so none has a timer of its own.

import type { TimeLimits } from '../../core/traffic-settings.ts';
import { BalancerError } from '../../errors.ts';

/**
 * How far an exchange has come. `receiving`: too little of the request is here to ask a replica. `waiting`: it is in a
 * line for a place. `asking`: a replica has it. `replying`: the reply has begun.
 */
export type Phase = 'receiving' | 'waiting' | 'asking' | 'replying' | 'tunnel' | 'over';

/** What a request waits for. */
export type Wait =
  // All replicas are full.
  | 'room'
  // The client's next body bytes.
  | 'upload'
  // The replica must take more of the body.
  | 'replica-takes'
  // A connection to the replica. It has a limit of its own (connection.ts).
  | 'connect'
  | 'reply-head'
  | 'reply-body'
  // The client must take more of the reply.
  | 'client-takes'
  | 'tunnel';

interface Blockable {
  readonly blocked: boolean;
}

/**
 * @param connected the connection to the replica is there.
 * @param awaitsContinue the client may send no body before it has a 100.
 */
export function waitOf(
  phase: Phase,
  body: Blockable & { readonly ended: boolean; readonly receivedBytes: number },
  client: Blockable,
  connected: boolean,
  awaitsContinue: boolean,
): Wait {
  if (phase === 'tunnel') return 'tunnel';
  if (phase === 'waiting') return 'room';
  if (phase === 'replying') return client.blocked ? 'client-takes' : 'reply-body';
  if (phase === 'asking' && !connected) return 'connect';
  if (body.ended) return 'reply-head';
  if (body.blocked) return 'replica-takes';
  // A client that waits for a 100 waits for the replica. One that has begun to send does not wait.
  return awaitsContinue && body.receivedBytes === 0 ? 'reply-head' : 'upload';
}

const MOST_BETWEEN_LOOKS_MS = 500;

/** Measures one request: since when nothing has moved, and when it should be over. */
export class Patience {
  readonly #limits: TimeLimits;
  #seenProgress = -1;
  #sinceMs = 0;
  #dueMs = Number.POSITIVE_INFINITY;
  #lookedMs = Number.NaN;
  #uploadMs = 0;
  #astraySinceMs = Number.POSITIVE_INFINITY;

  constructor(limits: TimeLimits) {
    this.#limits = limits;
  }

  /**
   * The error of having waited too long, or `undefined`.
   * @param progress any number that changes with each step forward.
   * @param isWhole the client has sent its whole request, and no reply has begun.
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
   * The error of a client that sends too slowly, or `undefined`: at a byte a minute its request would last for days.
   * Only the time counts in which its next bytes are waited for; time in which nobody here reads them does not.
   */
  lostPace(nowMs: number, wait: Wait, receivedBytes: number): BalancerError | undefined {
    // A late check does not show how long the client really took.
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

  /** The error of a tunnel that has been astray for longer than it may, at each look, or `undefined`. */
  lostHome(nowMs: number, isAstray: boolean): BalancerError | undefined {
    this.#astraySinceMs = isAstray ? Math.min(this.#astraySinceMs, nowMs) : Number.POSITIVE_INFINITY;
    const { rehomeTunnelsMs } = this.#limits;
    if (nowMs - this.#astraySinceMs < rehomeTunnelsMs) return undefined;
    return new BalancerError('rehomed', `its key has led to another replica for ${rehomeTunnelsMs} ms`);
  }
}

function overdue(wait: Wait, waitedMs: number, who: string, limits: TimeLimits): BalancerError | undefined {
  if (wait === 'connect') return undefined;
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

function limitOf(wait: Exclude<Wait, 'connect'>, limits: TimeLimits): number {
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
