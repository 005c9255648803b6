// The client's side of a connection that has switched protocols: what the client sends goes to the replica as it is. The other way
// is a reply without end, which the exchange relays like any other.

import type { Socket } from 'node:net';
import type { Tunnel, TunnelEnd } from '../../exchange/downstream.ts';

export class SocketTunnel implements Tunnel {
  sentBytes = 0;
  readonly #socket: Socket;
  readonly #send: (bytes: Buffer) => void;

  /** @param early what the client had sent before it knew. */
  constructor(socket: Socket, replica: TunnelEnd, early: Buffer | undefined) {
    this.#socket = socket;
    this.#send = (bytes: Buffer) => {
      this.sentBytes += bytes.length;
      if (!replica.write(bytes)) socket.pause();
    };
    // Takes off the reader that has kept back what came behind the body of the offer.
    socket.removeAllListeners('data');
    socket.on('data', this.#send);
    socket.resume();
    if (early !== undefined && early.length > 0) this.#send(early);
    // The client may have said all and read on, as `docker attach` and `nc` do: the replica is told, and what it still says is
    // passed on, as long as it says anything in the time that a tunnel may be silent.
    const onEnd = () => replica.endWriting();
    // One that had ended its side before will not end it again; the replica's 101 is still to be passed on.
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
