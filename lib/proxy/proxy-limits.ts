// The settings of traffic that are in force, without their groups. There is one object of them in a data plane: a plan with other
// settings replaces its values, and whoever holds it goes by the new ones from then on. What each says is
// lib/core/traffic-settings.ts; what happens when one is reached, patience.ts, client.ts and exchange.ts.

import type { TrafficSettings } from '../core/traffic-settings.ts';

export type ProxyLimits = TrafficSettings['spread'] &
  TrafficSettings['limits'] &
  TrafficSettings['times'] &
  TrafficSettings['retries'] &
  TrafficSettings['messages'];

export function proxyLimits({ spread, limits, times, retries, messages }: TrafficSettings): ProxyLimits {
  return { ...spread, ...limits, ...times, ...retries, ...messages };
}
