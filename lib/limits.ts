// The limits that the fleet and the proxy work within: those that an option sets, and those that nobody needed to set so far.

import { availableParallelism } from 'node:os';
import { type DescriptorShares, type DescriptorWishes, shareDescriptors } from './descriptors.ts';
import type { SupervisorRules } from './fleet/supervisor.ts';
import type { ProxyLimits } from './proxy/proxy-limits.ts';
import { mostPlaces, type Options } from './settings/options.ts';

export function supervisorRules(options: Options): SupervisorRules {
  return {
    maxPlace: mostPlaces(options),
    failuresToConvict: options.heartbeatFailures,
    startTimeoutMs: options.startTimeoutMs,
    adoptTimeoutMs: options.heartbeatFailures * (options.heartbeatIntervalMs + options.heartbeatTimeoutMs),
    parallelStarts: parallelStartsOf(options),
    backoffBaseMs: 250,
    backoffCapMs: 30_000,
    stableMs: 10_000,
    riseToReturn: options.heartbeatRise,
    intervalMs: options.heartbeatIntervalMs,
    timeoutMs: options.heartbeatTimeoutMs,
    graceMs: options.graceMs,
    inventoryIntervalMs: 5000,
    beginTimeoutMs: options.startTimeoutMs,
    joinAttempts: 3,
  };
}

// If all started at once, each would take longer than it may. At least two, so that one that hangs does not hold up the rest.
function parallelStartsOf({ parallelStarts }: Options): number {
  return parallelStarts === 0 ? Math.max(2, availableParallelism()) : parallelStarts;
}

// The pairs beside `even` are there to see how they spread: nothing evens that out unless somebody asks for it. And who gives a
// key wants its requests in one place: with few requests in flight the bound would send every second one of a session elsewhere.
function balanceFactorOf({ balanceFactor, hash, key }: Options): number {
  return balanceFactor ?? (hash === 'even' && key[0]?.type === 'request' ? 1.25 : Number.POSITIVE_INFINITY);
}

/** What an admin request has for its body, and its client for the answer. */
export function answerTimes({ headTimeoutMs, bodyTimeoutMs }: Options): {
  readTimeoutMs: number;
  takeTimeoutMs: number;
} {
  // The largest answer, the ring, has some megabytes.
  return { readTimeoutMs: headTimeoutMs, takeTimeoutMs: Math.min(30_000, bodyTimeoutMs) };
}

/** What the descriptors have to do for. */
export function descriptorWishes({ maxConnections, maxReplicas, upstream }: Options): DescriptorWishes {
  return { maxConnections, replicas: Math.max(upstream.size, maxReplicas) };
}

export function proxyLimits(
  options: Options,
  descriptors: DescriptorShares = shareDescriptors(Number.POSITIVE_INFINITY, descriptorWishes(options)),
): ProxyLimits {
  const { maxConnections, maxRefused, maxIdleInAll } = descriptors;
  return {
    balanceFactor: balanceFactorOf(options),
    maxAttempts: options.maxAttempts,
    retryBudget: options.retryBudget,
    // So that a request now and then is saved also where there are few.
    leastRetriesPerSecond: 10,
    trustedProxies: options.trustProxy,
    maxKeptBytes: 65_536,
    uploadMemoryBytes: 64 * 2 ** 20,
    replyMemoryBytes: 64 * 2 ** 20,
    maxHeadBytes: options.maxHeadSizeBytes,
    maxFields: options.maxFields,
    underscores: options.underscores,
    maxBodyBytes: options.maxBodySizeBytes,
    maxConnections,
    maxRefused,
    maxRequestsPerConnection: options.maxRequestsPerConnection,
    omitsVia: !options.via,
    servesHalfClosed: options.clientHalfClose === 'allow',
    maxInFlight: options.maxInFlight,
    maxTunnels: options.maxTunnels,
    maxQueued: options.queue,
    maxIdle: options.replicaKeepAlive ? 512 : 0,
    maxIdleInAll,
    connectTimeoutMs: options.connectTimeoutMs,
    replyTimeoutMs: options.replyTimeoutMs,
    requestTimeoutMs: options.requestTimeoutMs,
    bodyTimeoutMs: options.bodyTimeoutMs,
    headTimeoutMs: options.headTimeoutMs,
    keepAliveTimeoutMs: options.keepAliveTimeoutMs,
    queueTimeoutMs: options.queueTimeoutMs,
    tunnelIdleTimeoutMs: options.tunnelIdleTimeoutMs,
    minUploadRate: Number.isFinite(options.minUploadRateBytesPerSecond) ? options.minUploadRateBytesPerSecond : 0,
    uploadGraceMs: 20_000,
    // Node's own servers close an idle connection after 5 s; this is up to a quarter late.
    idleTimeoutMs: options.replicaIdleTimeoutMs,
  };
}
