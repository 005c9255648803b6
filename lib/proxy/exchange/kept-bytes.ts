// Keeps the beginning of a body, so that it can be sent, and sent again. The client chooses the size of the pieces, so
// small ones are put together. The attack: chunks of one byte, each of which would cost some hundred bytes of memory.

// Pieces of at least this size are kept as they are.
const LARGE_BYTES = 4096;

export class KeptBytes {
  /** Length of the kept part of the body. */
  lengthBytes = 0;
  /** Memory that it takes: at most twice its length, and one piece more. */
  sizeBytes = 0;
  #pieces: Buffer[] = [];
  // Memory of the last piece if it can be added to, and how much of it is in use.
  #tail: Buffer | undefined;
  #used = 0;

  get pieces(): readonly Buffer[] {
    return this.#pieces;
  }

  add(bytes: Buffer): void {
    this.lengthBytes += bytes.length;
    // Most bodies come in one piece.
    if (this.#pieces.length === 0 || bytes.length >= LARGE_BYTES) {
      this.#pieces.push(ownMemory(bytes));
      this.#tail = undefined;
      this.sizeBytes += bytes.length;
      return;
    }
    for (let at = 0; at < bytes.length; ) at += this.#copy(bytes, at);
  }

  clear(): void {
    this.#pieces = [];
    this.#tail = undefined;
    this.lengthBytes = 0;
    this.sizeBytes = 0;
  }

  #copy(bytes: Buffer, at: number): number {
    if (this.#tail === undefined || this.#used === LARGE_BYTES) {
      this.#tail = Buffer.allocUnsafeSlow(LARGE_BYTES);
      this.#used = 0;
      this.#pieces.push(this.#tail);
      this.sizeBytes += LARGE_BYTES;
    }
    const copied = bytes.copy(this.#tail, this.#used, at);
    this.#used += copied;
    // This only grows the view: bytes that a socket still has to write stay where they are.
    this.#pieces[this.#pieces.length - 1] = this.#tail.subarray(0, this.#used);
    return copied;
  }
}

// `http.Server` gives each piece memory of its own size. A piece of some larger memory would keep all of that alive, so
// it is copied.
function ownMemory(bytes: Buffer): Buffer {
  if (bytes.buffer.byteLength < 2 * bytes.length) return bytes;
  const memory = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(memory);
  return memory;
}
