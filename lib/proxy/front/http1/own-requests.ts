// A request that the balancer answers itself, as its connection sees it.

import type { IncomingMessage } from 'node:http';
import type { Occupant } from '../../exchange/downstream.ts';

/** While its body comes it is read as a stream, with limits of time of its own: what ends it too early is told whoever reads it. */
export function readerOf(request: IncomingMessage): Occupant {
  return {
    onClientDrain: () => undefined,
    onClientGone: () => undefined,
    onTick: () => undefined,
    onClientBroken: (error) => !request.complete && request.listenerCount('error') > 0 && request.emit('error', error),
  };
}
