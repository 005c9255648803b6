// Copies large pieces of a body for as long as a write needs them. The memory is used again: allocating and collecting
// 64 KiB for each read costs more than copying them (a third of the CPU of a reply of 10 MiB).

import type { Socket } from 'node:net';

const SIZE_BYTES = 65_536;
// How many buffers are kept for reuse: 16 MiB at most, about what a few slow clients need. The garbage collector takes
// the rest.
const MOST_SPARE = 256;

const spare: Buffer[] = [];

/** Memory that a written piece takes until it is out. */
export const COPY_BYTES = SIZE_BYTES;

/** Writes `bytes`, which may change as soon as this returns. At most 64 KiB. */
export function writeCopy(socket: Socket, bytes: Buffer): void {
  const memory = spare.pop() ?? Buffer.allocUnsafeSlow(SIZE_BYTES);
  bytes.copy(memory);
  // The callback runs when the system has the bytes, or when the write has failed.
  socket.write(memory.subarray(0, bytes.length), () => {
    if (spare.length < MOST_SPARE) spare.push(memory);
  });
}

/** Does the same for bytes that will have to wait, in memory of just their size. */
export function writeLastingCopy(socket: Socket, bytes: Buffer): void {
  const memory = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(memory);
  socket.write(memory);
}
