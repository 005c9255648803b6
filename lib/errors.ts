// Every expected trouble, by one code: what happened, and the status that a client gets for it. This is the only place that
// turns a code into a status.

export type ErrorCode = keyof typeof ERRORS;

interface ErrorKind {
  /** HTTP status of the answer, if there is still one to give. */
  readonly status: number;
}

const ERRORS = {
  // The request cannot be understood, or not safely (RFC 9110, 15.5.1).
  'bad-request': { status: 400 },
  // The client went away, or ended its side, before it had its reply: for the log. Who is told has sent half a request (15.5.1).
  'client-left': { status: 400 },
  // A body that was refused by the admin endpoints: what is wrong is in the message.
  'bad-body': { status: 400 },
  // A change of the fleet without the token that it takes (15.5.2).
  unauthorized: { status: 401 },
  // A change of the fleet by a page of somebody else's: no token would help (15.5.4).
  forbidden: { status: 403 },
  // The admin port has nothing there (15.5.5).
  'no-endpoint': { status: 404 },
  // The client took longer to send its head or the next part of its body than it may, or to take its reply (15.5.9).
  'request-timeout': { status: 408 },
  // The name is taken by something that is not ours: nothing is wrong with the request as such (15.5.10).
  'name-taken': { status: 409 },
  // Whatever runs replicas does not want one of that name, or set up like that.
  'name-refused': { status: 409 },
  // A body over the limit (15.5.14).
  'body-too-large': { status: 413 },
  // Fields over the limit (RFC 6585, 5).
  'head-too-large': { status: 431 },
  // A transfer coding or method that this gateway does not have (RFC 9112, 6.1; RFC 9110, 15.6.2).
  'not-implemented': { status: 501 },
  // The replica's bytes are not HTTP/1.1, or end before the reply does (RFC 9110, 15.6.3).
  'bad-reply': { status: 502 },
  // The connection to the replica broke, and the request may not be repeated.
  'connection-lost': { status: 502 },
  // Nothing listens at the replica's address, or it did not accept in time, at every replica tried.
  'connect-failed': { status: 503 },
  // No replica is there that could take the request; it may be repeated (15.6.4).
  'no-replica': { status: 503 },
  // The dashboard is open in as many places as it may be; one of them may be closed soon (15.6.4).
  'too-many-watchers': { status: 503 },
  // More connections, or more requests for longer, than there is room for. Not 429: it is not this client that asks too much.
  overloaded: { status: 503 },
  // A change of the fleet that had to wait, and whose client has gone meanwhile: hardly anybody reads this.
  'change-given-up': { status: 503 },
  // The balancer is on its way out.
  closing: { status: 503 },
  // Docker does not answer, or may not be asked.
  'runtime-unavailable': { status: 503 },
  // A replica that was asked for did not come up.
  'start-failed': { status: 503 },
  // A replica that is out of the ring could not be ended.
  'stop-failed': { status: 503 },
  // The replica said nothing for longer than it may, or all attempts together took longer than they may (15.6.5).
  'reply-timeout': { status: 504 },
  // An upgraded connection on which neither side said anything: only for the log, there is no reply left to give.
  'tunnel-idle': { status: 504 },
  // Something that this program did not expect of itself.
  internal: { status: 500 },
} as const satisfies Record<string, ErrorKind>;

export class BalancerError extends Error {
  override readonly name = 'BalancerError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }
}

/** Trying again cannot help until somebody does something about it. */
export function isFinal(error: BalancerError): boolean {
  return error.code === 'name-taken' || error.code === 'name-refused';
}

/** The error itself, or an `internal` one around what was thrown. */
export function asBalancerError(thrown: unknown): BalancerError {
  if (thrown instanceof BalancerError) return thrown;
  return new BalancerError('internal', describe(thrown), { cause: thrown });
}

// Of a call of this process that the system had nothing left for. Whoever was to be reached or started has no part in it.
const SHORTAGES: Readonly<Record<string, string>> = {
  EMFILE: 'this process has no file descriptor left',
  ENFILE: 'this machine has no file descriptor left',
  ENOBUFS: 'this machine has no buffer left for sockets',
  EADDRNOTAVAIL: 'this machine has no free local port or no such address',
  ENOMEM: 'this machine has no memory left',
};

/**
 * What this process or machine is out of, if that is why something failed; it may be the cause of what was thrown. Such an error says
 * nothing of a replica: it convicts and suspects none.
 */
export function localShortage(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const { code = '', syscall } = thrown as NodeJS.ErrnoException;
  // Of other calls EAGAIN says something of the other side: a full backlog, say.
  if (code === 'EAGAIN' && syscall?.startsWith('spawn')) return 'this user may start no more processes (EAGAIN)';
  const words = SHORTAGES[code];
  if (words !== undefined) return `${words} (${code})`;
  if (thrown instanceof AggregateError) return thrown.errors.map(localShortage).find((one) => one !== undefined);
  return localShortage(thrown.cause);
}

/** What was thrown, in one line. */
export function describe(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The failure envelope of the contract, as the bytes of a body. */
export function failureBody(message: string): string {
  return JSON.stringify({ message: `<Error> ${message}`, status: 'failure' });
}
