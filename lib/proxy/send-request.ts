// The first words of a request on a connection to a replica: its head, and as much of its body as is here.

import type { RequestHead } from './headers.ts';
import type { ReplicaConnection } from './replica-connection.ts';
import type { RequestBody } from './request-body.ts';

/** @param body if there is any. */
export function sendRequest(connection: ReplicaConnection, head: RequestHead, body: RequestBody | undefined): void {
  const text = connection.agent.keepsAlive ? head.text : closing(head);
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
function closing({ text, offered }: RequestHead): string {
  return offered === '' ? `${text.slice(0, -'\r\n'.length)}Connection: close\r\n\r\n` : text;
}
