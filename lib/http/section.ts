// Collects a head or trailer section, which is everything up to an empty line, from bytes that come in pieces of any
// size. It knows lines, not fields.

import { malformed } from './reply-head.ts';

const END = Buffer.from('\r\n\r\n');
const EMPTY = Buffer.alloc(0);
const CR = 0x0d;
const LF = 0x0a;
const START = 'HTTP/1.';

export interface Section {
  /** The text in latin1, each line with its CRLF, without the empty line. */
  readonly text: string;
  /** Index of the first byte behind the section. */
  readonly next: number;
}

/**
 * Looks at each byte once, however small the pieces are. The attack: a head of 64 KiB, byte by byte
 * (test/proxy/head-work.test.ts).
 */
export class SectionReader {
  readonly #maxBytes: number;
  // The section so far: `#partialBytes` bytes that have come, and room for more.
  #partial = EMPTY;
  #partialBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** No byte of a section has come. */
  get isEmpty(): boolean {
    return this.#partialBytes === 0;
  }

  /**
   * Puts a CRLF in front, so that even a section without any line ends with an empty line. The text then begins with
   * that CRLF.
   */
  beginWithLineEnd(): void {
    this.#keep(END, 0, 2);
  }

  /** Gives the section, or `undefined` while its end has not come. Throws `bad-reply`. */
  take(bytes: Buffer, at: number, isHead: boolean): Section | undefined {
    const earlierBytes = this.#partialBytes;
    if (earlierBytes === 0) {
      const end = bytes.indexOf(END, at);
      this.#checkSize((end === -1 ? bytes.length : end) - at);
      if (end !== -1) return { text: bytes.toString('latin1', at, end + 2), next: end + END.length };
    }
    // Copies no more than a section may have: anything beyond belongs to what follows it.
    const mostBytes = this.#maxBytes + END.length + 1 - earlierBytes;
    this.#keep(bytes, at, Math.min(bytes.length, at + mostBytes));
    const partial = this.#partial.subarray(0, this.#partialBytes);
    const end = partial.indexOf(END, Math.max(0, earlierBytes - END.length + 1));
    this.#checkSize(end === -1 ? partial.length : end);
    if (end === -1) {
      checkPartial(partial, earlierBytes, isHead);
      return undefined;
    }
    this.#partial = EMPTY;
    this.#partialBytes = 0;
    return { text: partial.toString('latin1', 0, end + 2), next: at + end + END.length - earlierBytes };
  }

  #checkSize(sizeBytes: number): void {
    if (sizeBytes > this.#maxBytes) throw malformed(`its head is larger than ${this.#maxBytes} bytes`);
  }

  // Copies the bytes, since they are only lent. The copy has room to grow, so that not every piece needs a new one.
  #keep(bytes: Buffer, from: number, until: number): void {
    const sizeBytes = this.#partialBytes + until - from;
    if (sizeBytes > this.#partial.length) {
      const room = Buffer.allocUnsafe(2 * sizeBytes);
      this.#partial.copy(room, 0, 0, this.#partialBytes);
      this.#partial = room;
    }
    bytes.copy(this.#partial, this.#partialBytes, from, until);
    this.#partialBytes = sizeBytes;
  }
}

// Refuses at once what can never become a head, instead of waiting for an end that will not come. Earlier bytes were
// checked when they came.
function checkPartial(bytes: Buffer, earlierBytes: number, isHead: boolean): void {
  if (isHead && earlierBytes < START.length && !startsLikeHead(bytes)) throw malformed('it is not HTTP/1.1');
  for (let lf = bytes.indexOf(LF, earlierBytes); lf !== -1; lf = bytes.indexOf(LF, lf + 1)) {
    if (bytes[lf - 1] !== CR) throw malformed('a line of its head ends without CR');
  }
}

function startsLikeHead(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, START.length) === START.slice(0, bytes.length);
}
