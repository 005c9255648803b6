// Reads the HTTP/1.1 framing of what a replica sends: bytes go in, in pieces of any size; heads, body bytes and ends
// come out. It knows RFC 9112 and nothing of sockets. It refuses a reply that can be read in two ways, since the bytes
// after such a reply would be ambiguous too.

import { malformed, parseReplyHead, parseTrailers, type ReplyHead } from './reply-head.ts';
import { SectionReader } from './section.ts';

/** Gets what the reader finds. The reader calls in this order: onInformation*, onHead or onSwitch, onBody*, onEnd. */
export interface ReplySink {
  /** An interim reply, 1xx. */
  onInformation(head: ReplyHead): void;
  onHead(head: ReplyHead): void;
  /**
   * A 101 that the request allowed. All further bytes, until the connection ends, are of the new protocol. May throw
   * `bad-reply`.
   */
  onSwitch(head: ReplyHead): void;
  /** Bytes of the body, without transfer coding. The view is only valid during the call. */
  onBody(bytes: Buffer): void;
  /** The reply is whole. `trailers` has the form of `ReplyHead.fields`. */
  onEnd(trailers: readonly string[]): void;
}

type Phase =
  | 'head'
  | 'length'
  | 'chunk-size'
  | 'chunk-blank'
  | 'chunk-extension'
  | 'chunk-size-end'
  | 'chunk-data'
  | 'chunk-data-end'
  | 'trailers'
  | 'until-close'
  | 'done';

const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;
const NO_TRAILERS: readonly string[] = [];
// The largest size is 2^52 - 1, which a double holds exactly.
const MAX_CHUNK_DIGITS = 13;
// How many bytes of leading zeros, and of blanks and extensions, a chunk size may have.
const MAX_PADDING_BYTES = 1024;

export interface ReaderLimits {
  /** Limits the head, and a trailer section too. */
  readonly maxHeadBytes: number;
  /** Limits the fields of the head or trailer section, and the elements of the lists that are read. */
  readonly maxFields: number;
}

export class ReplyReader {
  readonly #maxFields: number;
  readonly #section: SectionReader;
  #phase: Phase = 'done';
  #method = '';
  #offers = false;
  #begun = false;
  #excess = false;
  #persistent = false;
  // How many bytes of the body, or of the chunk, are still to come.
  #remaining = 0;
  #digits = 0;
  #paddingBytes = 0;
  #lineFeedDue = false;

  constructor({ maxHeadBytes, maxFields }: ReaderLimits) {
    this.#section = new SectionReader(maxHeadBytes);
    this.#maxFields = maxFields;
  }

  /** The first byte of this reply has come. */
  get begun(): boolean {
    return this.#begun;
  }

  /** The head of the final reply has come. */
  get headCame(): boolean {
    return this.#phase !== 'head';
  }

  /** The reply has ended, nothing came after it, and both sides may use the connection again. */
  get reusable(): boolean {
    return this.#phase === 'done' && this.#persistent && !this.#excess;
  }

  /**
   * Call it when a request is sent: the next bytes answer that request. `offers` says that it offered to switch
   * protocols.
   */
  expectReply(method: string, offers = false): void {
    this.#method = method;
    this.#offers = offers;
    this.#phase = 'head';
    this.#begun = false;
    this.#excess = false;
  }

  /** Takes the next bytes. Throws `bad-reply` if they are not HTTP/1.1; the connection must not be used after that. */
  read(bytes: Buffer, sink: ReplySink): void {
    this.#begun = true;
    let at = 0;
    while (at < bytes.length) at = this.#step(bytes, at, sink);
  }

  /** Call it when nobody wants the rest of this reply. */
  stop(): void {
    this.#phase = 'done';
    this.#excess = true;
  }

  /**
   * Call it when the connection has ended, which ends a reply without other framing. Throws `bad-reply` if the reply
   * was cut.
   */
  finish(sink: ReplySink): void {
    if (this.#phase === 'done') return;
    if (this.#phase !== 'until-close') throw malformed('it ended before it was complete');
    this.#phase = 'done';
    sink.onEnd(NO_TRAILERS);
  }

  #step(bytes: Buffer, at: number, sink: ReplySink): number {
    switch (this.#phase) {
      case 'head':
        return this.#readHead(bytes, at, sink);
      case 'length':
      case 'chunk-data':
        return this.#readSized(bytes, at, sink);
      case 'until-close':
        sink.onBody(at === 0 ? bytes : bytes.subarray(at));
        return bytes.length;
      case 'chunk-size':
      case 'chunk-blank':
      case 'chunk-extension':
      case 'chunk-size-end':
        return this.#readChunkLine(bytes, at);
      case 'chunk-data-end':
        return this.#readChunkDataEnd(bytes, at);
      case 'trailers':
        return this.#readTrailers(bytes, at, sink);
      case 'done':
        // Nobody asked for these bytes. They are not interpreted, and the connection is not used again.
        this.#excess = true;
        return bytes.length;
    }
  }

  #readHead(bytes: Buffer, at: number, sink: ReplySink): number {
    const taken = this.#section.take(bytes, at, true);
    if (taken === undefined) return bytes.length;
    const head = parseReplyHead(taken.text, this.#method, this.#maxFields);
    if (head.status === 101) {
      // A server must not switch to what was not offered (RFC 9110, 15.2.2).
      if (!this.#offers) throw malformed('it switches protocols unasked');
      this.#phase = 'until-close';
      this.#persistent = false;
      sink.onSwitch(head);
      return taken.next;
    }
    if (head.status < 200) {
      sink.onInformation(head);
      return taken.next;
    }
    this.#persistent = head.persistent;
    this.#remaining = head.lengthBytes;
    this.#phase = head.framing === 'chunked' ? 'chunk-size' : head.framing === 'close' ? 'until-close' : 'length';
    if (head.framing === 'chunked') this.#beginChunk();
    sink.onHead(head);
    if (this.#phase === 'length' && this.#remaining === 0) this.#end(bytes, taken.next, sink, NO_TRAILERS);
    return taken.next;
  }

  #readSized(bytes: Buffer, at: number, sink: ReplySink): number {
    const end = Math.min(bytes.length, at + this.#remaining);
    this.#remaining -= end - at;
    sink.onBody(bytes.subarray(at, end));
    if (this.#remaining > 0) return end;
    if (this.#phase === 'chunk-data') {
      this.#phase = 'chunk-data-end';
      this.#lineFeedDue = false;
    } else {
      this.#end(bytes, end, sink, NO_TRAILERS);
    }
    return end;
  }

  // chunk-size [ chunk-ext ] CRLF (RFC 9112, 7.1). Extensions hold for one hop only, so they are dropped.
  #readChunkLine(bytes: Buffer, at: number): number {
    const byte = bytes[at] as number;
    if (this.#phase === 'chunk-size') {
      const digit = hexDigit(byte);
      if (digit >= 0) {
        this.#readDigit(digit);
        return at + 1;
      }
      if (this.#digits + this.#paddingBytes === 0) throw malformed('a chunk has no size');
      if (byte === CR) this.#phase = 'chunk-size-end';
      else if (byte === SEMICOLON) this.#phase = 'chunk-extension';
      else if (isBlank(byte)) this.#phase = 'chunk-blank';
      else throw malformed('a chunk size is not hexadecimal');
      return at + 1;
    }
    if (this.#phase === 'chunk-blank' || this.#phase === 'chunk-extension') {
      this.#paddingBytes += 1;
      if (byte === CR) this.#phase = 'chunk-size-end';
      else if (byte === SEMICOLON) this.#phase = 'chunk-extension';
      // Some servers pad a size with blanks, which is harmless: blanks alone can mean nothing else.
      else if (this.#phase === 'chunk-blank' && !isBlank(byte))
        throw malformed('a chunk size is followed by something');
      else if ((byte < 0x20 && byte !== 0x09) || byte === 0x7f) throw malformed('a chunk extension has a control byte');
      else if (this.#paddingBytes > MAX_PADDING_BYTES) throw malformed('a chunk extension is too long');
      return at + 1;
    }
    if (byte !== LF) throw malformed('a chunk size does not end with CRLF');
    this.#phase = this.#remaining > 0 ? 'chunk-data' : 'trailers';
    return at + 1;
  }

  #beginChunk(): void {
    this.#remaining = 0;
    this.#digits = 0;
    this.#paddingBytes = 0;
  }

  // Leading zeros are allowed, since some servers pad chunk sizes to fill them in later.
  #readDigit(digit: number): void {
    if (digit === 0 && this.#digits === 0) {
      this.#paddingBytes += 1;
      if (this.#paddingBytes > MAX_PADDING_BYTES) throw malformed('a chunk size has too many zeros');
      return;
    }
    this.#remaining = this.#remaining * 16 + digit;
    this.#digits += 1;
    if (this.#digits > MAX_CHUNK_DIGITS) throw malformed('a chunk is larger than 2^52 bytes');
  }

  #readChunkDataEnd(bytes: Buffer, at: number): number {
    if (bytes[at] !== (this.#lineFeedDue ? LF : CR)) throw malformed('a chunk is longer than its size');
    if (this.#lineFeedDue) {
      this.#phase = 'chunk-size';
      this.#beginChunk();
    }
    this.#lineFeedDue = !this.#lineFeedDue;
    return at + 1;
  }

  #readTrailers(bytes: Buffer, at: number, sink: ReplySink): number {
    if (this.#section.isEmpty) {
      if (bytes[at] === CR && bytes[at + 1] === LF) {
        this.#end(bytes, at + 2, sink, NO_TRAILERS);
        return at + 2;
      }
      this.#section.beginWithLineEnd();
    }
    const taken = this.#section.take(bytes, at, false);
    if (taken === undefined) return bytes.length;
    this.#end(bytes, taken.next, sink, parseTrailers(taken.text.slice(2), this.#maxFields));
    return taken.next;
  }

  #end(bytes: Buffer, next: number, sink: ReplySink, trailers: readonly string[]): void {
    this.#phase = 'done';
    this.#excess = next < bytes.length;
    sink.onEnd(trailers);
  }
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
