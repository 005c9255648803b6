// Has sockets of clients read into one buffer that they share: memory of its own for each read costs a fifth of what a
// small request does. Node documents this for sockets that connect (`onread`), but not for those that a server accepts.

import { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** Takes what was read, which is only lent; `this` is the socket. False asks for a pause until `readOn`. */
export type OnRead<S extends Socket> = (this: S, sizeBytes: number, buffer: Buffer) => boolean;

interface SharingSocket extends Socket {
  readonly _handle?: { useUserBuffer?(buffer: Buffer): void } | null;
  [member: symbol]: unknown;
}

const SIZE_BYTES = 65_536;
const buffer = Buffer.allocUnsafeSlow(SIZE_BYTES);

// The members in which a socket keeps its `onread`.
const MEMBERS = Object.getOwnPropertySymbols(new Socket());
const BUFFER = MEMBERS.find(({ description }) => description === 'kBuffer');
const CALLBACK = MEMBERS.find(({ description }) => description === 'kBufferCb');

/** False if this socket, or this version of Node, cannot. Then nothing has changed. */
export function readShared<S extends Socket>(socket: S, onRead: OnRead<S>): boolean {
  const sharing = socket as unknown as SharingSocket;
  if (BUFFER === undefined || CALLBACK === undefined || sharing._handle?.useUserBuffer === undefined) return false;
  sharing[BUFFER] = buffer;
  sharing[CALLBACK] = onRead;
  sharing._handle.useUserBuffer(buffer);
  return true;
}

/** From now on the socket's bytes come as those of any stream. @param rest what was read already. */
export function readAsStream(socket: Socket, rest: Buffer): void {
  if (CALLBACK !== undefined) (socket as unknown as SharingSocket)[CALLBACK] = pushCopy;
  // A socket with such a buffer stops reading when it is paused. A stream goes on until its own buffer is full, so that
  // it notices the end.
  socket.pause = Duplex.prototype.pause as typeof socket.pause;
  if (rest.length > 0) socket.unshift(Buffer.from(rest));
}

/** Reads on after a pause. */
export function readOn(socket: Socket): void {
  socket.read(0);
}

function pushCopy(this: Socket, sizeBytes: number, bytes: Buffer): boolean {
  return this.push(Buffer.from(bytes.subarray(0, sizeBytes)));
}
