// Reads a client's connection for as long as its requests are plain. At the first one that is not, the connection is
// given to `http.Server`, which reads it from there to its end.

import type { Socket } from 'node:net';
import { type PlainHead, readPlainHead } from './plain-head.ts';
import { PlainRequest } from './plain-request.ts';
import { readAsStream, readOn } from './shared-buffer.ts';

// What may come behind the request under way before reading pauses. Until then a client that leaves is noticed.
const MOST_HELD_BYTES = 32_768;
const ROOM_BYTES = 8192;
const NOTHING = Buffer.alloc(0);

/** Whose connection it is. */
export interface PlainOwner {
  /** Nothing that still comes is wanted. */
  readonly isOver: boolean;
  /** Begins a request; `goOn` is called when its reply is complete. False leaves it to `http.Server`. */
  beginPlain(request: PlainRequest): boolean;
  /** Gives the connection to `http.Server`. */
  serveOtherwise(): void;
}

export class PlainReader {
  readonly #socket: Socket;
  readonly #limits: { readonly maxHeadBytes: number; readonly servesHalfClosed: boolean };
  readonly #owner: PlainOwner;
  // A request is under way.
  #isBusy = false;
  // What has come behind it: bytes from `#from` to `#to`.
  #held = NOTHING;
  #from = 0;
  #to = 0;
  #readsHeld = false;

  constructor(
    socket: Socket,
    limits: { readonly maxHeadBytes: number; readonly servesHalfClosed: boolean },
    owner: PlainOwner,
  ) {
    this.#socket = socket;
    this.#limits = limits;
    this.#owner = owner;
  }

  /** Bytes have come behind the request under way. */
  get holds(): boolean {
    return this.#to > this.#from;
  }

  /** Takes bytes, which are only lent. False asks for a pause. */
  take(bytes: Buffer): boolean {
    if (this.#owner.isOver) return true;
    if (this.#isBusy || this.holds) this.#hold(bytes);
    else {
      const head = readPlainHead(bytes, 0, this.#limits.maxHeadBytes);
      if (head !== undefined && head.next < bytes.length) this.#hold(bytes.subarray(head.next));
      if (!this.#begin(head)) this.#leave(bytes);
    }
    return !this.holds || this.#mayHoldMore;
  }

  get #mayHoldMore(): boolean {
    // Where a client may end its side and read on, that end must not be noticed before what came ahead of it is served.
    return !this.#limits.servesHalfClosed && this.#to - this.#from <= MOST_HELD_BYTES;
  }

  /** The reply to the request under way is complete. */
  goOn(): void {
    this.#isBusy = false;
    // Thousands of replies may be complete at once, so this must not call itself.
    if (!this.holds || this.#readsHeld) return;
    this.#readsHeld = true;
    while (this.holds && !this.#isBusy && !this.#owner.isOver) {
      const held = this.#held.subarray(this.#from, this.#to);
      const head = readPlainHead(held, 0, this.#limits.maxHeadBytes);
      if (head !== undefined) this.#from += head.next;
      if (!this.#begin(head)) this.#leave(held);
    }
    this.#readsHeld = false;
    if (this.holds) return;
    this.#drop();
    readOn(this.#socket);
  }

  #begin(head: PlainHead | undefined): boolean {
    if (head === undefined) return false;
    this.#isBusy = true;
    return this.#owner.beginPlain(new PlainRequest(head));
  }

  #leave(rest: Buffer): void {
    readAsStream(this.#socket, rest);
    this.#drop();
    this.#owner.serveOtherwise();
  }

  #drop(): void {
    this.#held = NOTHING;
    this.#from = 0;
    this.#to = 0;
  }

  #hold(bytes: Buffer): void {
    const sizeBytes = this.#to - this.#from + bytes.length;
    if (this.#to + bytes.length > this.#held.length) {
      // Room for more, so that not every byte needs a copy of all.
      const room = Buffer.allocUnsafeSlow(sizeBytes + Math.min(sizeBytes, ROOM_BYTES));
      this.#to = this.#held.copy(room, 0, this.#from, this.#to);
      this.#from = 0;
      this.#held = room;
    }
    this.#to += bytes.copy(this.#held, this.#to);
  }
}
