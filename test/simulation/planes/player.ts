// A thread that plays histories of both planes, so that they use all cores and no hooks of a test. It tells how many it
// has played, and which one failed and how; with the first that fails it ends. Each history is alone in its thread, so
// what the thread takes for the time can be that of the history.

import { hash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { hashPair } from '../../../lib/core/ring/hashes/table.ts';
import { History } from './history.ts';
import { RING } from './terms.ts';

/** Which histories a thread plays: those with the seeds from `first`, `step` apart, below `end`. */
export interface Lot {
  readonly first: number;
  readonly step: number;
  readonly end: number;
  /** What happens is told of all, not only of one that fails. */
  readonly tells: boolean;
  /** The thread ends after so long, in ms, even if it has not played all of them. */
  readonly longestMs: number;
}

/** What a thread says. */
export type Said =
  | { readonly type: 'played'; readonly histories: number; readonly requests: number; readonly told: readonly string[] }
  | { readonly type: 'failed'; readonly seed: number; readonly message: string; readonly told: readonly string[] };

// Every aborted signal makes an error, and recording its stack would take a third of the time.
Error.stackTraceLimit = 0;
const TOLD_EACH = 20;

const pair = hashPair('even', RING.slots, RING.virtualNodes, (algorithm, text) => hash(algorithm, text, 'buffer'));
let playing: History | undefined;
let onThrown: (error: Error) => void = () => undefined;
// The data plane measures itself by this clock, and only the one of the history is the same when it is played again.
const { now } = performance;
performance.now = () => playing?.nowMs ?? now.call(performance);
// An error that nobody catches would end the process.
for (const event of ['uncaughtException', 'unhandledRejection']) process.on(event, (error: Error) => onThrown(error));

/** Plays one. Gives the error with which it failed, if it did. */
async function play(history: History): Promise<Error | undefined> {
  playing = history;
  const thrown = new Promise<Error>((resolve) => {
    onThrown = resolve;
  });
  const played = history.play().then(
    () => undefined,
    (error: Error) => error,
  );
  return Promise.race([played, thrown]);
}

async function run({ first, step, end, tells, longestMs }: Lot): Promise<void> {
  const lastMs = now.call(performance) + longestMs;
  let histories = 0;
  let requests = 0;
  let told: readonly string[] = [];
  const say = (said: Said) => parentPort?.postMessage(said);
  for (let seed = first; seed < end; seed += step) {
    const history = new History(seed, pair, tells);
    const failure = await play(history);
    if (failure !== undefined) {
      // Played again, it tells what happens.
      const again = tells ? history : new History(seed, pair, true);
      if (!tells) await play(again);
      say({ type: 'failed', seed, message: failure.message, told: again.told });
      return;
    }
    histories += 1;
    requests += history.requests;
    told = history.told;
    const isLast = seed + step >= end || now.call(performance) > lastMs;
    if (histories < TOLD_EACH && !isLast) continue;
    say({ type: 'played', histories, requests, told });
    histories = 0;
    requests = 0;
    if (isLast) return;
  }
}

await run(workerData as Lot);
