// The settings that the data plane works within, without their groups. lib/core/traffic-settings.ts says what each is,
// and when one is reached, patience.ts, client.ts and exchange.ts say what happens.

import type { TrafficSettings } from '../core/traffic-settings.ts';

export type ProxyLimits = Pick<TrafficSettings['spread'], 'balanceFactor'> &
  TrafficSettings['limits'] &
  TrafficSettings['times'] &
  TrafficSettings['retries'] &
  TrafficSettings['messages'];
