// A thread that plays histories: seed after seed from `first`, `step` apart, below `end`. It says which failed and how,
// and ends. Threads have the second core too, and none of the hooks by which tap follows every promise, which cost more
// than the histories.

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
  /** The last that happened. */
  readonly history: readonly string[];
}

// Every signal that is aborted makes an error, and the place where it was takes a third of the time.
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
