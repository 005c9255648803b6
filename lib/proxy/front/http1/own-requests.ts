// A request that the balancer answers itself, as its connection sees it.

import type { IncomingMessage } from 'node:http';
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
