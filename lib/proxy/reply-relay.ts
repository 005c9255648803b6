// Replies on their way to one client, one after the other: the head in the client's terms, the body framed anew, in as few writes as
// there are reads. Straight to the client's socket: `ServerResponse` would build and check each head once more, which costs a third
// of the CPU of a request (lib/README.md says how that was measured).

import type { Socket } from 'node:net';
import { writeCopy } from './copies.ts';
import { replyHead } from './headers.ts';
import type { ReplyHead } from './reply-head.ts';
import { trailerSection } from './trailers.ts';

// A small piece of a body goes out in one write with its head; a larger one is not worth the copy.
const MERGE_BYTES = 16_384;

export class ReplyRelay {
  /** After the reply that was begun last the connection can carry another. */
  goesOn = true;
  readonly #socket: Socket;
  // Text that waits to be written with what follows it in the same read.
  #pending = '';
  // A part of the reply has gone out.
  #isOut = false;
  #framing: 'none' | 'length' | 'chunked' | 'close' = 'none';

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** The client takes no more for now. */
  get blocked(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** Passes on an interim reply. */
  inform(head: ReplyHead): void {
    this.#socket.write(replyHead(head, { clientMinor: 1, keepAlive: true, body: 'none', date: '' }), 'latin1');
  }

  /**
   * Begins a reply.
   * @param mayGoOn the connection may go on after it, should the framing allow it.
   * @param date for a reply without one. @param added fields, each with its CRLF.
   */
  begin(head: ReplyHead, clientMinor: number, mayGoOn: boolean, date: string, added: string): void {
    this.#isOut = false;
    this.#framing = head.framing;
    if (head.framing === 'chunked' || head.framing === 'close') {
      this.#framing = clientMinor === 0 ? 'close' : 'chunked';
    }
    this.goesOn = this.#framing !== 'close' && mayGoOn;
    const keepAlive = this.goesOn;
    this.#pending = replyHead(head, { clientMinor, keepAlive, body: this.#framing, date, added });
  }

  /** Ends the connection so that nobody takes what was begun for the whole. */
  cut(): void {
    // An end would look like that of the reply.
    if (this.#framing === 'close') {
      this.#socket.resetAndDestroy();
      return;
    }
    this.flush();
    this.#socket.destroySoon();
  }

  /** Begins what has no end but that of the connection, with this text. */
  beginTunnel(text: string): void {
    this.#framing = 'close';
    this.goesOn = false;
    this.#isOut = false;
    this.#pending = text;
  }

  /** The bytes are only lent. */
  body(bytes: Buffer): void {
    const chunked = this.#framing === 'chunked';
    if (chunked) this.#pending += `${bytes.length.toString(16)}\r\n`;
    if (this.#pending.length + bytes.length <= MERGE_BYTES) {
      this.#pending += bytes.toString('latin1');
    } else {
      this.#socket.cork();
      this.flush();
      writeCopy(this.#socket, bytes);
      this.#socket.uncork();
    }
    if (chunked) this.#pending += '\r\n';
  }

  end(trailers: readonly string[]): void {
    if (this.#framing === 'chunked') this.#pending += `0\r\n${trailerSection(trailers)}\r\n`;
    this.flush();
  }

  /** Drops the reply that has begun, if nothing of it has gone out. False if something has. */
  takeBack(): boolean {
    if (this.#isOut) return false;
    this.#pending = '';
    return true;
  }

  flush(): void {
    if (this.#pending === '') return;
    this.#isOut = true;
    this.#socket.write(this.#pending, 'latin1');
    this.#pending = '';
  }
}
