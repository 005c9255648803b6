// Writes log entries about requests. What a client does is no error of ours: that it leaves early is logged for
// debugging, and what it did wrong for information. Requests that an overload costs are many, so each is logged for
// debugging only, and their number when it is over.

import type { BalancerError } from '../errors.ts';
import type { Log, LogLine } from '../log.ts';
import type { Ended } from './exchange/exchange-context.ts';

export class RequestLog {
  readonly #log: Log;
  readonly #onRefused: (code: string) => void;

  /** @param onRefused called with the code of each refusal. */
  constructor(log: Log, onRefused: (code: string) => void) {
    this.#log = log;
    this.#onRefused = onRefused;
  }

  ended({ request, requestId, status, agent, error }: Ended): void {
    const isQuiet = error === undefined || error.code === 'client-left' || error.code === 'shed';
    if (isQuiet && !this.#log.writesDebug) return;
    const { method, url } = request;
    const outcome = { requestId, method, url, status, hostname: agent?.replica.hostname };
    if (error === undefined) this.#log.debug('request', outcome);
    else if (error.code === 'shed') this.#log.debug('request-shed', outcome);
    else if (isQuiet) this.#log.debug('client-left', { ...outcome, reason: error.message });
    else this.#lineFor(error)('request-failed', { ...outcome, code: error.code, reason: error.message });
  }

  /** A request was refused before it reached an exchange. Without `request`, a connection was refused. */
  refused(requestId: number, error: BalancerError, request?: Ended['request']): void {
    const { code, message: reason } = error;
    const told = { requestId, method: request?.method, url: request?.url, code, reason };
    this.#onRefused(code);
    if (code === 'client-left') this.#log.debug('client-left', { requestId, code, reason });
    else this.#lineFor(error)('request-refused', told);
  }

  #lineFor({ isOfClient }: BalancerError): LogLine {
    return isOfClient ? this.#log.info : this.#log.error;
  }
}
