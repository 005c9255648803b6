// Every expected trouble has one code, which stands for what happened, for the status that a client gets, and for whose
// doing it was. Only this file turns a code into these.

export type ErrorCode = keyof typeof ERRORS;

interface ErrorKind {
  /** HTTP status of the answer, if one can still be given. */
  readonly status: number;
  /** It is the client's doing, or nobody's: there is nothing that an operator could mend. */
  readonly ofClient?: true;
  /**
   * Many get it at once. Each is told to come back at another time within so many seconds, or all would come together.
   */
  readonly spreadS?: number;
}

const ERRORS = {
  // The request cannot be understood, or not safely (RFC 9110, 15.5.1).
  'bad-request': { status: 400, ofClient: true },
  // The client went away, or ended its side, before it had its reply. For the log, mostly; a client that sent only half
  // of its request is told (15.5.1).
  'client-left': { status: 400, ofClient: true },
  // The admin endpoints refused a body. The message says what is wrong with it.
  'bad-body': { status: 400, ofClient: true },
  // The configuration file is wrong, or what it asks for cannot be. The message says all of it.
  'bad-config': { status: 400, ofClient: true },
  // A change of the fleet came without the token that it takes (15.5.2).
  unauthorized: { status: 401, ofClient: true },
  // A page of another origin tried to change the fleet. No token would help (15.5.4).
  forbidden: { status: 403, ofClient: true },
  // The admin port has no such endpoint (15.5.5).
  'no-endpoint': { status: 404, ofClient: true },
  // The client took too long to send its head or the next part of its body, or to take its reply (15.5.9).
  'request-timeout': { status: 408, ofClient: true },
  // Something that is not ours has that name. Nothing is wrong with the request as such (15.5.10).
  'name-taken': { status: 409, ofClient: true },
  // The balancer cannot be replaced now, or not in the way it was started.
  'upgrade-refused': { status: 409, ofClient: true },
  // Some of the options that differ cannot change while the balancer runs, so none did.
  'needs-restart': { status: 409, ofClient: true },
  // There is no configuration file to read again.
  'no-config': { status: 409, ofClient: true },
  // A roll waits to go on, or none does, or nothing here can replace the replicas.
  'roll-refused': { status: 409, ofClient: true },
  // This balancer follows a list of members that another one writes.
  follower: { status: 409, ofClient: true },
  // No replica would be left that takes requests.
  'last-replica': { status: 409, ofClient: true },
  // The runtime does not accept a replica of that name, or with these settings.
  'name-refused': { status: 409 },
  // The body exceeds the limit (15.5.14).
  'body-too-large': { status: 413, ofClient: true },
  // The fields exceed the limit (RFC 6585, 5).
  'head-too-large': { status: 431, ofClient: true },
  // This gateway does not have that transfer coding or method (RFC 9112, 6.1; RFC 9110, 15.6.2).
  'not-implemented': { status: 501, ofClient: true },
  // The replica's bytes are not HTTP/1.1, or end before the reply does (RFC 9110, 15.6.3).
  'bad-reply': { status: 502 },
  // The connection to the replica broke, and the request must not be repeated.
  'connection-lost': { status: 502 },
  // At every replica tried, nothing listens or no connection was accepted in time.
  'connect-failed': { status: 503 },
  // No replica can take the request. It may be repeated (15.6.4).
  'no-replica': { status: 503 },
  // The dashboard is open in as many places as it may be. One of them may be closed soon (15.6.4).
  'too-many-watchers': { status: 503 },
  // There are more connections, or requests wait longer, than there is room for. Not 429, since it is not this client
  // that asks for too much.
  overloaded: { status: 503 },
  // Another question to /balancer/what-if is being answered.
  'what-if-busy': { status: 503, ofClient: true },
  // The request was at two replicas that ended, so it is not sent to a third for a while. Nothing else is wrong.
  poison: { status: 503, ofClient: true },
  // More requests come than the replicas can do, and this one could only have been served late. Nothing of it was sent.
  shed: { status: 503, spreadS: 4 },
  // A change of the fleet had to wait, and its client has gone meanwhile, so hardly anybody reads this.
  'change-given-up': { status: 503, ofClient: true },
  // What should be listened on cannot be: for programs that use the library.
  'listen-failed': { status: 503 },
  // The access log cannot be opened: for programs that use the library.
  'log-failed': { status: 503 },
  // The balancer is shutting down.
  closing: { status: 503 },
  // A thread of this program does not answer.
  'not-live': { status: 503 },
  // Docker does not answer, or refuses access.
  'runtime-unavailable': { status: 503 },
  // A replica that was asked for did not come up.
  'start-failed': { status: 503 },
  // The process that was to take over has ended, or was not ready in time: the one before goes on.
  'upgrade-failed': { status: 503 },
  // A replica that is out of the ring could not be ended.
  'stop-failed': { status: 503 },
  // The replica was silent for too long, or all attempts together took too long (15.6.5).
  'reply-timeout': { status: 504 },
  // Neither side of an upgraded connection said anything. For the log alone, since no reply is left to give.
  'tunnel-idle': { status: 504, ofClient: true },
  // A new tunnel with its key would go to another replica, where its client comes when it comes back. For the log too.
  rehomed: { status: 503, ofClient: true },
  // The program did not expect this of itself.
  internal: { status: 500 },
} as const satisfies Record<string, ErrorKind>;

export class BalancerError extends Error {
  override readonly name = 'BalancerError';
  readonly code: ErrorCode;
  readonly #leastS: number;

  /** @param options `leastS`: how long trying again is in vain, in s. */
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown; leastS?: number }) {
    super(message, options);
    this.code = code;
    this.#leastS = options?.leastS ?? 1;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  /**
   * When it is worth trying again, in s, for the Retry-After of a 503 (RFC 9110, 10.2.3).
   * @param draw any whole number, which differs between requests.
   */
  retryAfterS(draw: number): number {
    const kind: ErrorKind = ERRORS[this.code];
    return this.#leastS + (draw % (kind.spreadS ?? 1));
  }

  /** It is the client's doing, or nobody's, and no fault of the balancer or a replica. */
  get isOfClient(): boolean {
    return 'ofClient' in ERRORS[this.code];
  }
}

/** Would trying again be useless until somebody does something about it? */
export function isFinal(error: BalancerError): boolean {
  return error.code === 'name-taken' || error.code === 'name-refused';
}

/** The error itself, or an `internal` one that wraps what was thrown. */
export function asBalancerError(thrown: unknown): BalancerError {
  if (thrown instanceof BalancerError) return thrown;
  return new BalancerError('internal', describe(thrown), { cause: thrown });
}

// Errors of a call for which the system had nothing left. Whoever was to be reached or started is not to blame.
const SHORTAGES: Readonly<Record<string, string>> = {
  EMFILE: 'this process has no file descriptor left',
  ENFILE: 'this machine has no file descriptor left',
  ENOBUFS: 'this machine has no buffer left for sockets',
  EADDRNOTAVAIL: 'this machine has no free local port or no such address',
  ENOMEM: 'this machine has no memory left',
};

/**
 * Says what this process or machine is out of, if that made something fail; it may be a cause of what was thrown. Such
 * an error says nothing about a replica, so no replica is suspected or convicted for it.
 */
export function localShortage(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const { code = '', syscall } = thrown as NodeJS.ErrnoException;
  // From other calls, EAGAIN says something about the other side, such as a full backlog.
  if (code === 'EAGAIN' && syscall?.startsWith('spawn')) return 'this user may start no more processes (EAGAIN)';
  const words = SHORTAGES[code];
  if (words !== undefined) return `${words} (${code})`;
  if (thrown instanceof AggregateError) return thrown.errors.map(localShortage).find((one) => one !== undefined);
  return localShortage(thrown.cause);
}

/** Says in one line what was thrown. */
export function describe(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The failure envelope of the contract, as the text of a body. */
export function failureBody(message: string): string {
  return JSON.stringify({ message: `<Error> ${message}`, status: 'failure' });
}
