// Copies of large pieces of a body, for as long as a write needs them. Their memory is used again: to allocate and collect 64 KiB
// for each read costs more than to copy them (a third of the CPU of a reply of 10 MiB).

import type { Socket } from 'node:net';

const SIZE_BYTES = 65_536;
// More are left to the garbage collector: 16 MiB is kept at most, what some slow clients hold at a time.
const MOST_SPARE = 256;

const spare: Buffer[] = [];

/** What a piece that is written takes up until it is out. */
export const COPY_BYTES = SIZE_BYTES;

/** Writes `bytes`, which may change as soon as this returns. At most 64 KiB. */
export function writeCopy(socket: Socket, bytes: Buffer): void {
  const memory = spare.pop() ?? Buffer.allocUnsafeSlow(SIZE_BYTES);
  bytes.copy(memory);
  // Called when the system has the bytes, or will not take them any more.
  socket.write(memory.subarray(0, bytes.length), () => {
    if (spare.length < MOST_SPARE) spare.push(memory);
  });
}

/** The same for bytes that will have to wait: in memory of just their size. */
export function writeLastingCopy(socket: Socket, bytes: Buffer): void {
  const memory = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(memory);
  socket.write(memory);
}
