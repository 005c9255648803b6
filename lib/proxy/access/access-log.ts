// The access log of one data plane: which requests get a line, and what it says of how they ended. Lines go out in
// batches, and whoever writes them is somewhere else. While the log is off, a request costs one comparison.

import type { ServerResponse } from 'node:http';
import type { TakeBatch } from '../../core/plane-ports.ts';
import type { Key, RingPolicy } from '../../core/ring/policy.ts';
import type { AccessSettings } from '../../core/traffic-settings.ts';
import { type BalancerError, failureBody } from '../../errors.ts';
import type { Told } from '../exchange/downstream.ts';
import type { Ended } from '../exchange/exchange-context.ts';
import { NO_LOSSES } from '../exchange/loss.ts';
import { Times } from '../exchange/times.ts';
import { Batches } from './batches.ts';
import { writeCombined } from './combined-line.ts';
import type { Entry } from './entry.ts';
import { writeJson } from './json-line.ts';

// As nginx has it: its client left before there was a reply.
const CLIENT_LEFT = 499;

/** Who asked, and the id that the request goes by. */
export interface Asker {
  readonly client: string;
  readonly requestId: number;
}

export class AccessLog {
  readonly #settings: AccessSettings;
  readonly #batches: Batches;

  /** @param settings are read anew for each request. */
  constructor(settings: AccessSettings, take: TakeBatch) {
    this.#settings = settings;
    this.#batches = new Batches(take);
  }

  /** It is not off. Only saves work: nothing is written while it is. */
  get isOn(): boolean {
    return this.#settings.accessLog !== 'off';
  }

  /** An exchange is over. */
  ended(ended: Ended, policy: RingPolicy | undefined): void {
    const { error, status } = ended;
    if (error === undefined) this.#write(ended, status, 'ok', policy);
    else this.#write(ended, status === 0 ? statusOf(error) : status, error.code, policy, !error.isOfClient);
  }

  /** A request was refused before it became an exchange; without `request`, it could not even be read. */
  refused(asker: Asker, error: BalancerError, request?: Told): void {
    const sentBytes = request?.method === 'HEAD' ? 0 : Buffer.byteLength(failureBody(error.message));
    this.#write(entryOf(asker, request, new Times(), 0, sentBytes), error.status, error.code);
  }

  /** The balancer itself has answered with a reply of that many bytes. */
  answered(asker: Asker, request: Told, status: number, sentBytes: number): void {
    this.#write(entryOf(asker, request, new Times(), 0, sentBytes), status, 'own');
  }

  /** The balancer itself answers: tells when that is over. */
  follow(asker: Asker, response: ServerResponse): void {
    if (!this.isOn) return;
    const times = new Times();
    const { req: request, socket } = response;
    const announced = Number(request.headers['content-length'] ?? 0);
    const before = socket?.bytesWritten ?? 0;
    let isOver = false;
    const over = (how: string) => {
      if (isOver) return;
      isOver = true;
      const { _header: head } = response as { _header?: string | null };
      const sentBytes = Math.max(0, (socket?.bytesWritten ?? 0) - before - (head?.length ?? 0));
      const status = response.headersSent ? response.statusCode : CLIENT_LEFT;
      this.#write(entryOf(asker, request, times, announced, sentBytes), status, how);
    };
    // Before the next reply begins on this connection.
    response.prependOnceListener('finish', () => over('own'));
    response.once('close', () => over('client-left'));
  }

  /** What waits goes out now. */
  flush(): void {
    this.#batches.flush();
  }

  // `isFault`: it is logged as an error whatever its status says.
  #write(entry: Entry, status: number, ended: string, policy?: RingPolicy, isFault = false): void {
    const { accessLog, accessLogFormat } = this.#settings;
    if (accessLog === 'off') return;
    if (accessLog === 'errors' && status < 400 && !isFault) return;
    entry.times.endedMs ||= performance.now();
    const outcome = { status, ended, slot: slotOf(entry.key, policy), nowMs: Date.now() };
    const line = this.#batches.beginLine();
    if (line === undefined) return;
    if (accessLogFormat === 'json') writeJson(line, entry, outcome);
    else writeCombined(line, entry, outcome);
    this.#batches.endLine();
  }
}

function slotOf(key: Key | undefined, policy: RingPolicy | undefined): number | undefined {
  if (key === undefined) return undefined;
  try {
    return policy?.slotOf(key);
  } catch {
    // A user's own hash module may throw: the request has failed because of that, and is to be told.
    return undefined;
  }
}

function statusOf(error: BalancerError): number {
  return error.code === 'client-left' ? CLIENT_LEFT : error.status;
}

function entryOf(
  { client, requestId }: Asker,
  request: Told | undefined,
  times: Times,
  receivedBytes: number,
  sentBytes: number,
): Entry {
  return {
    request,
    client,
    requestId,
    key: undefined,
    agent: undefined,
    status: 0,
    times,
    attempts: 0,
    losses: NO_LOSSES,
    receivedBytes,
    sentBytes,
  };
}
