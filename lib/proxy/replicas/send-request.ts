// Sends a request on a connection to a replica: its head, and as much of its body as is here.

import { type RequestHead, textFor } from '../../http/headers.ts';
import type { Lease } from './lease.ts';

/** A body that sends what is here of it, and then what comes. */
interface Sendable {
  sendTo(lease: Lease): void;
}

export function sendRequest(lease: Lease, head: RequestHead, body: Sendable): void {
  const { authority, keepsAlive } = lease.lessor;
  const whole = textFor(head, authority);
  const text = keepsAlive ? whole : closing(whole, head.offered);
  if (head.body === 'none') {
    lease.write(text);
    return;
  }
  lease.cork();
  lease.write(text);
  body.sendTo(lease);
  lease.uncork();
}

// Tells the replica that no other request follows, so that it does not wait for one. An offer to switch already has a
// Connection field.
function closing(text: string, offered: string): string {
  return offered === '' ? `${text.slice(0, -'\r\n'.length)}Connection: close\r\n\r\n` : text;
}
