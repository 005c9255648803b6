// A socket that goes on reading when it can no longer write. A replica may reply before it has the whole request (413,
// say) and close at once. The bytes still on their way to it are then refused, and `net.Socket` would destroy itself
// with the reply unread. This one lets the reading side decide: it comes to the reply, or to its own end or error.

import net from 'node:net';
import type { Address } from '../../core/ports.ts';

/** Takes what was read: the first `sizeBytes` of `buffer`, which are only lent. False asks for a pause. */
export interface OnRead {
  readonly buffer: Buffer;
  readonly callback: (sizeBytes: number) => boolean;
}

/** Begins a connection to a replica. */
export type Dial = (address: Address, onread: OnRead) => net.Socket;

/** Dials on the network of the system. */
export const dial: Dial = (address, onread) => {
  // The socket takes these options, though Node's types only know them for `connect`.
  const socket = new ReplicaSocket({ onread, noDelay: true } as net.SocketConstructorOpts);
  if (address.type === 'unix') socket.connect({ path: address.path });
  else socket.connect({ host: address.host, port: address.port });
  return socket;
};

type WriteCallback = (error?: Error | null) => void;

/** A subclass, since Node offers no other way to change what a failed write does. */
class ReplicaSocket extends net.Socket {
  override _write(chunk: unknown, encoding: BufferEncoding, callback: WriteCallback): void {
    super._write(chunk, encoding, (error) => callback(isRefusal(error) ? null : error));
  }

  override _writev(chunks: { chunk: unknown; encoding: BufferEncoding }[], callback: WriteCallback): void {
    super._writev?.(chunks, (error) => callback(isRefusal(error) ? null : error));
  }
}

function isRefusal(error: NodeJS.ErrnoException | null | undefined): boolean {
  return error?.code === 'EPIPE' || error?.code === 'ECONNRESET';
}
