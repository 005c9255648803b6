// The traffic settings in force, without their groups. A data plane has one object of them. A plan with other settings
// replaces the values in that object, so whoever holds it goes by the new ones. Three stay as they were at first, as
// lib/settings/tables/messages.ts says: the trusted proxies, and the size and the fields of a request's head.
// lib/core/traffic-settings.ts says what each setting means; patience.ts, client.ts and exchange.ts what happens when a
// limit is reached.

import type { TrafficSettings } from '../core/traffic-settings.ts';

export type ProxyLimits = TrafficSettings['spread'] &
  TrafficSettings['limits'] &
  TrafficSettings['times'] &
  TrafficSettings['retries'] &
  TrafficSettings['messages'] &
  TrafficSettings['access'];

export function proxyLimits({ spread, limits, times, retries, messages, access }: TrafficSettings): ProxyLimits {
  return { ...spread, ...limits, ...times, ...retries, ...messages, ...access };
}
