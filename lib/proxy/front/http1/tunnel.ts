// The client's side of a connection that has switched protocols: passes what the client sends to the replica. The other
// direction is a reply without end, which the exchange relays like any other.

import type { Socket } from 'node:net';
import type { Tunnel, TunnelEnd } from '../../exchange/downstream.ts';

export class SocketTunnel implements Tunnel {
  sentBytes = 0;
  readonly #socket: Socket;
  readonly #send: (bytes: Buffer) => void;

  /** @param early what the client sent before it knew of the switch. */
  constructor(socket: Socket, replica: TunnelEnd, early: Buffer | undefined) {
    this.#socket = socket;
    this.#send = (bytes: Buffer) => {
      this.sentBytes += bytes.length;
      if (!replica.write(bytes)) socket.pause();
    };
    // Removes the reader that held back what came behind the body of the offer.
    socket.removeAllListeners('data');
    socket.on('data', this.#send);
    socket.resume();
    if (early !== undefined && early.length > 0) this.#send(early);
    // The client may end its side and read on, as `docker attach` and `nc` do. The replica is told of that end. What it
    // still sends is passed on, unless it is silent for longer than a tunnel may be.
    const onEnd = () => replica.endWriting();
    // A client that ended its side before will not emit `end` again. The end is passed on only after the replica's 101.
    if (socket.readableEnded) setImmediate(onEnd);
    else socket.once('end', onEnd);
  }

  stop(): void {
    this.#socket.off('data', this.#send);
  }

  resume(): void {
    this.#socket.resume();
  }
}
