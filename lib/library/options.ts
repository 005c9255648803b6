// The options of `createBalancer`. Made by scripts/option-types.ts of the tables in lib/settings/tables/: change those.

import type { Given } from './forms.ts';

/**
 * All may be left out. A number may also be a text as on the command line: `2s`, `64k`, `off`. Whatever is out of
 * bounds is an `OptionError`.
 */
export interface BalancerOptions {
  /** The program that each replica runs, and its arguments. Default: the sample service. */
  readonly command?: Given<'command'> | undefined;

  // Service: where it listens, how it ends and what it says.

  /** Port to listen on; 0 picks a free one and prints it. Takes a whole number from 0 to 65535. Default: 5000. */
  readonly port?: Given<'port'> | undefined;

  /** Address to listen on. Takes an address or hostname. Default: 127.0.0.1. */
  readonly host?: Given<'host'> | undefined;

  /**
   * Threads that requests are spread over; `auto`: one for each processor that this process may use. Takes a whole
   * number from 1 to 64, or auto. Default: 1.
   */
  readonly workers?: Given<'workers'> | undefined;

  /**
   * Time for open requests to finish when a replica or the balancer stops. Takes a time from 0ms to 1h, in
   * milliseconds. Default: 10000.
   */
  readonly graceMs?: Given<'graceMs'> | undefined;

  /**
   * Time before that in which `/balancer/ready` says 503 and all else works, so that requests are sent elsewhere. Takes
   * a time from 0ms to 1h, in milliseconds. Default: 0.
   */
  readonly lameDuckMs?: Given<'lameDuckMs'> | undefined;

  /**
   * Log lines on standard error: this level and more serious ones. Takes off, error, warn, info or debug. Or a function
   * that gets the entries. Default: off.
   */
  readonly log?: Given<'log'> | undefined;

  /**
   * Form of the log lines: JSON, text for people, or by itself: text on a terminal. Takes auto, json or text. Default:
   * auto.
   */
  readonly logFormat?: Given<'logFormat'> | undefined;

  // Access log: a line for each request, and its trace.

  /**
   * Requests that get a line: none, those with a status from 400 up or a reply that broke, or all. Takes off, errors or
   * all. Default: off.
   */
  readonly accessLog?: Given<'accessLog'> | undefined;

  /** Form of the lines: JSON, or the combined form of Apache. Takes json or combined. Default: json. */
  readonly accessLogFormat?: Given<'accessLogFormat'> | undefined;

  /** File that they are appended to, opened anew on SIGUSR1; `-` for standard output. Takes a path. Default: -. */
  readonly accessLogFile?: Given<'accessLogFile'> | undefined;

  /**
   * A traceparent (W3C Trace Context) passes as it is; `begin`: a request without a valid one gets one. Takes pass or
   * begin. Default: pass.
   */
  readonly traceparent?: Given<'traceparent'> | undefined;

  // Admin: who may change the fleet, and where the balancer’s endpoints are.

  /**
   * Who may change the fleet: anyone, or who has the token; `auto`: anyone, on loopback without a token or a proxy.
   * Takes auto, open or token. Default: auto.
   */
  readonly admin?: Given<'admin'> | undefined;

  /** The token; if it is needed and empty, one is drawn and printed at the start. Takes visible characters of ASCII. */
  readonly adminToken?: Given<'adminToken'> | undefined;

  /**
   * Separate port for the balancer’s endpoints; 0 leaves them on the public one. Takes a whole number from 0 to 65535.
   * Default: 0.
   */
  readonly adminPort?: Given<'adminPort'> | undefined;

  /** Address to listen on for `adminPort`. Takes an address or hostname. Default: 127.0.0.1. */
  readonly adminHost?: Given<'adminHost'> | undefined;

  /** Unix socket for the balancer’s endpoints, instead of a port. Takes a path of at most 107 bytes. */
  readonly adminSocket?: Given<'adminSocket'> | undefined;

  /** Mode of that socket: who may open it. Takes a mode in octal, as 0600. Default: 0600. */
  readonly adminSocketMode?: Given<'adminSocketMode'> | undefined;

  // Replicas: how many there are, and who runs them.

  /** Number of replicas at the start. Takes a whole number from 0 to 1000. Default: 3. */
  readonly replicas?: Given<'replicas'> | undefined;

  /** Most replicas that there may be. Takes a whole number from 1 to 1000. Default: 64, or slots if that is less. */
  readonly maxReplicas?: Given<'maxReplicas'> | undefined;

  /**
   * Begin with the hostnames, weights and given addresses of the last run, kept in `stateDir`. Takes on or off.
   * Default: off.
   */
  readonly keepScale?: Given<'keepScale'> | undefined;

  /** Directory of the file of `keepScale`. Takes a path. Default: ./data. */
  readonly stateDir?: Given<'stateDir'> | undefined;

  /**
   * Balance over these services instead of starting replicas. Takes a list of host:port, unix:/path, dns:name:port,
   * dns:_service._proto.name and swarm:service:port, none twice, with `*2` to `*16` for a weight.
   */
  readonly upstream?: Given<'upstream'> | undefined;

  /**
   * Name servers that `dns:` asks; if empty, those of the system. Takes a list of addresses, each with `:port` behind
   * it or without, an IPv6 one in brackets then.
   */
  readonly dnsServers?: Given<'dnsServers'> | undefined;

  /**
   * Time that there have to be more or fewer `dns:` services before the ring changes. Takes a time from 1s to 1h, in
   * milliseconds. Default: 30000.
   */
  readonly dnsSettleMs?: Given<'dnsSettleMs'> | undefined;

  /** Where replicas run. Takes process, docker or swarm. Default: process; docker with dockerImage. */
  readonly runtime?: Given<'runtime'> | undefined;

  /**
   * Variable of each replica; may hold `{port}`, `{socket}`, `{id}` and `{seat}`. Takes a list of NAME=VALUE, or an
   * object with a text for each name.
   */
  readonly replicaEnv?: Given<'replicaEnv'> | undefined;

  /** Working directory of child processes; if empty, this one. Takes a path. */
  readonly replicaCwd?: Given<'replicaCwd'> | undefined;

  /**
   * What `PORT` is for a child process: a free port of 127.0.0.1, or a Unix socket. Takes port or socket. Default:
   * port; socket with {socket} or no command.
   */
  readonly replicaListen?: Given<'replicaListen'> | undefined;

  /**
   * Whether their output is shown as it is, by line behind the hostname, or not. Takes inherit, prefix or off. Default:
   * off.
   */
  readonly replicaOutput?: Given<'replicaOutput'> | undefined;

  /**
   * Time for a replica to pass its first heartbeat after its start. Takes a time from 100ms to 1h, in milliseconds.
   * Default: 30000.
   */
  readonly startTimeoutMs?: Given<'startTimeoutMs'> | undefined;

  /**
   * Most replicas that start at a time; 0: one for each processor, at least two. Takes a whole number from 0 to 1000.
   * Default: 0.
   */
  readonly parallelStarts?: Given<'parallelStarts'> | undefined;

  // Autoscaling: as many replicas as the load needs.

  /**
   * So few and so many replicas, as the load needs; from 0, the first one starts when a request comes. Takes MIN:MAX,
   * whole numbers from 0 to 1000 with MIN at most MAX, and MAX at least 1; or off. Default: off.
   */
  readonly autoscale?: Given<'autoscale'> | undefined;

  /**
   * Requests in flight that a replica should have on average, those included that wait. Takes a whole number from 1 to
   * 10000. Default: 10.
   */
  readonly autoscaleTarget?: Given<'autoscaleTarget'> | undefined;

  /**
   * Time over which that is averaged; a tenth of it when the load is twice what the replicas should have. Takes a time
   * from 6s to 1h, in milliseconds. Default: 60000.
   */
  readonly autoscaleWindowMs?: Given<'autoscaleWindowMs'> | undefined;

  /**
   * There are as many replicas as were needed at any moment of so long. Takes a time from 0ms to 1h, in milliseconds.
   * Default: 300000.
   */
  readonly autoscaleDownAfterMs?: Given<'autoscaleDownAfterMs'> | undefined;

  /**
   * Part of the replicas that leaves within a minute at most; one always may. Takes a number from 0.01 to 1. Default:
   * 0.5.
   */
  readonly autoscaleDownRate?: Given<'autoscaleDownRate'> | undefined;

  // Containers: replicas that run in Docker, or as services of a Docker Swarm.

  /**
   * Name of this fleet on an engine with several balancers; if empty, `ringmaster-` and the port. Takes letters,
   * digits, `_`, `.` and `-`.
   */
  readonly fleet?: Given<'fleet'> | undefined;

  /**
   * Network shared with the replicas; if empty, they get loopback ports, in a Swarm ports of their nodes. Takes the
   * name of a network.
   */
  readonly dockerNetwork?: Given<'dockerNetwork'> | undefined;

  /**
   * Image of the replicas; if empty, that of the sample service is built from this checkout. Takes the name of an
   * image.
   */
  readonly dockerImage?: Given<'dockerImage'> | undefined;

  /**
   * Port that replicas in containers listen on; `auto`: what their image exposes, else 5000. Takes a whole number from
   * 1 to 65535, or auto. Default: auto.
   */
  readonly dockerPort?: Given<'dockerPort'> | undefined;

  /**
   * Volume that replicas share; may be repeated. Takes a list of NAME:PATH, or an object with a text for each name.
   * Default: ringmaster-votes:/data; none with dockerImage.
   */
  readonly dockerVolume?: Given<'dockerVolume'> | undefined;

  /**
   * Replicas in containers have no capabilities, and write nothing but /tmp and their volumes. Takes on or off.
   * Default: on; off with dockerImage.
   */
  readonly dockerLockdown?: Given<'dockerLockdown'> | undefined;

  /**
   * An init is process 1 of a container, so that SIGTERM ends also programs that do not handle it. Takes on or off.
   * Default: off; on with dockerImage.
   */
  readonly dockerInit?: Given<'dockerInit'> | undefined;

  /**
   * Where in a Swarm replicas may run; may be repeated. Takes a list of CONSTRAINT, or an object with a text for each
   * name.
   */
  readonly swarmConstraint?: Given<'swarmConstraint'> | undefined;

  /**
   * Secret of the Swarm that replicas have as a file of that name in /run/secrets; may be repeated. Takes a list of
   * NAME, or an object with a text for each name.
   */
  readonly swarmSecret?: Given<'swarmSecret'> | undefined;

  /** Memory limit of a replica in a container. Takes a size from 16m to 1024g, in bytes. Default: 268435456. */
  readonly replicaMemoryBytes?: Given<'replicaMemoryBytes'> | undefined;

  /** Processors that a replica in a container may use. Takes a number from 0.05 to 1024. Default: 1. */
  readonly replicaCpus?: Given<'replicaCpus'> | undefined;

  // Several balancers: one fleet and one ring for all of them.

  /**
   * File with the list of members, which a controller writes and its followers go by, or a name that all look up, in
   * the forms of `upstream`; none if empty. Takes a path, dns:name:port, dns:_service._proto.name or
   * swarm:service:port.
   */
  readonly members?: Given<'members'> | undefined;

  /**
   * Whether the fleet is changed here, and written to `members` for others, or read from there. Takes alone, controller
   * or follower. Default: follower with members, else alone.
   */
  readonly role?: Given<'role'> | undefined;

  /**
   * Other balancers of the same service, at their own endpoints: a ring or options that differ from theirs are told.
   * Takes a list of URLs such as http://10.0.0.2:5001, none twice.
   */
  readonly peers?: Given<'peers'> | undefined;

  // Ring: which replica a request goes to.

  /**
   * Hash pair of the ring: a name, or the path of your own module. Takes even, mixed, quadratic, modulo or sha256-md5,
   * or the path of a module. Or an object with the two functions. Default: even.
   */
  readonly hash?: Given<'hash'> | undefined;

  /** Slots of the ring. Takes a whole number from 1 to 65536. Default: 512. */
  readonly slots?: Given<'slots'> | undefined;

  /** Virtual nodes per replica. Takes a whole number from 1 to 256. Default: 9. */
  readonly virtualNodes?: Given<'virtualNodes'> | undefined;

  /**
   * What a request is hashed by: the first one it has. Takes a list of header:NAME, cookie:NAME, query:NAME, path:N,
   * path:/a/{}, host, json:FIELD, prompt, learn:cookie=NAME, then client, path or request; + joins several. Or a
   * function of the request. Default: request.
   */
  readonly key?: Given<'key'> | undefined;

  /**
   * Give a client without a key the cookie that `key` ends with, with a random value. Takes on or off. Default: off.
   */
  readonly issueCookie?: Given<'issueCookie'> | undefined;

  /**
   * How long a browser keeps that cookie; off: until it is closed. Takes a time from 1s to 9600h, or off, in
   * milliseconds. Default: off.
   */
  readonly cookieMaxAgeMs?: Given<'cookieMaxAgeMs'> | undefined;

  /**
   * Most requests in flight at a replica, as a multiple of its fair part. Takes a number from 1 to 100, or off.
   * Default: 1.25 with balance-by bytes, or with even and no key, else off.
   */
  readonly balanceFactor?: Given<'balanceFactor'> | undefined;

  /**
   * So many requests in flight are never too many for a replica by that factor. Takes a whole number from 1 to 10000.
   * Default: 8 with a key, else 1.
   */
  readonly balanceFloor?: Given<'balanceFloor'> | undefined;

  /**
   * What is in flight is compared by: the number of requests, or what they weigh by the size of their bodies. Takes
   * requests or bytes. Default: requests.
   */
  readonly balanceBy?: Given<'balanceBy'> | undefined;

  /**
   * Time over which a replica that joins takes its slots, if `key` is set. Takes a time from 0ms to 24h, in
   * milliseconds. Default: 0ms.
   */
  readonly slowStartMs?: Given<'slowStartMs'> | undefined;

  /**
   * Fewer requests, down to an eighth, for a replica that is slower or fails more than the others of the same seconds.
   * Takes on or off. Default: on with no key, else off.
   */
  readonly easeOutliers?: Given<'easeOutliers'> | undefined;

  // Health: when a replica takes requests, and when it is replaced.

  /** Pause between two heartbeats of a replica. Takes a time from 10ms to 1h, in milliseconds. Default: 500. */
  readonly heartbeatIntervalMs?: Given<'heartbeatIntervalMs'> | undefined;

  /** Time for a replica to answer a heartbeat. Takes a time from 1ms to 1m, in milliseconds. Default: 500. */
  readonly heartbeatTimeoutMs?: Given<'heartbeatTimeoutMs'> | undefined;

  /**
   * Failures in a row before a replica is replaced, or an upstream service counts as down. Takes a whole number from 1
   * to 100. Default: 3.
   */
  readonly heartbeatFailures?: Given<'heartbeatFailures'> | undefined;

  /**
   * Successes in a row before an upstream service that was down takes requests again. Takes a whole number from 1 to
   * 100. Default: 2.
   */
  readonly heartbeatRise?: Given<'heartbeatRise'> | undefined;

  /**
   * Path to request; `tcp`: a connection is enough; `off`: no heartbeats. Takes a path that begins with /, tcp, or off.
   * Default: /heartbeat.
   */
  readonly heartbeatPath?: Given<'heartbeatPath'> | undefined;

  /** Statuses that count as healthy. Takes a list of statuses and ranges of them, from 100 to 599. Default: 200-299. */
  readonly heartbeatStatus?: Given<'heartbeatStatus'> | undefined;

  /** Host field of heartbeats; if empty, the address of the replica. Takes a host, with a port or without. */
  readonly heartbeatHost?: Given<'heartbeatHost'> | undefined;

  /**
   * If no upstream service passes its heartbeats, keep using those that did before and still accept connections. Takes
   * on or off. Default: on.
   */
  readonly failOpen?: Given<'failOpen'> | undefined;

  // Clients: their connections, and how long they may take.

  /**
   * Most client connections, or what `ulimit -n` allows; more get a 503. Takes a whole number from 1 to 1000000.
   * Default: 10000.
   */
  readonly maxConnections?: Given<'maxConnections'> | undefined;

  /**
   * Requests after which a client’s connection is closed. Takes a whole number from 1 to 1000000, or off. Default: off.
   */
  readonly maxRequestsPerConnection?: Given<'maxRequestsPerConnection'> | undefined;

  /** Time for a client to send the head of a request. Takes a time from 1ms to 24h, in milliseconds. Default: 10000. */
  readonly headTimeoutMs?: Given<'headTimeoutMs'> | undefined;

  /**
   * Time that a client’s connection is kept open without a request. Takes a time from 1ms to 24h, in milliseconds.
   * Default: 60000.
   */
  readonly keepAliveTimeoutMs?: Given<'keepAliveTimeoutMs'> | undefined;

  /**
   * Lowest average rate of an upload, in bytes per second, once it has taken 20 s. Takes a size from 1 to 1m, or off,
   * in bytes per second. Default: 500.
   */
  readonly minUploadRateBytesPerSecond?: Given<'minUploadRateBytesPerSecond'> | undefined;

  /**
   * When a client ends its side: `close` cuts its request; `allow` still replies, as `nc -N` expects. Takes close or
   * allow. Default: close.
   */
  readonly clientHalfClose?: Given<'clientHalfClose'> | undefined;

  // Requests: how long one may wait, and how often it is tried.

  /**
   * Time for a replica to begin its reply once it has the whole request. Takes a time from 1ms to 24h, in milliseconds.
   * Default: 30000.
   */
  readonly replyTimeoutMs?: Given<'replyTimeoutMs'> | undefined;

  /**
   * Time from the end of a request to the head of its reply, over all attempts. Takes a time from 1ms to 24h, in
   * milliseconds. Default: 60000.
   */
  readonly requestTimeoutMs?: Given<'requestTimeoutMs'> | undefined;

  /** Longest pause within a body, on either side. Takes a time from 1ms to 24h, in milliseconds. Default: 60000. */
  readonly bodyTimeoutMs?: Given<'bodyTimeoutMs'> | undefined;

  /** Longest silence on an upgraded connection. Takes a time from 1ms to 24h, in milliseconds. Default: 600000. */
  readonly tunnelIdleTimeoutMs?: Given<'tunnelIdleTimeoutMs'> | undefined;

  /**
   * Time after which an upgraded connection is ended that is not where its key leads, so that its client comes there.
   * Takes a time from 1ms to 24h, or off, in milliseconds. Default: 5s with a key, else off.
   */
  readonly rehomeTunnelsMs?: Given<'rehomeTunnelsMs'> | undefined;

  /**
   * Most requests that wait while all replicas are full; more get a 503. Takes a whole number from 0 to 1000000.
   * Default: 10000.
   */
  readonly queue?: Given<'queue'> | undefined;

  /**
   * Time that a request waits for a replica with room. Takes a time from 1ms to 24h, in milliseconds. Default: 5000.
   */
  readonly queueTimeoutMs?: Given<'queueTimeoutMs'> | undefined;

  /**
   * Time that a request waits while more come than the replicas can do; more get a 503 at once. Takes a time from 1ms
   * to 24h, or off, in milliseconds. Default: 50ms with no key, else off.
   */
  readonly overloadWaitMs?: Given<'overloadWaitMs'> | undefined;

  /**
   * Which of the requests that wait get that 503 first; of those, the newest. Takes reads or writes. Default: reads.
   */
  readonly shedFirst?: Given<'shedFirst'> | undefined;

  /** Most replicas that one request is tried at. Takes a whole number from 1 to 10. Default: 3. */
  readonly maxAttempts?: Given<'maxAttempts'> | undefined;

  /**
   * Repeated attempts allowed, as a ratio to the requests of the last seconds. Takes a number from 0 to 10. Default:
   * 0.2.
   */
  readonly retryBudget?: Given<'retryBudget'> | undefined;

  /**
   * Time for which a request is refused that was at two replicas when they died. Takes a time from 1ms to 24h, or off,
   * in milliseconds. Default: 60000.
   */
  readonly quarantineMs?: Given<'quarantineMs'> | undefined;

  // Connections to replicas: how they are kept, and how much one replica may have.

  /** Time for a replica to accept a connection. Takes a time from 1ms to 1m, in milliseconds. Default: 3500. */
  readonly connectTimeoutMs?: Given<'connectTimeoutMs'> | undefined;

  /**
   * Time that an idle connection to a replica is kept; should be shorter than the replica keeps it. Takes a time from
   * 4ms to 24h, in milliseconds. Default: 3000.
   */
  readonly replicaIdleTimeoutMs?: Given<'replicaIdleTimeoutMs'> | undefined;

  /**
   * Reuse connections to replicas; `off`: a new one per request, for replicas that close theirs without notice. Takes
   * on or off. Default: on.
   */
  readonly replicaKeepAlive?: Given<'replicaKeepAlive'> | undefined;

  /** Most requests at one replica at a time. Takes a whole number from 1 to 1000000. Default: 512. */
  readonly maxInFlight?: Given<'maxInFlight'> | undefined;

  /**
   * Most upgraded connections (WebSocket) at one replica, beside its requests; more get a 503. Takes a whole number
   * from 0 to 1000000. Default: 2048.
   */
  readonly maxTunnels?: Given<'maxTunnels'> | undefined;

  // Messages: how large they may be, and which fields are believed, dropped or added.

  /**
   * Largest head of a request or a reply; a larger one is a 431, or a 502 if it is a reply’s. Takes a size from 1k to
   * 1m, in bytes. Default: 65536.
   */
  readonly maxHeadSizeBytes?: Given<'maxHeadSizeBytes'> | undefined;

  /**
   * Most fields in a head or in trailers, and most elements in the lists of a head. Takes a whole number from 16 to
   * 10000. Default: 256.
   */
  readonly maxFields?: Given<'maxFields'> | undefined;

  /** Largest body of a request; a larger one is a 413. Takes a size from 0 to 1024g, or off, in bytes. Default: off. */
  readonly maxBodySizeBytes?: Given<'maxBodySizeBytes'> | undefined;

  /**
   * Proxies whose X-Forwarded-* and Forwarded are believed, not replaced. Takes addresses, networks like 10.0.0.0/8,
   * loopback, all, or off. Default: off.
   */
  readonly trustProxy?: Given<'trustProxy'> | undefined;

  /**
   * Fields that CGI takes for others (`X_Real_IP`): drop those like ours, all, or none. Takes drop-owned, drop or pass.
   * Default: drop-owned.
   */
  readonly underscores?: Given<'underscores'> | undefined;

  /**
   * Add a Via field to requests and replies; an nginx that gets one compresses nothing. Takes on or off. Default: on.
   */
  readonly via?: Given<'via'> | undefined;

  /**
   * Add X-Ringmaster-Route to replies: whose key it was, who took it, and why; it names replicas to all clients. Takes
   * on or off. Default: off.
   */
  readonly explainHeader?: Given<'explainHeader'> | undefined;
}
