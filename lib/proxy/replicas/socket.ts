// A socket that goes on reading when it can no longer write. A replica may answer before it has the whole request (413, say) and
// close at once; the bytes that are still on their way to it are then refused, and `net.Socket` would destroy itself over that
// with the answer unread. The end is left to the reading side, which comes to the answer, or to its own end or error.

import net from 'node:net';

type WriteCallback = (error?: Error | null) => void;

/** A subclass (own-requests.ts has the other): Node offers no other way to what a failed write does. */
export class ReplicaSocket extends net.Socket {
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
