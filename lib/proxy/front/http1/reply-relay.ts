// Relays replies to one client, one after the other: the head in the client's terms, the body framed anew, in as few
// writes as there were reads. It writes straight to the socket: `ServerResponse` would build and check each head again,
// which costs a third of the CPU of a request (lib/README.md says how that was measured).

import type { Socket } from 'node:net';
import { replyHead } from '../../../http/headers.ts';
import type { ReplyHead } from '../../../http/reply-head.ts';
import { trailerSection } from '../../../http/trailers.ts';
import type { ProxyLimits } from '../../proxy-limits.ts';
import { COPY_BYTES, writeCopy, writeLastingCopy } from './copies.ts';
import type { ReplyMemory, Taker } from './reply-memory.ts';

// A small piece of a body is written together with its head. A larger one is not worth the copy.
const MERGE_BYTES = 16_384;
// Memory that a waiting write takes beside its bytes.
const WRITE_BYTES = 256;

export class ReplyRelay implements Taker {
  /** The connection can carry another reply after the one that was begun last. */
  goesOn = true;
  /** The connection is a tunnel: it passes bytes, and the end of either side, without looking at them. */
  isTunnel = false;
  readonly #socket: Socket;
  readonly #memory: ReplyMemory;
  // Size of the body, as far as it is known.
  #bodyBytes = 0;
  // Bytes of writes that may not be out yet, and how many of these are counted in the memory for replies.
  #unsentBytes = 0;
  #takenBytes = 0;
  readonly #limits: Pick<ProxyLimits, 'omitsVia'>;
  // Text that waits to be written with what follows it in the same read.
  #pending = '';
  // A part of the reply has gone out.
  #isOut = false;
  // All of the reply was written, if only to wait here.
  #isWhole = false;
  #framing: 'none' | 'length' | 'chunked' | 'close' = 'none';

  constructor(socket: Socket, memory: ReplyMemory, limits: Pick<ProxyLimits, 'omitsVia'>) {
    this.#socket = socket;
    this.#memory = memory;
    this.#limits = limits;
  }

  /** The client takes no more for now. */
  get blocked(): boolean {
    return this.#socket.writableNeedDrain && this.#socket.writableLength > 0;
  }

  /** The client takes no more, and there is no memory left to read ahead of it. */
  get full(): boolean {
    return this.blocked && !(this.#readsAhead && this.#memory.mayTake(this.#takenBytes));
  }

  /**
   * Call it when the reply holds no place at its replica, so that there is nothing to gain from reading ahead of the
   * client.
   */
  followClient(): void {
    this.#bodyBytes = Number.POSITIVE_INFINITY;
  }

  /**
   * Passes on an interim reply, and counts it like the rest. The attack: interim replies without end, to a client that
   * takes none (test/proxy/slow-readers.test.ts).
   */
  inform(head: ReplyHead): void {
    const text = replyHead(head, { clientMinor: 1, keepAlive: true, body: 'none', date: '' });
    this.#socket.write(text, 'latin1');
    this.#unsentBytes += WRITE_BYTES + text.length;
  }

  /**
   * Begins a reply.
   * @param mayGoOn the connection may go on after the reply, if its framing allows that.
   * @param date for a reply without one.
   * @param added more fields: name, value, name, value, …
   */
  begin(head: ReplyHead, clientMinor: number, mayGoOn: boolean, date: string, added: readonly string[]): void {
    this.#isOut = false;
    this.#isWhole = false;
    this.#bodyBytes = head.lengthBytes;
    this.#framing = head.framing;
    if (head.framing === 'chunked' || head.framing === 'close') {
      this.#framing = clientMinor === 0 ? 'close' : 'chunked';
    }
    this.goesOn = this.#framing !== 'close' && mayGoOn;
    const keepAlive = this.goesOn;
    const { omitsVia } = this.#limits;
    this.#pending = replyHead(head, { clientMinor, keepAlive, body: this.#framing, date, added, omitsVia });
  }

  /** Ends the connection so that nobody takes an incomplete reply for a complete one. */
  cut(): void {
    // An orderly end would look like the end of the reply.
    if (this.#framing === 'close') {
      this.#socket.resetAndDestroy();
      return;
    }
    this.flush();
    this.#socket.destroySoon();
  }

  /** Ends the connection at once. A reply that this end would seem to complete is reset. */
  abort(): void {
    const looksWhole = this.#framing === 'close' && !this.isTunnel;
    if (looksWhole && (!this.#isWhole || this.#socket.writableLength > 0)) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  /** Begins a tunnel, which only ends with the connection. `text` is the head of the 101. */
  beginTunnel(text: string): void {
    this.isTunnel = true;
    this.#framing = 'close';
    this.goesOn = false;
    this.#isOut = false;
    this.followClient();
    this.#pending = text;
  }

  /** Relays bytes of the body, which are only valid during the call. */
  body(bytes: Buffer): void {
    const chunked = this.#framing === 'chunked';
    if (this.#framing !== 'length') this.#bodyBytes += bytes.length;
    if (chunked) this.#pending += `${bytes.length.toString(16)}\r\n`;
    if (this.#pending.length + bytes.length <= MERGE_BYTES) {
      this.#pending += bytes.toString('latin1');
    } else {
      const isStuck = this.#socket.writableLength > 0;
      this.#socket.cork();
      this.#write();
      if (isStuck) writeLastingCopy(this.#socket, bytes);
      else writeCopy(this.#socket, bytes);
      this.#socket.uncork();
      this.#unsentBytes += WRITE_BYTES + (isStuck ? bytes.length : COPY_BYTES);
    }
    if (chunked) this.#pending += '\r\n';
  }

  end(trailers: readonly string[]): void {
    this.#isWhole = true;
    if (this.#framing === 'chunked') this.#pending += `0\r\n${trailerSection(trailers)}\r\n`;
    this.flush();
  }

  /** Drops the reply that was begun, unless something of it has gone out. Returns whether it was dropped. */
  takeBack(): boolean {
    if (this.#isOut) return false;
    this.#pending = '';
    return true;
  }

  flush(): void {
    this.#write();
    if (this.#socket.writableLength === 0) this.#unsentBytes = 0;
    else if (this.#readsAhead && this.#socket.writableNeedDrain) this.#take();
  }

  drop(): void {
    this.giveBack();
    this.#socket.resetAndDestroy();
  }

  /** The client has all of it, or has gone. */
  giveBack(): void {
    if (this.#takenBytes === 0) return;
    this.#memory.giveBack(this, this.#takenBytes);
    this.#takenBytes = 0;
    this.#unsentBytes = 0;
  }

  get #readsAhead(): boolean {
    return this.#memory.serves(this.#bodyBytes);
  }

  #write(): void {
    if (this.#pending === '') return;
    this.#isOut = true;
    this.#socket.write(this.#pending, 'latin1');
    this.#unsentBytes += WRITE_BYTES + this.#pending.length;
    this.#pending = '';
  }

  #take(): void {
    this.#memory.take(this, this.#unsentBytes - this.#takenBytes);
    this.#takenBytes = this.#unsentBytes;
  }
}
