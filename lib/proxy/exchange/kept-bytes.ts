// The beginning of a body, kept so that it can be sent, and sent once more. Its client chooses the pieces: small ones are put
// together, since a piece costs some hundred bytes beside its own (the attack: chunks of one byte).

// Pieces from here on are not put together.
const LARGE_BYTES = 4096;

export class KeptBytes {
  /** Bytes of the body that are kept. */
  lengthBytes = 0;
  /** Bytes of memory that they take: at most twice their length and a piece more. */
  sizeBytes = 0;
  #pieces: Buffer[] = [];
  // Memory of the last piece, and how much of it is in use: 0 if it is none to be added to.
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
    // Bytes that a socket still has to write are before those that were added.
    this.#pieces[this.#pieces.length - 1] = this.#tail.subarray(0, this.#used);
    return copied;
  }
}

// `http.Server` gives each piece memory of its own size. What is part of something larger would keep all of that.
function ownMemory(bytes: Buffer): Buffer {
  if (bytes.buffer.byteLength < 2 * bytes.length) return bytes;
  const memory = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(memory);
  return memory;
}
