// The real clock, and a time limit measured by it. All timers are here, except for the time limits of the hot path.

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

/** The clock of a thread that began at that time, in ms since 1970: several threads can go by one clock. */
export function clockSince(originMs: number): Clock {
  const beganMs = performance.timeOrigin - originMs;
  return { ...realClock, now: () => beganMs + performance.now() };
}

/**
 * Gives the result of `work`, or rejects with `late()` after `limitMs`. The signal given to `work` is aborted when the
 * time is up or when `signal` is, so that the work can release what it holds.
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
  // AbortSignal.any is avoided: a signal that lives as long as the process would keep a reference for every call.
  if (signal?.aborted) pass();
  signal?.addEventListener('abort', pass, { once: true });
  const aborted = new Promise<never>((_, reject) => {
    if (working.signal.aborted) reject(working.signal.reason);
    working.signal.addEventListener('abort', () => reject(working.signal.reason), { once: true });
  });
  const startedMs = clock.now();
  const elapse = async () => {
    await clock.sleep(limitMs, finished.signal);
    // If this process itself is late, the result may already wait to be read, so it is read before the time is up.
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
