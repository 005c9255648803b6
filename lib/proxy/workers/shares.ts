// What one of several workers has of the limits that hold for all of them together and are not counted in the ledger. A
// limit of so many bytes holds however unevenly the connections fall; what one worker does not use another cannot have.

import type { TrafficSettings } from '../../core/traffic-settings.ts';

export function shareOf(traffic: TrafficSettings, workers: number): TrafficSettings {
  const part = (most: number) => Math.ceil(most / workers);
  const { limits } = traffic;
  return {
    ...traffic,
    limits: {
      ...limits,
      maxRefused: part(limits.maxRefused),
      uploadMemoryBytes: part(limits.uploadMemoryBytes),
      replyMemoryBytes: part(limits.replyMemoryBytes),
      maxIdle: part(limits.maxIdle),
      maxIdleInAll: part(limits.maxIdleInAll),
    },
  };
}
