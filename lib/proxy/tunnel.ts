// The client's side of a connection that has switched protocols: what the client sends goes to the replica as it is. The other way
// is a reply without end, which exchange.ts relays like any other.

import type { Socket } from 'node:net';
import type { ReplicaConnection } from './replica-connection.ts';

export class Tunnel {
  /** How much has gone to the replica. */
  sentBytes = 0;
  readonly #socket: Socket;
  readonly #send: (bytes: Buffer) => void;

  /**
   * @param early what the client had sent before it knew.
   * @param onClientEnd the client has sent all that it will: the tunnel ends with either side.
   */
  constructor(socket: Socket, connection: ReplicaConnection, early: Buffer | undefined, onClientEnd: () => void) {
    this.#socket = socket;
    this.#send = (bytes: Buffer) => {
      this.sentBytes += bytes.length;
      if (!connection.write(bytes)) socket.pause();
    };
    if (early !== undefined && early.length > 0) this.#send(early);
    socket.on('data', this.#send);
    // One that had ended its side before will not end it again; the replica's 101 is still to be passed on.
    if (socket.readableEnded) setImmediate(onClientEnd);
    else socket.once('end', onClientEnd);
  }

  /** Nobody takes what the client still sends. */
  stop(): void {
    this.#socket.off('data', this.#send);
  }

  /** The replica takes bytes again. */
  resume(): void {
    this.#socket.resume();
  }
}
