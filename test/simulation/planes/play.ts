// Plays many histories of both planes in several threads.

import { Worker } from 'node:worker_threads';
import type { Lot, Said } from './player.ts';

export interface Played {
  readonly histories: number;
  readonly requests: number;
  /** What happened in the last one, if it is to be told. */
  readonly told: readonly string[];
}

export type Failed = Extract<Said, { type: 'failed' }>;

/** Which histories are played: those with so many seeds from `first` on. */
export interface Playing extends Partial<Pick<Lot, 'tells' | 'longestMs'>> {
  readonly first: number;
  readonly count: number;
  readonly threads: number;
}

/**
 * Plays histories. Gives those that failed: a thread ends with its first one.
 * @param onPlayed called now and then with what was played since the last call.
 */
export async function playHistories(
  { first, count, threads, tells = false, longestMs = Number.POSITIVE_INFINITY }: Playing,
  onPlayed: (played: Played) => void = () => undefined,
): Promise<Failed[]> {
  const lots = Array.from({ length: Math.min(threads, count) }, (_, thread) => ({
    ...{ first: first + thread, step: threads, end: first + count, tells, longestMs },
  }));
  const failures = await Promise.all(lots.map((lot) => playLot(lot, onPlayed)));
  return failures.filter((failure) => failure !== undefined);
}

function playLot(workerData: Lot, onPlayed: (played: Played) => void): Promise<Failed | undefined> {
  return new Promise((resolve, reject) => {
    let failed: Failed | undefined;
    const thread = new Worker(new URL('player.ts', import.meta.url), { workerData });
    thread.on('message', (said: Said) => {
      if (said.type === 'failed') failed = said;
      else onPlayed(said);
    });
    thread.on('error', reject);
    thread.on('exit', () => resolve(failed));
  });
}
