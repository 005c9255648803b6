// The real clock, and how long something may take by it. Apart from the hot path's own time limits, all timers are here.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../core/ports.ts';

export const realClock: Clock = {
  now: () => performance.now(),
  // What was due while this process was at work is due now: Node would warn of a time below zero.
  sleep: (ms, signal) => sleep(Math.max(0, ms), undefined, signal === undefined ? undefined : { signal }),
  every: (ms, call) => {
    const timer = setInterval(call, ms).unref();
    return () => clearInterval(timer);
  },
};

/**
 * The result of `work`, or a rejection with `late()` once `limitMs` have passed. Its signal is aborted when the time is
 * up or `signal` is, so that the work can let go of what it holds.
 */
export async function within<T>(
  clock: Clock,
  limitMs: number,
  work: (signal: AbortSignal) => Promise<T>,
  late: () => Error,
  signal?: AbortSignal,
): Promise<T> {
  const finished = new AbortController();
  const working = new AbortController();
  const pass = () => working.abort(signal?.reason);
  // Not AbortSignal.any: a signal that lives as long as the process would keep track of every call.
  if (signal?.aborted) pass();
  signal?.addEventListener('abort', pass, { once: true });
  const aborted = new Promise<never>((_, reject) => {
    if (working.signal.aborted) reject(working.signal.reason);
    working.signal.addEventListener('abort', () => reject(working.signal.reason), { once: true });
  });
  const startedMs = clock.now();
  const elapse = async () => {
    await clock.sleep(limitMs, finished.signal);
    // This process is late itself, and what it waits for may lie unread: it is read before the next timer.
    if (clock.now() - startedMs > 1.1 * limitMs) await clock.sleep(1, finished.signal);
    working.abort(late());
  };
  elapse().catch(() => undefined);
  try {
    return await Promise.race([work(working.signal), aborted]);
  } finally {
    finished.abort();
    signal?.removeEventListener('abort', pass);
  }
}
