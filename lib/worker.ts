// Entry of a worker thread: a data plane of its own, which the main thread is told by message what to do. A mistake of
// ours ends it, as nothing is known of its state then, and the main thread begins another.

import { parentPort, workerData } from 'node:worker_threads';
import { clockSince } from './fleet/clock.ts';
import type { WorkerTerms } from './proxy/workers/messages.ts';
import { serve } from './proxy/workers/serve.ts';
import { loadPair } from './settings/hash-source.ts';

if (parentPort === null) throw new Error('lib/worker.ts runs as a worker thread only');
const terms = workerData as WorkerTerms;
const flushLog = serve(terms, { clock: clockSince(terms.clockOriginMs), loadPair, port: parentPort });
// What it said last is what one wants to know.
process.on('exit', flushLog);
