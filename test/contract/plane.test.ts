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

const log = createLog(
  'off',
  () => undefined,
  () => new Date(),
);
const takeLines = () => undefined;
const script = new URL('../../lib/worker.ts', import.meta.url);

t.test('in this thread', async (t) => {
  planeContract(t, (options) => {
    const ports = { log, takeLines, clock: realClock, loadPair, ownAnswer: () => undefined, seed: 0 };
    return new Plane(ports, trafficSettings({ ...defaultOptions(), ...options }));
  });
});

t.test('over two threads', async (t) => {
  planeContract(t, (options) => {
    const own = () => new Map<string, string>();
    const ofThreads = { script, own, takeTimeoutMs: 1000 };
    const ports = { log, takeLines, clock: realClock, ownAnswer: () => undefined, seed: 0, ...ofThreads };
    return new ThreadedPlane(ports, trafficSettings({ ...defaultOptions(), ...options }), 2);
  });
});
