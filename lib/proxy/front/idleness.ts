// How long a connection of a client may stand still while no request is under way on it.

import type { Socket } from 'node:net';
import type { ProxyLimits } from '../proxy-limits.ts';

// How long a client may go on sending when it has its answer. What it sends is read and dropped: closing with bytes
// unread would reset the connection and destroy the answer (RFC 9112, 9.6).
const LINGER_MS = 2000;

/** `ending`: it has had its last reply. `nothing`: somebody else limits this wait. */
export type Awaits = 'ending' | 'first-head' | 'next-head' | 'nothing';

export class Idleness {
  // The value that shows progress, and since when it has not changed.
  #mark = Number.NaN;
  #sinceMs = 0;

  /** Has it stood still for too long? Call it a few times a second. */
  isOver(nowMs: number, awaits: Awaits, socket: Socket, limits: ProxyLimits): boolean {
    const unsent = socket.writableLength;
    // One number shows what goes on: -1 while ending, less while a reply is being sent, and the bytes read in all other
    // cases.
    const mark = awaits === 'ending' ? -1 : unsent > 0 ? -1 - unsent : socket.bytesRead;
    if (mark !== this.#mark) {
      this.#mark = mark;
      this.#sinceMs = nowMs;
      return false;
    }
    const patienceMs = mark < -1 ? limits.bodyTimeoutMs : patienceWith(awaits, limits);
    return nowMs - this.#sinceMs > patienceMs;
  }
}

function patienceWith(awaits: Awaits, { headTimeoutMs, keepAliveTimeoutMs }: ProxyLimits): number {
  switch (awaits) {
    case 'ending':
      return LINGER_MS;
    case 'first-head':
      return headTimeoutMs;
    case 'next-head':
      return keepAliveTimeoutMs;
    case 'nothing':
      return Number.POSITIVE_INFINITY;
  }
}
