// Heads and trailer sections out of bytes that come in pieces of any size: everything up to an empty line. Knows lines, not fields.

import { malformed } from './reply-head.ts';

const END = Buffer.from('\r\n\r\n');
const EMPTY = Buffer.alloc(0);
const CR = 0x0d;
const LF = 0x0a;
const START = 'HTTP/1.';

export interface Section {
  /** In latin1, each line with its CRLF, the empty line left out. */
  readonly text: string;
  /** Where the bytes go on behind it. */
  readonly next: number;
}

/** Looks at each byte once, however small the pieces. The attack: a head of 64 KiB byte by byte (test/proxy/head-work.test.ts). */
export class SectionReader {
  readonly #maxBytes: number;
  // What has come of a section: the first bytes are its own, the rest is room for more.
  #partial = EMPTY;
  #partialBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Nothing of a section has come. */
  get isEmpty(): boolean {
    return this.#partialBytes === 0;
  }

  /** So that a section that may have no line at all ends with an empty line too. The text then begins with a CRLF. */
  beginWithLineEnd(): void {
    this.#keep(END, 0, 2);
  }

  /** The section, `undefined` as long as its end has not come. Throws `bad-reply`. */
  take(bytes: Buffer, at: number, isHead: boolean): Section | undefined {
    const earlierBytes = this.#partialBytes;
    if (earlierBytes === 0) {
      const end = bytes.indexOf(END, at);
      this.#checkSize((end === -1 ? bytes.length : end) - at);
      if (end !== -1) return { text: bytes.toString('latin1', at, end + 2), next: end + END.length };
    }
    // No more than a section may have: what follows it in these bytes is not for here.
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

  // A copy, since the bytes are only lent; with room to grow, so that it is not made anew for each piece.
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

// Refuses at once what can never become a head, instead of waiting for an end that will not come. The earlier bytes were looked at
// when they came.
function checkPartial(bytes: Buffer, earlierBytes: number, isHead: boolean): void {
  if (isHead && earlierBytes < START.length && !startsLikeHead(bytes)) throw malformed('it is not HTTP/1.1');
  for (let lf = bytes.indexOf(LF, earlierBytes); lf !== -1; lf = bytes.indexOf(LF, lf + 1)) {
    if (bytes[lf - 1] !== CR) throw malformed('a line of its head ends without CR');
  }
}

function startsLikeHead(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, START.length) === START.slice(0, bytes.length);
}
