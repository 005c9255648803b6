// The first words of a request on a connection to a replica: its head, and as much of its body as is here.

import { type RequestHead, textFor } from '../../http/headers.ts';
import type { RequestBody } from '../exchange/request-body.ts';
import type { ReplicaConnection } from './connection.ts';

/** @param body if there is any. */
export function sendRequest(connection: ReplicaConnection, head: RequestHead, body: RequestBody | undefined): void {
  const { authority, keepsAlive } = connection.agent;
  const whole = textFor(head, authority);
  const text = keepsAlive ? whole : closing(whole, head.offered);
  if (body === undefined) {
    connection.write(text);
    return;
  }
  connection.cork();
  connection.write(text);
  body.sendTo(connection);
  connection.uncork();
}

// The replica is told that no other request follows, so that it does not wait for one. An offer to switch has a Connection field of
// its own.
function closing(text: string, offered: string): string {
  return offered === '' ? `${text.slice(0, -'\r\n'.length)}Connection: close\r\n\r\n` : text;
}
