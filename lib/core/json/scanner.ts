// Reads JSON as it comes, in pieces cut anywhere, and gives the few values that somebody wants of it. The rest is
// passed over byte by byte and never kept, so a scan takes time linear in the bytes and memory for its depth alone. It
// accepts what JSON.parse accepts; in what is malformed it stops at the first byte that cannot be. Texts are given as
// the bytes of their UTF-8, one character each (latin1), as the fields of a head are. Pure.

import { TextBytes } from './text-bytes.ts';

/** What is wanted of one value. */
export interface Wanted {
  /** Of a text, number, true or false: the bytes that are wanted at most; 0 if it is not wanted. */
  readonly mostBytes: number;
  /** A text without its escapes, or a number, true or false as it is written. Of a longer one its first bytes. */
  scalar?(text: string): void;
  /** It is an object: what is wanted of the member of this name. */
  member?(name: string): Wanted | undefined;
  /** It is a list: what is wanted of the next entry. */
  item?(): Wanted | undefined;
  /** The object or list is over. */
  end?(): void;
}

/** `open`: more bytes can follow. `broken`: this is no JSON, or too deep. */
export type ScanState = 'open' | 'whole' | 'broken';

const MOST_DEPTH = 512;
// Longer names are none that anybody asks for, and longer numbers are not looked at to their end.
const NAME_BYTES = 256;
const LITERAL_BYTES = 64;

// What comes next.
const VALUE = 0;
const FIRST_ITEM = 1;
const FIRST_NAME = 2;
const NAME = 3;
const COLON = 4;
const AFTER = 5;
const TEXT = 6;
const LITERAL = 7;
const END = 8;
const BROKEN = 9;

export class JsonScanner {
  // Of the objects and lists that are open, from the outermost.
  readonly #wanted: (Wanted | undefined)[] = [];
  readonly #areLists: boolean[] = [];
  readonly #text = new TextBytes();
  #next = VALUE;
  // Of the value that comes next or is being read.
  #of: Wanted | undefined;
  #isName = false;
  #literal = '';
  #literalBytes = 0;

  constructor(root: Wanted) {
    this.#of = root;
  }

  get state(): ScanState {
    if (this.#next === BROKEN) return 'broken';
    return this.#next === END ? 'whole' : 'open';
  }

  /** @param isDone nothing more is wanted. */
  feed(bytes: Uint8Array, isDone: () => boolean): void {
    for (let at = 0; at < bytes.length && this.#next !== BROKEN && !isDone(); ) {
      if (this.#next === TEXT) at = this.#readText(bytes, at);
      else if (this.#next === LITERAL) at = this.#readLiteral(bytes, at);
      else at = this.#readBetween(bytes, at);
    }
  }

  // Reads on until something begins of which somebody may be told, or that is long.
  #readBetween(bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length) {
      const byte = bytes[at] as number;
      at += 1;
      if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) continue;
      this.#next = this.#after(byte);
      // The first byte of a literal belongs to it.
      if (this.#next === LITERAL) return at - 1;
      break;
    }
    return at;
  }

  // What comes after a byte that is neither blank nor within a text or literal.
  #after(byte: number): number {
    switch (this.#next) {
      case VALUE:
        return this.#begin(byte);
      case FIRST_ITEM:
        if (byte === RIGHT_BRACKET) return this.#leave();
        this.#of = this.#wanted.at(-1)?.item?.();
        return this.#begin(byte);
      case FIRST_NAME:
        return byte === RIGHT_BRACE ? this.#leave() : this.#beginName(byte);
      case NAME:
        return this.#beginName(byte);
      case COLON:
        return byte === COLON_SIGN ? VALUE : BROKEN;
      case AFTER:
        return this.#afterValue(byte);
      default:
        return BROKEN;
    }
  }

  #begin(byte: number): number {
    if (byte === QUOTE) {
      this.#isName = false;
      this.#text.begin(this.#of?.scalar === undefined ? 0 : this.#of.mostBytes);
      return TEXT;
    }
    if (byte === LEFT_BRACE || byte === LEFT_BRACKET) return this.#enter(byte === LEFT_BRACKET);
    this.#literal = '';
    this.#literalBytes = 0;
    return isOfLiteral(byte) ? LITERAL : BROKEN;
  }

  #beginName(byte: number): number {
    if (byte !== QUOTE) return BROKEN;
    this.#isName = true;
    this.#text.begin(this.#wanted.at(-1)?.member === undefined ? 0 : NAME_BYTES + 1);
    return TEXT;
  }

  #afterValue(byte: number): number {
    const isList = this.#areLists.at(-1) === true;
    if (byte === (isList ? RIGHT_BRACKET : RIGHT_BRACE)) return this.#leave();
    if (byte !== COMMA) return BROKEN;
    if (!isList) return NAME;
    this.#of = this.#wanted.at(-1)?.item?.();
    return VALUE;
  }

  #enter(isList: boolean): number {
    if (this.#areLists.length === MOST_DEPTH) return BROKEN;
    this.#areLists.push(isList);
    this.#wanted.push(this.#of);
    return isList ? FIRST_ITEM : FIRST_NAME;
  }

  #leave(): number {
    this.#areLists.pop();
    this.#wanted.pop()?.end?.();
    return this.#areLists.length === 0 ? END : AFTER;
  }

  #readText(bytes: Uint8Array, from: number): number {
    const text = this.#text;
    const at = text.read(bytes, from);
    if (text.isBroken) this.#next = BROKEN;
    else if (this.#isName && text.isOver) this.#onName(text.value);
    else if (!this.#isName) this.#onText();
    return at;
  }

  #onName(name: string): void {
    this.#of = this.#wanted.at(-1)?.member?.(name);
    this.#next = COLON;
  }

  #onText(): void {
    const text = this.#text;
    // What is long is told when enough of it has come: its end may never come.
    const isEnough = text.isOver || text.isFull;
    if (isEnough && this.#of !== undefined) {
      if (this.#of.mostBytes > 0) this.#of.scalar?.(text.value);
      this.#of = undefined;
    }
    if (text.isOver) this.#next = this.#areLists.length === 0 ? END : AFTER;
  }

  #readLiteral(bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length && isOfLiteral(bytes[at] as number)) {
      if (this.#literalBytes < LITERAL_BYTES) this.#literal += String.fromCharCode(bytes[at] as number);
      this.#literalBytes += 1;
      at += 1;
    }
    if (at < bytes.length) this.#onLiteral();
    return at;
  }

  #onLiteral(): void {
    const literal = this.#literal;
    this.#next = this.#areLists.length === 0 ? END : AFTER;
    if (literal === 'null') return;
    const isCut = this.#literalBytes > LITERAL_BYTES;
    if (literal !== 'true' && literal !== 'false' && !(isCut ? NUMBER_START : NUMBER).test(literal))
      this.#next = BROKEN;
    else if (this.#of !== undefined && this.#of.mostBytes > 0) this.#of.scalar?.(literal.slice(0, this.#of.mostBytes));
  }
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON_SIGN = 0x3a;
const LEFT_BRACKET = 0x5b;
const RIGHT_BRACKET = 0x5d;
const LEFT_BRACE = 0x7b;
const RIGHT_BRACE = 0x7d;

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
// Of a number that is cut.
const NUMBER_START = /^-?(?:0|[1-9]\d*)(?:\.\d*)?(?:[eE][+-]?\d*)?$/;

// Letters in lower case, digits, `+`, `-`, `.` and `E`.
function isOfLiteral(byte: number): boolean {
  return (
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2b ||
    byte === 0x2d ||
    byte === 0x2e ||
    byte === 0x45
  );
}
