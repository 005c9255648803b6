// What the data plane promises its clients and replicas, whatever happens. Each promise is a function, which throws an
// AssertionError that says what was broken.

import assert from 'node:assert/strict';
import { type Asked, type Attempt, bodyOf, countSince, type Journal } from './journal.ts';

/** What was promised under which conditions. */
export interface Promised {
  readonly maxAttempts: number;
  readonly maxInFlight: number;
  readonly maxKeptBytes: number;
  /** Infinity: nobody is turned away, or waits, while there is a place. */
  readonly overloadWaitMs: number;
  /** 0: no request is held because replicas ended that had it. */
  readonly quarantineMs: number;
  readonly retryBudget: number;
  readonly leastRetriesPerSecond: number;
}

// The windows of the budget: repeats are remembered for one to two of them, and as long again if nobody was there.
const WINDOW_MS = 5000;

/** A replica that is routed to by all threads and has a free place. */
export interface Free {
  readonly seat: number;
  readonly sinceMs: number;
}

/** What is known of the replicas at a moment, by their incarnations. */
export interface Places {
  readonly free: ReadonlyMap<number, Free>;
  /** The same of those that are not suspected: those that are, others that wait are not sent to at once. */
  readonly ready: ReadonlyMap<number, Free>;
}

const IDEMPOTENT = ['GET', 'HEAD', 'PUT', 'DELETE'];
// As long as a place that is free may be unknown to somebody who waits for one in another thread.
const LONGEST_WAKE_MS = 150;

/** A request whose method is not idempotent is sent to a second replica only if no byte of it came to the first. */
export function checkSentOnce({ method, nonce, attempts }: Asked): void {
  if (IDEMPOTENT.includes(method)) return;
  const heard = attempts.filter(({ isHeard }) => isHeard);
  assert(heard.length <= 1, `${method} ${nonce} was sent to ${heard.length} replicas`);
  const [last] = attempts.slice(-1);
  assert(heard.length === 0 || last === heard[0], `${method} ${nonce} was tried again after bytes of it had gone out`);
}

/** A request is tried again only if the head of its final reply had not come. */
export function checkNoneAfterReply({ nonce, attempts }: Asked, before: Attempt | undefined): void {
  const hasReplied = attempts.slice(0, -1).find((one) => one === before && one.hasReplied && isUnbroken(one));
  assert(hasReplied === undefined, `${nonce} is tried again after its reply had begun`);
}

// What was written may have been lost on its way when the connection was reset.
function isUnbroken({ how }: Attempt): boolean {
  return how === 'well' || how === 'slow' || how === 'stream';
}

/** A whole reply answers the request that it is taken for, and is as long as its replica made it. */
export function checkReply(asked: Asked, journal: Journal): void {
  const { nonce, method, outcome } = asked;
  if (outcome?.type !== 'reply') return;
  const attempt = journal.attempts[outcome.attempt];
  assert(attempt?.nonce === nonce, `${nonce} got the reply to ${attempt?.nonce ?? 'nothing'}`);
  if (attempt.how === 'tunnel') return;
  const whole = method === 'HEAD' ? '' : bodyOf(`${nonce}.${attempt.number}`, attempt.bodyBytes);
  if (attempt.how === 'stream') {
    assert(whole.startsWith(outcome.body), `${nonce} got another event stream than its replica sent`);
    return;
  }
  const got = `${outcome.body.length} of ${whole.length} bytes`;
  assert(outcome.body === whole, `${nonce} got a reply that looks whole, and is another or has ${got}`);
  // What comes behind a whole reply is no part of it.
  assert(
    attempt.isWhole || attempt.how === 'excess',
    `${nonce} got a reply that looks whole, which its replica has not finished`,
  );
}

/** Somebody who waits for a place gets it as soon as one is free. */
export function checkWait({ nonce, attempts, turnMs, wholeMs }: Asked, { ready }: Places, nowMs: number): void {
  if (attempts.length > 0 || turnMs === undefined || wholeMs === undefined) return;
  const sinceMs = Math.max(turnMs, wholeMs);
  for (const [incarnation, free] of ready) {
    const idleMs = nowMs - Math.max(sinceMs, free.sinceMs);
    assert(idleMs <= LONGEST_WAKE_MS, `${nonce} has waited for ${idleMs} ms while ${incarnation} had a free place`);
  }
}

/**
 * A request that may be repeated fails only if it cannot be helped: it was tried as often as it may be or at every
 * replica, the budget for repeating was used up, its reply had begun, no reply came in time, or no replica that it had
 * not tried had a free place all the time.
 */
export function checkFailure(asked: Asked, journal: Journal, promised: Promised, places: Places): void {
  const { nonce, method, failure, attempts, bodyBytes, sentMs, endedMs = 0 } = asked;
  if (failure === undefined || asked.offers || !IDEMPOTENT.includes(method)) return;
  if (bodyBytes > promised.maxKeptBytes) return;
  const failing = `${method} ${nonce} has failed (${failure.code}: ${failure.reason})`;
  const tried = new Set(attempts.filter((one) => !isStale(one)).map(({ seat }) => seat));
  const isFreed = [...places.free].find(([, { seat, sinceMs }]) => sinceMs <= sentMs && !tried.has(seat));
  const last = attempts.at(-1);
  switch (failure.code) {
    case 'overloaded':
      if (/^(there are \d+ connections|too many bodies)/.test(failure.reason)) return;
      assert(isFreed === undefined, `${failing} though ${isFreed?.[0]} had a free place all the time`);
      return;
    case 'no-replica':
      assert(isFreed === undefined, `${failing} though ${isFreed?.[0]} had a free place all the time`);
      return;
    case 'connect-failed':
    case 'connection-lost': {
      if (tried.size >= promised.maxAttempts || last?.hasReplied === true) return;
      // It may be poison, so it is held, and there may be no place to wait.
      if (promised.quarantineMs > 0 && tried.size > 1) return;
      // One that was allowed may have had no place since then.
      const sinceMs = endedMs - 3 * WINDOW_MS;
      const repeats = countSince(journal.repeatsMs, sinceMs) + countSince(journal.failuresMs, sinceMs);
      if (repeats >= leastRetries(promised)) return;
      const isDear = failure.reason.endsWith('too many requests are being repeated');
      assert(!isDear, `${failing} though only ${repeats} were repeated lately`);
      assert(isFreed === undefined, `${failing} though ${isFreed?.[0]} was not tried and had a free place`);
      return;
    }
    case 'bad-reply':
      assert(last?.hasSpoken === true, `${failing} though nothing of a reply was sent`);
      return;
    case 'reply-timeout':
      assert(last !== undefined, `${failing} though no replica had it`);
  }
}

function leastRetries({ leastRetriesPerSecond }: Promised): number {
  return Math.floor((leastRetriesPerSecond * 2 * WINDOW_MS) / 1000);
}

/** No more is repeated than the budget allows. */
export function checkBudget(journal: Journal, promised: Promised, nowMs: number): void {
  const repeats = countSince(journal.countedMs, nowMs - WINDOW_MS);
  if (repeats <= leastRetries(promised)) return;
  const requests = countSince(journal.requestsMs, nowMs - 3 * WINDOW_MS);
  const allowed = promised.retryBudget * requests + leastRetries(promised);
  assert(repeats <= allowed, `${repeats} attempts were repeated in ${WINDOW_MS} ms, of ${requests} requests`);
}

/** A reply that was sent whole to a client that reads and stays is not broken off. */
export function checkBroken(asked: Asked, isCut: (attempt: Attempt) => boolean): void {
  const { nonce, outcome, isDoubtful, attempts, failure } = asked;
  if (outcome?.type !== 'broken' || isDoubtful) return;
  const last = attempts.at(-1);
  if (failure !== undefined || last === undefined) {
    assert(failure !== undefined || outcome.got !== '', `${nonce} got nothing at all, and no word in the log`);
    return;
  }
  assert(!last.isWhole || isCut(last), `${nonce} got a part of a reply that its replica has sent whole`);
}

/** It may be that the replica closed the connection without having seen this request. */
export function isStale({ isReused, hasSpoken }: Attempt): boolean {
  return isReused && !hasSpoken;
}
