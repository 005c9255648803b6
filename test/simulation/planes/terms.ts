// The settings that a history is played with: small limits, so that all of them are met.

import type { TrafficSettings } from '../../../lib/core/traffic-settings.ts';
import type { SupervisorRules } from '../../../lib/fleet/supervisor-ports.ts';
import { trafficSettings } from '../../../lib/parts/limits.ts';
import { defaultOptions } from '../../../lib/settings/options.ts';
import { FLEET_RULES } from '../../fixtures/fleet-rules.ts';
import type { Random } from '../../fixtures/random.ts';

export const RULES: SupervisorRules = {
  ...FLEET_RULES,
  backoffCapMs: 1500,
  stableMs: 5000,
  startTimeoutMs: 2500,
  intervalMs: 1000,
  timeoutMs: 400,
  graceMs: 1000,
  inventoryIntervalMs: 2500,
  joinAttempts: 3,
  mustServe: false,
  beginTimeoutMs: 3000,
};

export const RING = { slots: 64, virtualNodes: 3 };

/** Settings of the data plane. */
export function drawTraffic(random: Random): TrafficSettings {
  const one = <T>(...values: readonly [T, ...T[]]): T => values[random.below(values.length)] as T;
  const { spread, limits, times, retries, messages, access } = trafficSettings(defaultOptions());
  const byKey = random.chance(0.5);
  return {
    spread: {
      ...spread,
      key: byKey ? [{ type: 'header', name: 'x-key' }] : [{ type: 'request' }],
      balanceFactor: one(Number.POSITIVE_INFINITY, 1.25),
    },
    limits: {
      ...limits,
      maxConnections: one(1000, 1000, 1000, 12),
      maxRefused: 4,
      maxRequestsPerConnection: one(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 3),
      maxKeptBytes: 1024,
      uploadMemoryBytes: one(2 ** 20, 2 ** 20, 4000),
      replyMemoryBytes: one(2 ** 20, 100_000),
      maxQueued: one(0, 3, 50),
      maxInFlight: one(2, 4, 16),
      maxIdle: one(0, 2, 32, 32),
      maxIdleInAll: 64,
      maxTunnels: one(1, 100),
    },
    times: {
      ...times,
      bodyTimeoutMs: 1500,
      uploadGraceMs: 5000,
      queueTimeoutMs: one(300, 1500),
      connectTimeoutMs: one(400, 1600),
      replyTimeoutMs: 2000,
      requestTimeoutMs: 4000,
      overloadWaitMs: one(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 200),
      tunnelIdleTimeoutMs: 1500,
      // A request that may be poison is held back for a while, which has tests of its own.
      quarantineMs: 0,
      idleTimeoutMs: one(1000, 4000, 4000, 4000),
    },
    retries: {
      maxAttempts: one(1, 2, 3, 3),
      retryBudget: one(retries.retryBudget, 0.02),
      leastRetriesPerSecond: one(retries.leastRetriesPerSecond, 0.1),
    },
    messages: { ...messages, servesHalfClosed: random.chance(0.2) },
    access,
  };
}
