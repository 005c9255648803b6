// A thread that plays histories: seeds from `first`, `step` apart, below `end`. It reports which failed and how, and
// ends. Threads use the second core too, and run without tap's hooks on every promise, which cost more than the
// histories.

import { parentPort, workerData } from 'node:worker_threads';
import { World } from './world.ts';

export interface Lot {
  readonly first: number;
  readonly step: number;
  readonly end: number;
}

export interface Failure {
  readonly seed: number;
  readonly message: string;
  /** The last events of the history. */
  readonly history: readonly string[];
}

// Every aborted signal makes an error, and recording its stack would take a third of the time.
Error.stackTraceLimit = 0;
const { first, step, end } = workerData as Lot;
let failure: Failure | undefined;
for (let seed = first; seed < end && failure === undefined; seed += step) {
  const world = new World(seed);
  await world.play().catch((error: Error) => {
    failure = { seed, message: error.message, history: world.history.slice(-30) };
  });
}
parentPort?.postMessage(failure);
