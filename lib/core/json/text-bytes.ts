// Reads one text of JSON, from behind its first quote, in pieces cut anywhere: undoes its escapes, keeps its first
// bytes in UTF-8 and passes over the rest. Pure.

// What comes next: bytes as they are, the character behind a backslash, or digits of `\u0000`.
const PLAIN = 0;
const ESCAPED = 1;
const DIGITS = 2;

const SHORT_BYTES = 32;

export class TextBytes {
  /** Its end has come. */
  isOver = false;
  /** It is no text of JSON. */
  isBroken = false;
  #mostBytes = 0;
  #value = '';
  #next = PLAIN;
  #digits = 0;
  #code = 0;
  // The first half of a pair of surrogates, which together are one character; 0 if none waits for its other half.
  #high = 0;

  /** A text begins, of which so many bytes are wanted at most. */
  begin(mostBytes: number): void {
    this.isOver = false;
    this.#mostBytes = mostBytes;
    this.#value = '';
    this.#next = PLAIN;
    this.#high = 0;
  }

  /** What has been read of it, as far as it is wanted; a character for each byte. */
  get value(): string {
    return this.#value;
  }

  /** As much has been read as is wanted. */
  get isFull(): boolean {
    return this.#value.length >= this.#mostBytes;
  }

  /** Reads from `from` to the end of the text, or of the bytes. Returns where it stopped. */
  read(bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length && !this.isOver && !this.isBroken) {
      if (this.#next === PLAIN) {
        at = this.#readPlain(bytes, at);
        continue;
      }
      const byte = bytes[at] as number;
      if (this.#next === ESCAPED) this.#unescape(byte);
      else this.#readDigit(byte);
      at += 1;
    }
    return at;
  }

  #readPlain(bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length && PLAIN_BYTES[bytes[at] as number] === 1) at += 1;
    if (at > from) this.#keep(bytes, from, at);
    if (at === bytes.length) return at;
    const byte = bytes[at] as number;
    if (byte === QUOTE) {
      this.#flushHigh();
      this.isOver = true;
    } else if (byte === BACKSLASH) {
      this.#next = ESCAPED;
    } else {
      this.isBroken = true;
    }
    return at + 1;
  }

  #keep(bytes: Uint8Array, from: number, to: number): void {
    this.#flushHigh();
    const most = this.#mostBytes - this.#value.length;
    if (most <= 0) return;
    const end = Math.min(to, from + most);
    // Names are short, and most texts are passed over.
    if (end - from > SHORT_BYTES) this.#value += String.fromCharCode(...bytes.subarray(from, end));
    else for (let at = from; at < end; at++) this.#value += String.fromCharCode(bytes[at] as number);
  }

  #unescape(byte: number): void {
    if (byte === LETTER_U) {
      this.#next = DIGITS;
      this.#digits = 0;
      this.#code = 0;
      return;
    }
    const character = ESCAPES[byte];
    if (character === undefined) {
      this.isBroken = true;
      return;
    }
    this.#flushHigh();
    this.#append(character);
    this.#next = PLAIN;
  }

  #readDigit(byte: number): void {
    const digit = digitOf(byte);
    if (digit === -1) {
      this.isBroken = true;
      return;
    }
    this.#code = this.#code * 16 + digit;
    this.#digits += 1;
    if (this.#digits < 4) return;
    this.#next = PLAIN;
    this.#onCode(this.#code);
  }

  #onCode(code: number): void {
    if (code >= 0xdc00 && code <= 0xdfff && this.#high !== 0) {
      const whole = 0x10000 + ((this.#high - 0xd800) << 10) + (code - 0xdc00);
      this.#high = 0;
      this.#append(utf8(whole));
      return;
    }
    this.#flushHigh();
    if (code >= 0xd800 && code <= 0xdbff) this.#high = code;
    else this.#append(utf8(code >= 0xdc00 && code <= 0xdfff ? REPLACEMENT : code));
  }

  // Half a pair has no UTF-8: it is replaced, as by whoever writes such a text.
  #flushHigh(): void {
    if (this.#high === 0) return;
    this.#high = 0;
    this.#append(utf8(REPLACEMENT));
  }

  #append(text: string): void {
    const most = this.#mostBytes - this.#value.length;
    if (most > 0) this.#value += text.slice(0, most);
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
const REPLACEMENT = 0xfffd;

// By the byte behind a backslash.
const ESCAPES: Readonly<Record<number, string>> = {
  34: '"',
  92: '\\',
  47: '/',
  98: '\b',
  102: '\f',
  110: '\n',
  114: '\r',
  116: '\t',
};

// Those that stand for themselves: all but control bytes, quotes and backslashes.
const PLAIN_BYTES = new Uint8Array(256).fill(1, 0x20);
PLAIN_BYTES[QUOTE] = 0;
PLAIN_BYTES[BACKSLASH] = 0;

function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function utf8(code: number): string {
  if (code < 0x80) return String.fromCharCode(code);
  if (code < 0x800) return String.fromCharCode(0xc0 | (code >> 6), tail(code));
  if (code < 0x10000) return String.fromCharCode(0xe0 | (code >> 12), tail(code >> 6), tail(code));
  return String.fromCharCode(0xf0 | (code >> 18), tail(code >> 12), tail(code >> 6), tail(code));
}

function tail(code: number): number {
  return 0x80 | (code & 0x3f);
}
