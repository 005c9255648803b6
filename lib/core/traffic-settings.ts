// How requests are to be treated, as plain data: it survives structuredClone and names its units. It says nothing of
// who may ask for what: permissions are lib/admin-place.ts. lib/limits.ts makes it of the options; when a limit is
// reached, the data plane says what happens.

import type { KeySource } from './request/key-source.ts';

export interface TrafficSettings {
  readonly spread: SpreadSettings;
  readonly limits: AmountLimits;
  readonly times: TimeLimits;
  readonly retries: RetrySettings;
  readonly messages: MessageSettings;
}

/** What decides where a request goes, beside the ring. */
export interface SpreadSettings {
  /** The first source that a request has gives its key. */
  readonly key: readonly KeySource[];
  /**
   * Of bounded load: no seat gets more than so many times its part of the requests in flight. Infinity for no bound.
   */
  readonly balanceFactor: number;
}

/** How much of anything there may be. */
export interface AmountLimits {
  readonly maxConnections: number;
  /** Connections over the limit that may be open at a time, only to be told that there are too many. */
  readonly maxRefused: number;
  /** Infinity for no bound. */
  readonly maxRequestsPerConnection: number;
  /** Of a request or a reply. */
  readonly maxHeadBytes: number;
  /** Of a head or of trailers. */
  readonly maxFields: number;
  /** Of a request. Infinity for no bound. */
  readonly maxBodyBytes: number;
  /** Bytes of a request body that are here before a replica is asked, and kept so that the request can be repeated. */
  readonly maxKeptBytes: number;
  /** Memory for such bytes, of all requests together that no replica has yet. */
  readonly uploadMemoryBytes: number;
  /** Memory for replies that are read ahead of clients that are slow to take them. */
  readonly replyMemoryBytes: number;
  /** Requests that wait while all replicas have as many as they may. */
  readonly maxQueued: number;
  /** Requests at one replica. */
  readonly maxInFlight: number;
  /** Upgraded connections at one replica. */
  readonly maxTunnels: number;
  /** Idle connections kept for each replica. 0: each request has a connection of its own, and says so. */
  readonly maxIdle: number;
  /** At all replicas together. */
  readonly maxIdleInAll: number;
}

/**
 * How long something may take, in ms. All but those of the connections to replicas are kept to within a fifth of a
 * second.
 */
export interface TimeLimits {
  readonly headTimeoutMs: number;
  /** Of a client's connection without a request. */
  readonly keepAliveTimeoutMs: number;
  /** Between bytes of a body, on either side. */
  readonly bodyTimeoutMs: number;
  /** What the body of a request has to come at on average, after the grace. 0 for no least rate. */
  readonly minUploadBytesPerSecond: number;
  readonly uploadGraceMs: number;
  /** For a replica with room. */
  readonly queueTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** For a replica that has the whole request to begin its reply. */
  readonly replyTimeoutMs: number;
  /** Over all attempts, from the whole request to the head of the reply. */
  readonly requestTimeoutMs: number;
  readonly tunnelIdleTimeoutMs: number;
  /** A connection to a replica without a request is closed after this time; shorter than replicas keep theirs. */
  readonly idleTimeoutMs: number;
}

export interface RetrySettings {
  /** Of one request, the first included. */
  readonly maxAttempts: number;
  /** Retries over requests, of the last seconds. */
  readonly retryBudget: number;
  /** Retries that there may be however few requests there are. */
  readonly leastRetriesPerSecond: number;
}

/** How messages are read and passed on. */
export interface MessageSettings {
  /** Proxies whose word is taken on where a request comes from, as `--trust-proxy` takes them. */
  readonly trustedProxies: readonly string[];
  readonly underscores: Underscores;
  /** This proxy is not to show itself by a Via. */
  readonly omitsVia: boolean;
  /** A client that has ended its side is taken to read on, not to have left. */
  readonly servesHalfClosed: boolean;
}

/**
 * What becomes of names that a server may read as others: `X_Real_IP`, as CGI does. `drop-owned` drops those that could
 * be read as a field that this proxy has rules for, `drop` all with other characters than letters, digits and `-`.
 */
export type Underscores = 'drop-owned' | 'drop' | 'pass';
