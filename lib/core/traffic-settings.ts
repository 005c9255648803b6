// How requests are to be treated, as plain data that survives structuredClone. Names end in their units. Permissions
// are not part of it: lib/parts/admin-place.ts has them. lib/parts/limits.ts makes these settings of the options; the
// data plane says what happens when a limit is reached.

import type { KeySource } from './request/key-source.ts';

export interface TrafficSettings {
  readonly spread: SpreadSettings;
  readonly limits: AmountLimits;
  readonly times: TimeLimits;
  readonly retries: RetrySettings;
  readonly messages: MessageSettings;
  readonly access: AccessSettings;
}

/** What decides where a request goes, beside the ring. */
export interface SpreadSettings {
  /** The first source that a request has gives its key. */
  readonly key: readonly KeySource[];
  /** A request without a key, if the last source is a cookie, gets that cookie with a random value. */
  readonly issuesCookie: boolean;
  /** How long a client is to keep that cookie. Infinity for as long as it pleases. */
  readonly cookieMaxAgeMs: number;
  /**
   * Factor of bounded load: no seat gets more than this many times its part of the requests in flight. Infinity for no
   * bound.
   */
  readonly balanceFactor: number;
  /** With so many in flight or less a seat is within that bound, however few there are in all. */
  readonly balanceFloor: number;
  /** That bound, and its floor, are on what requests weigh by the size of their bodies, not on their number. */
  readonly weighsBytes: boolean;
  /** Replicas that are slower than the others, or fail more, get fewer requests. */
  readonly easesOutliers: boolean;
  /** Of requests that have to go, those that write go first. */
  readonly shedsWritesFirst: boolean;
}

/** Limits on amounts. */
export interface AmountLimits {
  readonly maxConnections: number;
  /** Connections over the limit that may be open at a time, only to be told that there are too many. */
  readonly maxRefused: number;
  /** Infinity for no bound. */
  readonly maxRequestsPerConnection: number;
  /** Size of the head of a request or a reply. */
  readonly maxHeadBytes: number;
  /** Fields of a head or of a trailer section. */
  readonly maxFields: number;
  /** Size of a request's body. Infinity for no bound. */
  readonly maxBodyBytes: number;
  /**
   * How much of a request's body must be here before a replica is asked. This much is kept, so that the request can be
   * repeated.
   */
  readonly maxKeptBytes: number;
  /** Memory for bodies that no replica has yet, of all requests together. */
  readonly uploadMemoryBytes: number;
  /** Memory for replies that are read ahead of clients that are slow to take them. */
  readonly replyMemoryBytes: number;
  /** Requests that may wait while all replicas are full. */
  readonly maxQueued: number;
  /** Requests at one replica. */
  readonly maxInFlight: number;
  /** Upgraded connections at one replica. */
  readonly maxTunnels: number;
  /** Idle connections kept for each replica. With 0, each request has its own connection, and tells the replica so. */
  readonly maxIdle: number;
  /** Idle connections at all replicas together. */
  readonly maxIdleInAll: number;
}

/**
 * How long something may take, in ms. All limits are kept to within a fifth of a second, except those of connections to
 * replicas.
 */
export interface TimeLimits {
  readonly headTimeoutMs: number;
  /** How long a client's connection is kept without a request. */
  readonly keepAliveTimeoutMs: number;
  /** The longest pause between bytes of a body, on either side. */
  readonly bodyTimeoutMs: number;
  /** Average rate that the body of a request must reach after the grace. 0 for no least rate. */
  readonly minUploadBytesPerSecond: number;
  readonly uploadGraceMs: number;
  /** How long a request may wait for a replica with room. */
  readonly queueTimeoutMs: number;
  /**
   * How long a request may wait for a place while more come than the replicas can do. Infinity if none is turned away
   * for that.
   */
  readonly overloadWaitMs: number;
  readonly connectTimeoutMs: number;
  /** How long a replica that has the whole request may take to begin its reply. */
  readonly replyTimeoutMs: number;
  /** Over all attempts, from the whole request to the head of the reply. */
  readonly requestTimeoutMs: number;
  readonly tunnelIdleTimeoutMs: number;
  /**
   * How long a tunnel with a key may be where a new one with that key would not go, before it is ended. Infinity for as
   * long as it pleases.
   */
  readonly rehomeTunnelsMs: number;
  /** How long a request is refused that ended two replicas. 0: no request is. */
  readonly quarantineMs: number;
  /** How long a connection to a replica is kept without a request. Shorter than replicas keep theirs. */
  readonly idleTimeoutMs: number;
}

export interface RetrySettings {
  /** Attempts for one request, the first one included. */
  readonly maxAttempts: number;
  /** Retries as a part of the requests of the last seconds. */
  readonly retryBudget: number;
  /** Retries that are allowed however few requests there are. */
  readonly leastRetriesPerSecond: number;
}

/** How messages are read and passed on. */
export interface MessageSettings {
  /** Proxies whose word is taken on where a request comes from, in the form of `--trust-proxy`. */
  readonly trustedProxies: readonly string[];
  readonly underscores: Underscores;
  /** This proxy must not show itself by a Via field. */
  readonly omitsVia: boolean;
  /** Every reply of a replica says which way its request took. */
  readonly tellsRoute: boolean;
  /** A client that has ended its side is taken to read on, not to have left. */
  readonly servesHalfClosed: boolean;
}

/**
 * What becomes of names that a server may confuse with others, as CGI does with `X_Real_IP`. `drop-owned` drops those
 * that could be read as a field that this proxy has rules for. `drop` drops all names with other characters than
 * letters, digits and `-`.
 */
export type Underscores = 'drop-owned' | 'drop' | 'pass';

/** Which requests the access log has: none, those that did not go well, or all. */
export const ACCESS_LOGS = ['off', 'errors', 'all'] as const;
export type AccessLogs = (typeof ACCESS_LOGS)[number];

/** `combined` is the form of Apache that many programs read. */
export const ACCESS_LOG_FORMATS = ['json', 'combined'] as const;
export type AccessLogFormat = (typeof ACCESS_LOG_FORMATS)[number];

/** What is told of each request, to the access log and to replicas. */
export interface AccessSettings {
  readonly accessLog: AccessLogs;
  readonly accessLogFormat: AccessLogFormat;
  /** A request that belongs to no trace (W3C Trace Context) begins one. */
  readonly beginsTraces: boolean;
}
