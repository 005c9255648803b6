// A request that the balancer answers itself, as its connection sees it, and the response to it.

import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Occupant } from '../../exchange/downstream.ts';

/**
 * Handles such a request while its body comes. Whoever reads the body as a stream limits its time, and learns from the
 * stream's `error` event if the body ends too early.
 */
export function readerOf(request: IncomingMessage): Occupant {
  return {
    onClientDrain: () => undefined,
    onClientGone: () => undefined,
    onTick: () => undefined,
    onClientBroken: (error) => !request.complete && request.listenerCount('error') > 0 && request.emit('error', error),
  };
}

/**
 * A response that does not listen for the end of its connection: most are never written to, and to take a listener on
 * and off for each costs 6 % of a request without keep-alive. A subclass, since Node asks for one.
 */
export class QuietResponse extends ServerResponse {
  override assignSocket(socket: Socket): void {
    (socket as ResponseSocket)._httpMessage = this;
    this.#setSocket(socket);
    this.emit('socket', socket);
    (this as unknown as { _flush(): void })._flush();
  }

  override detachSocket(socket: Socket): void {
    (socket as ResponseSocket)._httpMessage = null;
    this.#setSocket(null);
  }

  /** To be called when the connection ends before the response does, if anybody writes to it. */
  tellClosed(): void {
    if (this.closed) return;
    Object.assign(this, { destroyed: true, _closed: true });
    this.emit('close');
  }

  #setSocket(socket: Socket | null): void {
    (this as { socket: Socket | null }).socket = socket;
  }
}

// What `http.Server` looks at: the response that is under way.
type ResponseSocket = Socket & { _httpMessage?: ServerResponse | null };
