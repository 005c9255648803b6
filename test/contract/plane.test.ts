// Runs the contract of data planes on the data plane in this thread.

import t from 'tap';
import { realClock } from '../../lib/fleet/clock.ts';
import { trafficSettings } from '../../lib/limits.ts';
import { createLog } from '../../lib/log.ts';
import { Plane } from '../../lib/proxy/plane.ts';
import { loadPair } from '../../lib/settings/hash-source.ts';
import { defaultOptions } from '../../lib/settings/options.ts';
import { planeContract } from './plane.ts';

const log = createLog(
  'off',
  () => undefined,
  () => new Date(),
);

planeContract(t, (options) => {
  const ports = { log, clock: realClock, loadPair, answersOwn: () => false, seed: 0 };
  return new Plane(ports, trafficSettings({ ...defaultOptions(), ...options }));
});
