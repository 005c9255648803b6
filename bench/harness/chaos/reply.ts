// Reads the replies of one connection as a client that believes nothing: a reply is whole if its own framing says so,
// and only then.

import { createHash, type Hash } from 'node:crypto';

export interface Reply {
  readonly status: number;
  /** By their names in lower case. */
  readonly fields: ReadonlyMap<string, string>;
  readonly bytes: number;
  readonly digest: string;
  /** How its body begins. */
  readonly beginning: string;
}

type Framing = { readonly type: 'length'; left: number } | { readonly type: 'chunked'; left: number; isLast: boolean };

const KEPT_BYTES = 400;
const HEAD_END = '\r\n\r\n';

export class ReplyReader {
  readonly #onInterim: () => void;
  #rest: Buffer = Buffer.alloc(0);
  #head: { status: number; fields: Map<string, string>; framing: Framing } | undefined;
  #hash: Hash = createHash('sha1');
  #bytes = 0;
  #beginning = '';

  /** @param onInterim is called for each 1xx. */
  constructor(onInterim: () => void) {
    this.#onInterim = onInterim;
  }

  /** Whether a byte of a reply has come that is not whole yet. */
  get isAmid(): boolean {
    return this.#head !== undefined || this.#rest.length > 0;
  }

  /** The head of the reply that is not whole yet. */
  get head(): { readonly status: number; readonly fields: ReadonlyMap<string, string> } | undefined {
    return this.#head;
  }

  /** Takes what was read, and returns the replies that are whole by it. Throws if it is no HTTP. */
  push(piece: Buffer): Reply[] {
    this.#rest = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const whole: Reply[] = [];
    for (;;) {
      if (this.#head === undefined && !this.#readHead()) return whole;
      if (!this.#readBody()) return whole;
      const { status, fields } = this.#head as { status: number; fields: Map<string, string> };
      const [bytes, digest, beginning] = [this.#bytes, this.#hash.digest('hex'), this.#beginning];
      whole.push({ status, fields, bytes, digest, beginning });
      this.#head = undefined;
      this.#hash = createHash('sha1');
      this.#bytes = 0;
      this.#beginning = '';
    }
  }

  #readHead(): boolean {
    const end = this.#rest.indexOf(HEAD_END);
    if (end === -1) return false;
    const [first = '', ...lines] = this.#rest.toString('latin1', 0, end).split('\r\n');
    this.#rest = this.#rest.subarray(end + HEAD_END.length);
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1]);
    if (Number.isNaN(status)) throw new Error(`a reply begins with ${JSON.stringify(first.slice(0, 80))}`);
    const fields = new Map(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    if (status < 200) {
      this.#onInterim();
      return this.#readHead();
    }
    const length = fields.get('content-length');
    const isChunked = fields.get('transfer-encoding') === 'chunked';
    if (!isChunked && length === undefined) throw new Error('a reply says nothing of its length');
    const framing: Framing = isChunked
      ? { type: 'chunked', left: 0, isLast: false }
      : { type: 'length', left: Number(length) };
    this.#head = { status, fields, framing };
    return true;
  }

  // Whether the body is whole.
  #readBody(): boolean {
    const { framing } = this.#head as { framing: Framing };
    if (framing.type === 'length') {
      framing.left -= this.#take(framing.left);
      return framing.left === 0;
    }
    for (;;) {
      if (framing.left > 2) framing.left -= this.#take(framing.left - 2);
      // What is left of a chunk is the end of its line.
      if (framing.left > 2 || (framing.left > 0 && this.#rest.length < framing.left)) return false;
      this.#rest = this.#rest.subarray(framing.left);
      framing.left = 0;
      if (framing.isLast) return true;
      const end = this.#rest.indexOf('\r\n');
      if (end === -1) return false;
      const size = Number.parseInt(this.#rest.toString('latin1', 0, end), 16);
      if (Number.isNaN(size)) throw new Error('a chunk has no size');
      this.#rest = this.#rest.subarray(end + 2);
      framing.isLast = size === 0;
      framing.left = size + 2;
    }
  }

  #take(most: number): number {
    const piece = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(piece.length);
    this.#hash.update(piece);
    this.#bytes += piece.length;
    if (this.#beginning.length < KEPT_BYTES) this.#beginning += piece.toString('latin1', 0, KEPT_BYTES);
    return piece.length;
  }
}
