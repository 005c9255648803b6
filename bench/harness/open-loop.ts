// When requests of an open loop begin: each at its time, whether or not earlier ones are over. If this process was
// late, all that is due begins at once.

import { setTimeout as sleep } from 'node:timers/promises';

const TICK_MS = 2;
const RATE_TICK_MS = 5;

/**
 * Begins each at its time, in ms from the call. Resolves when all are over, with what came of each, in their order.
 * @param due in the order of their times.
 * @param begin is told the begin of the loop, by `performance.now()`.
 * @param signal begins no more.
 */
export async function openLoop<Due extends { readonly atMs: number }, Result>(
  due: Iterable<Due>,
  begin: (one: Due, startMs: number) => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result[]> {
  const startMs = performance.now();
  const begun: Promise<Result>[] = [];
  for (const one of due) {
    while (performance.now() - startMs < one.atMs) await sleep(TICK_MS);
    if (signal?.aborted === true) break;
    begun.push(begin(one, startMs));
  }
  return Promise.all(begun);
}

/** Calls `begin` so many times a second, at even intervals, until `signal` is aborted. */
export async function atRate(perSecond: number, signal: AbortSignal, begin: () => void): Promise<void> {
  const startMs = performance.now();
  for (let begun = 0; !signal.aborted; ) {
    const due = Math.floor(((performance.now() - startMs) * perSecond) / 1000);
    for (; begun < due; begun++) begin();
    await sleep(RATE_TICK_MS);
  }
}
