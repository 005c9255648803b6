// Writes log entries about requests. A client that leaves early is nobody's fault, so it is logged for debugging and
// not as an error.

import type { BalancerError } from '../errors.ts';
import type { Log } from '../log.ts';
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
    const isQuiet = error === undefined || error.code === 'client-left';
    if (isQuiet && !this.#log.writesDebug) return;
    const { method, url } = request;
    const outcome = { requestId, method, url, status, hostname: agent?.replica.hostname };
    if (error === undefined) this.#log.debug('request', outcome);
    else if (isQuiet) this.#log.debug('client-left', { ...outcome, reason: error.message });
    else this.#log.error('request-failed', { ...outcome, code: error.code, reason: error.message });
  }

  /** A request was refused before it reached an exchange. Without `request`, a connection was refused. */
  refused(requestId: number, { code, message: reason }: BalancerError, request?: Ended['request']): void {
    this.#onRefused(code);
    if (code === 'client-left') this.#log.debug('client-left', { requestId, code, reason });
    else this.#log.error('request-refused', { requestId, method: request?.method, url: request?.url, code, reason });
  }
}
