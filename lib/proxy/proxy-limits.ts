// The limits that the data plane works within. What they are by default, and which option sets each, is lib/limits.ts and
// lib/settings/options.ts; when one is reached, patience.ts, client.ts and exchange.ts say what happens.

import type { Underscores } from '../http/headers.ts';

/** Of the connections to one replica. */
export interface AgentLimits {
  /** Idle connections kept for each replica. 0: each request has a connection of its own, and says so. */
  readonly maxIdle: number;
  /** At all replicas together. */
  readonly maxIdleInAll: number;
  /** An idle connection is closed after this time; shorter than replicas keep theirs. */
  readonly idleTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly maxHeadBytes: number;
  /** Of a reply or its trailers. */
  readonly maxFields: number;
}

/** How long something may take, in ms. All but the first are kept to within a fifth of a second. */
export interface TimeLimits {
  readonly headTimeoutMs: number;
  /** For a replica that has the whole request to begin its reply. */
  readonly replyTimeoutMs: number;
  /** Over all attempts, from the whole request to the head of the reply. */
  readonly requestTimeoutMs: number;
  /** Between bytes of a body, on either side. */
  readonly bodyTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly queueTimeoutMs: number;
  readonly tunnelIdleTimeoutMs: number;
  /** Bytes per second that the body of a request has to come at on average, after the grace. 0 for none. */
  readonly minUploadRate: number;
  readonly uploadGraceMs: number;
}

export interface ProxyLimits extends AgentLimits, TimeLimits {
  /** Of bounded load: no seat gets more than so many times its part of the requests in flight. Infinity for no bound. */
  readonly balanceFactor: number;
  readonly maxAttempts: number;
  /** Retries over requests, of the last seconds. */
  readonly retryBudget: number;
  /** Retries that there may be however few requests there are. */
  readonly leastRetriesPerSecond: number;
  /** What becomes of names of a request that a server may read as others. */
  readonly underscores: Underscores;
  /** As `--trust-proxy` takes them. */
  readonly trustedProxies: readonly string[];
  /** Bytes of a request body that are here before a replica is asked, and kept so that the request can be repeated. */
  readonly maxKeptBytes: number;
  /** Memory for such bytes, of all requests together that no replica has yet. */
  readonly uploadMemoryBytes: number;
  /** Memory for replies that are read ahead of clients that are slow to take them. */
  readonly replyMemoryBytes: number;
  /** Of a request. Infinity for no bound. */
  readonly maxBodyBytes: number;
  readonly maxConnections: number;
  /** Connections over the limit that may be open at a time, only to be told that there are too many. */
  readonly maxRefused: number;
  readonly maxRequestsPerConnection: number;
  /** A client that has ended its side is taken to read on, not to have left. */
  readonly servesHalfClosed: boolean;
  /** This proxy is not to show itself by a Via. */
  readonly omitsVia: boolean;
  /** Requests at one replica. */
  readonly maxInFlight: number;
  /** Upgraded connections at one replica. */
  readonly maxTunnels: number;
  /** Requests that wait while all replicas have as many as they may. */
  readonly maxQueued: number;
}
