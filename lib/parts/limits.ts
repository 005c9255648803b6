// Turns the options into limits for the fleet, its containers, the data plane and the admin endpoints. Limits that
// nobody has needed to set so far are constants here.

import type { Probe } from '../core/ports.ts';
import type { AmountLimits, TimeLimits, TrafficSettings } from '../core/traffic-settings.ts';
import { realClock } from '../fleet/clock.ts';
import { connectProbe, httpProbe, noProbe } from '../fleet/health/http-probe.ts';
import type { ContainerSettings } from '../fleet/runtimes/docker/container.ts';
import type { SwarmSettings } from '../fleet/runtimes/swarm/service.ts';
import type { SupervisorRules } from '../fleet/supervisor-ports.ts';
import { soughtUpstreams } from '../settings/lists/upstream.ts';
import { DAY_MS } from '../settings/option.ts';
import type { Options } from '../settings/options.ts';
import { mostPlaces } from '../settings/rules.ts';
import { type DescriptorShares, type DescriptorWishes, shareDescriptors } from './descriptors.ts';

export function supervisorRules(options: Options): SupervisorRules {
  return {
    maxPlace: mostPlaces(options),
    failuresToConvict: options.heartbeatFailures,
    startTimeoutMs: options.startTimeoutMs,
    adoptTimeoutMs: options.heartbeatFailures * (options.heartbeatIntervalMs + options.heartbeatTimeoutMs),
    parallelStarts: options.parallelStarts,
    backoffBaseMs: 250,
    backoffCapMs: 30_000,
    stableMs: 10_000,
    riseToReturn: options.heartbeatRise,
    // Without heartbeats nothing new can be found out: once, and after each suspicion, is enough.
    intervalMs: options.heartbeatPath === 'off' ? DAY_MS : options.heartbeatIntervalMs,
    timeoutMs: options.heartbeatTimeoutMs,
    graceMs: options.graceMs,
    inventoryIntervalMs: 5000,
    beginTimeoutMs: options.startTimeoutMs,
    joinAttempts: 3,
    // Whoever gives a program wants to know at once if it does not work. Other replicas may come up later.
    mustServe: options.command.length > 0 || options.dockerImage !== '',
  };
}

// What the sample service in a container is told of the balancer's environment, as a child process would be.
const SAMPLE_VARIABLES = ['VOTES_URL'];

/** How replicas in containers are made. */
export function containerSettings(options: Options, environment: Readonly<NodeJS.ProcessEnv>): ContainerSettings {
  const { fleet, port, dockerImage, dockerNetwork } = options;
  const inherited = SAMPLE_VARIABLES.map((name) => [name, environment[name] ?? ''] as const);
  return {
    fleet: fleet === '' ? `ringmaster-${port === 0 ? process.pid : port}` : fleet,
    network: dockerNetwork === '' ? undefined : dockerNetwork,
    command: options.command,
    port: options.dockerPort,
    volumes: options.dockerVolume,
    environment: new Map([...(dockerImage === '' ? inherited : []), ...options.replicaEnv]),
    memoryBytes: options.replicaMemoryBytes,
    cpus: options.replicaCpus,
    isLockedDown: options.dockerLockdown,
    hasInit: options.dockerInit,
  };
}

/** How replicas are made that are services of a Swarm. What the sample service is told there is for nobody else. */
export function swarmSettings(options: Options, environment: Readonly<NodeJS.ProcessEnv>): SwarmSettings {
  const settings = containerSettings(options, environment);
  const isHidden = (name: string) => options.dockerImage === '' && SAMPLE_VARIABLES.includes(name);
  return {
    ...settings,
    constraints: options.swarmConstraint,
    secrets: options.swarmSecret,
    hidden: new Map([...settings.environment].filter(([name, value]) => isHidden(name) && value !== '')),
    environment: new Map([...settings.environment].filter(([name]) => !isHidden(name))),
    graceMs: options.graceMs,
  };
}

/** For a client to take an answer of the balancer's own at most, in ms. The largest, the ring, has some megabytes. */
export const LONGEST_TAKE_MS = 30_000;

/** How long an admin request has for its body, and its client for the answer. */
export function answerTimes({ headTimeoutMs, bodyTimeoutMs }: Options): {
  readTimeoutMs: number;
  takeTimeoutMs: number;
} {
  return { readTimeoutMs: headTimeoutMs, takeTimeoutMs: Math.min(LONGEST_TAKE_MS, bodyTimeoutMs) };
}

/** What the file descriptors must be enough for. */
export function descriptorWishes({ maxConnections, maxReplicas, upstream, workers }: Options): DescriptorWishes {
  const found = soughtUpstreams(upstream).size > 0 ? maxReplicas : 0;
  return { maxConnections, replicas: Math.max(upstream.size + found, maxReplicas), workers };
}

/**
 * How requests are to be treated, in the form that the plan has it in. Without `shares`, the limit on file descriptors
 * is ignored.
 */
export function trafficSettings(
  options: Options,
  shares: DescriptorShares = shareDescriptors(Number.POSITIVE_INFINITY, descriptorWishes(options)),
): TrafficSettings {
  return {
    spread: {
      key: options.key,
      issuesCookie: options.issueCookie,
      cookieMaxAgeMs: options.cookieMaxAgeMs,
      balanceFactor: options.balanceFactor,
      balanceFloor: options.balanceFloor,
      weighsBytes: options.balanceBy === 'bytes',
      easesOutliers: options.easeOutliers,
      shedsWritesFirst: options.shedFirst === 'writes',
    },
    limits: amountLimits(options, shares),
    times: timeLimits(options),
    retries: {
      maxAttempts: options.maxAttempts,
      retryBudget: options.retryBudget,
      // Some retries are allowed even if requests are few, so that a rare request can be saved too.
      leastRetriesPerSecond: 10,
    },
    messages: {
      trustedProxies: options.trustProxy,
      underscores: options.underscores,
      omitsVia: !options.via,
      tellsRoute: options.explainHeader,
      servesHalfClosed: options.clientHalfClose === 'allow',
    },
    access: {
      accessLog: options.accessLog,
      accessLogFormat: options.accessLogFormat,
      beginsTraces: options.traceparent === 'begin',
    },
  };
}

/** The file of the access log; `undefined` if there is none. */
export function accessFileOf({ accessLog, accessLogFile }: Options): string | undefined {
  return accessLog === 'off' ? undefined : accessLogFile;
}

function amountLimits(options: Options, { maxConnections, maxRefused, maxIdleInAll }: DescriptorShares): AmountLimits {
  return {
    maxConnections,
    maxRefused,
    maxRequestsPerConnection: options.maxRequestsPerConnection,
    maxHeadBytes: options.maxHeadSizeBytes,
    maxFields: options.maxFields,
    maxBodyBytes: options.maxBodySizeBytes,
    maxKeptBytes: 65_536,
    uploadMemoryBytes: 64 * 2 ** 20,
    replyMemoryBytes: 64 * 2 ** 20,
    maxQueued: options.queue,
    maxInFlight: options.maxInFlight,
    maxTunnels: options.maxTunnels,
    maxIdle: options.replicaKeepAlive ? 512 : 0,
    maxIdleInAll,
  };
}

function timeLimits(options: Options): TimeLimits {
  return {
    headTimeoutMs: options.headTimeoutMs,
    keepAliveTimeoutMs: options.keepAliveTimeoutMs,
    bodyTimeoutMs: options.bodyTimeoutMs,
    minUploadBytesPerSecond: options.minUploadRateBytesPerSecond,
    uploadGraceMs: 20_000,
    queueTimeoutMs: options.queueTimeoutMs,
    overloadWaitMs: options.overloadWaitMs,
    connectTimeoutMs: options.connectTimeoutMs,
    replyTimeoutMs: options.replyTimeoutMs,
    requestTimeoutMs: options.requestTimeoutMs,
    tunnelIdleTimeoutMs: options.tunnelIdleTimeoutMs,
    rehomeTunnelsMs: options.rehomeTunnelsMs,
    quarantineMs: options.quarantineMs,
    // Shorter than the 5 s after which Node's own servers close an idle connection, though it may be a quarter late.
    idleTimeoutMs: options.replicaIdleTimeoutMs,
  };
}

/** How replicas are asked whether they are well. */
export function probeOf(options: Options): Probe {
  const { heartbeatPath, heartbeatStatus, heartbeatHost, heartbeatTimeoutMs, runtime, dockerNetwork } = options;
  if (heartbeatPath === 'off') return noProbe;
  if (heartbeatPath !== 'tcp') return httpProbe(heartbeatPath, heartbeatStatus, heartbeatHost);
  // The engine accepts connections to a port that it publishes, and closes them if nothing listens in the container.
  const isPublished = runtime !== 'process' && dockerNetwork === '';
  return connectProbe(isPublished ? { clock: realClock, ms: Math.min(50, heartbeatTimeoutMs / 2) } : undefined);
}
