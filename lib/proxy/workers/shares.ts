// What one of several workers has of the limits that hold for all of them together. A limit of so many bytes or
// connections holds however uneven the connections fall; what one worker does not use another cannot have.

import type { TrafficSettings } from '../../core/traffic-settings.ts';

export function shareOf(traffic: TrafficSettings, workers: number): TrafficSettings {
  const part = (most: number) => Math.ceil(most / workers);
  const { limits, retries } = traffic;
  return {
    ...traffic,
    limits: {
      ...limits,
      maxConnections: part(limits.maxConnections),
      maxRefused: part(limits.maxRefused),
      uploadMemoryBytes: part(limits.uploadMemoryBytes),
      replyMemoryBytes: part(limits.replyMemoryBytes),
      maxQueued: part(limits.maxQueued),
      maxInFlight: part(limits.maxInFlight),
      maxTunnels: part(limits.maxTunnels),
      maxIdle: part(limits.maxIdle),
      maxIdleInAll: part(limits.maxIdleInAll),
    },
    retries: { ...retries, leastRetriesPerSecond: retries.leastRetriesPerSecond / workers },
  };
}
