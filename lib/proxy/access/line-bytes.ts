// Lines of a log as bytes, written one part after the other into one buffer. Text put together from as many parts would
// cost more than twice as much where requests are served: it makes garbage, and is copied twice before it is written.

import assert from 'node:assert/strict';

const ROOM_BYTES = 81_920;
// Room for all that is no text from outside, and more.
const PART_BYTES = 1024;
// Of a character that is written out.
const MOST_BYTES = 6;
const ZERO = 0x30;
const QUOTE = 0x22;
const POINT = 0x2e;

/** A part that is the same in many lines: where its bytes are in FIXED. */
export type Part = number;

// In one place, so that they are at hand: a line has thirty such parts.
const FIXED = Buffer.alloc(2048);
// A part is where it begins, times 2^6, plus how long it is.
const PART_BITS = 6;
let fixedBytes = 0;

/** @param text of up to 63 characters. To be called when the program is loaded. */
export function fixed(text: string): Part {
  assert(text.length < 2 ** PART_BITS && fixedBytes + text.length <= FIXED.length, `there is no room for ${text}`);
  const part = (fixedBytes << PART_BITS) + text.length;
  fixedBytes += FIXED.write(text, fixedBytes, 'latin1');
  return part;
}

/** Gives the part another text of the same length. */
export function change(part: Part, text: string): void {
  FIXED.write(text, part >> PART_BITS, 'latin1');
}

// Printable ASCII, but for the quote and the backslash.
const SAFE = Uint8Array.from({ length: 256 }, (_, code) =>
  code >= 0x20 && code < 0x7f && code !== 0x22 && code !== 0x5c ? 1 : 0,
);

export class LineBytes {
  /** How many bytes there are. */
  size = 0;
  #bytes = Buffer.allocUnsafeSlow(ROOM_BYTES);
  #spare: Buffer<ArrayBuffer> | undefined;

  /** Gives the bytes and their memory away, and begins anew. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.subarray(0, this.size);
    this.#bytes = this.#spare ?? Buffer.allocUnsafeSlow(ROOM_BYTES);
    this.#spare = undefined;
    this.size = 0;
    return taken;
  }

  /** Memory that was given away is free again: new memory costs the system more than the lines in it cost us. */
  reuse(memory: ArrayBuffer): void {
    if (memory.byteLength === ROOM_BYTES) this.#spare = Buffer.from(memory);
  }

  /** Makes room for all the fixed parts and numbers of a line. Each text makes its own. */
  begin(): void {
    this.#makeRoom(PART_BYTES);
  }

  fixed(part: Part): void {
    const bytes = this.#bytes;
    let at = this.size;
    let from = part >> PART_BITS;
    const until = from + (part & (2 ** PART_BITS - 1));
    for (; from < until; from++) bytes[at++] = FIXED[from] as number;
    this.size = at;
  }

  /** A text in quotes, with `\u00XX` for what would end it in JSON, or is not printable ASCII. */
  jsonText(text: string): void {
    this.#bytes[this.size++] = QUOTE;
    this.#text(text, false);
    this.#bytes[this.size++] = QUOTE;
  }

  /** A text with `\xXX` for the same, as nginx has it. */
  plainText(text: string): void {
    this.#text(text, true);
  }

  /** A whole number from 0 up. */
  integer(value: number): void {
    if (value >= 2 ** 30) {
      // The last nine digits apart, as bitwise operators take 31 bits. A length that was announced may be any number.
      const safe = Math.min(value, Number.MAX_SAFE_INTEGER);
      const left = safe % 1e9;
      this.integer((safe - left) / 1e9);
      this.threeDigits(Math.floor(left / 1e6));
      this.threeDigits(Math.floor(left / 1e3) % 1000);
      this.threeDigits(left % 1000);
      return;
    }
    const bytes = this.#bytes;
    let end = this.size + 1;
    for (let most = 10; value >= most; most *= 10) end += 1;
    this.size = end;
    let left = value | 0;
    do {
      const tens = (left / 10) | 0;
      bytes[--end] = ZERO + (left - 10 * tens);
      left = tens;
    } while (left > 0);
  }

  /** Thousandths, as a number with three decimals. */
  thousandths(value: number): void {
    const whole = Math.floor(value / 1000);
    this.integer(whole);
    this.#bytes[this.size++] = POINT;
    this.threeDigits(value - 1000 * whole);
  }

  /** A number from 0 to 999, with three digits. */
  threeDigits(value: number): void {
    const bytes = this.#bytes;
    const at = this.size;
    const tens = (value / 10) | 0;
    const hundreds = (tens / 10) | 0;
    bytes[at] = ZERO + hundreds;
    bytes[at + 1] = ZERO + (tens - 10 * hundreds);
    bytes[at + 2] = ZERO + (value - 10 * tens);
    this.size = at + 3;
  }

  #text(text: string, isPlain: boolean): void {
    const most = PART_BYTES + MOST_BYTES * text.length;
    if (this.size + most > this.#bytes.length) this.#makeRoom(most);
    const bytes = this.#bytes;
    let at = this.size;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (SAFE[code] === 1) bytes[at++] = code;
      else at += bytes.write(isPlain ? hexByte(code) : escaped(code), at, 'latin1');
    }
    this.size = at;
  }

  #makeRoom(sizeBytes: number): void {
    if (this.size + sizeBytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(this.size + sizeBytes + ROOM_BYTES);
    this.#bytes.copy(larger, 0, 0, this.size);
    this.#bytes = larger;
  }
}

function escaped(code: number): string {
  if (code === 0x22) return '\\"';
  if (code === 0x5c) return '\\\\';
  return `\\u${code.toString(16).padStart(4, '0')}`;
}

function hexByte(code: number): string {
  return `\\x${(code & 0xff).toString(16).toUpperCase().padStart(2, '0')}`;
}
