// Runs the contract of data planes on the data plane in this thread, and on the one over two threads.

import t from 'tap';
import { realClock } from '../../lib/fleet/clock.ts';
import { createLog } from '../../lib/log.ts';
import { trafficSettings } from '../../lib/parts/limits.ts';
import { Plane } from '../../lib/proxy/plane.ts';
import { ThreadedPlane } from '../../lib/proxy/workers/threads.ts';
import { loadPair } from '../../lib/settings/hash-source.ts';
import { defaultOptions } from '../../lib/settings/options.ts';
import { planeContract } from './plane.ts';
import type { CreatePlane } from './plane-stage.ts';
import { poisonContract } from './poison.ts';

const log = createLog(
  'off',
  () => undefined,
  () => new Date(),
);
const takeLines = () => undefined;
const script = new URL('../../lib/worker.ts', import.meta.url);

const inThisThread: CreatePlane = (options) => {
  const ports = { log, takeLines, clock: realClock, loadPair, ownAnswer: () => undefined, seed: 0 };
  return new Plane(ports, trafficSettings({ ...defaultOptions(), ...options }));
};

const overTwoThreads: CreatePlane = (options) => {
  const own = () => new Map<string, string>();
  const ofThreads = { script, own, takeTimeoutMs: 1000 };
  const ports = { log, takeLines, clock: realClock, ownAnswer: () => undefined, seed: 0, ...ofThreads };
  return new ThreadedPlane(ports, trafficSettings({ ...defaultOptions(), ...options }), 2);
};

for (const [where, create] of [
  ['in this thread', inThisThread],
  ['over two threads', overTwoThreads],
] as const) {
  t.test(where, async (t) => planeContract(t, create));
  t.test(`poison, ${where}`, async (t) => poisonContract(t, create));
}
