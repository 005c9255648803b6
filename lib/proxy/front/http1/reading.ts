// Controls what is read of a client's connection, and how far ahead. A few requests wait here for the replies to those
// before; the bytes behind them wait in the socket. A request whose offer to switch protocols is ignored, or that has a
// body, is read a second time from here, without the offer.

import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { giveOneRequest, type Progress } from './one-request.ts';
import { HeadStop, type ParserError, readAnew, type Stopping } from './parser.ts';

// How many requests may wait, and how much memory they may hold together, before nothing more is read. The attack:
// 2,450 requests in 62 KiB behind a reply without end (test/proxy/pipelining.test.ts).
const MAX_WAITING = 8;
const MAX_WAITING_BYTES = 32_768;
const STRING_BYTES = 16;

/** A request that offers to switch protocols, to be read again without the offer. */
export interface Offer {
  /** The protocols to offer to the replica; empty if the offer is ignored. */
  readonly offered: string;
  /** The request's head without the offer. */
  readonly head: Buffer;
  /** Size of the request's body; Infinity if it is chunked. */
  readonly lengthBytes: number;
}

/** Whose connection it is. */
export interface ReadingOwner {
  /** Nothing that still comes is wanted. */
  readonly isOver: boolean;
}

export class Reading implements Stopping {
  readonly #socket: Socket;
  readonly #owner: ReadingOwner;
  #stop: HeadStop;
  #waiting = 0;
  #waitingBytes = 0;
  // Nothing more is read until no request waits.
  #full = false;
  #isBroken = false;
  // The offer of a request that is read again without it: `#offered` until the request begins, from then on the request
  // itself.
  #offered: string | undefined;
  #offering: Pick<IncomingMessage, 'complete'> | undefined;

  constructor(socket: Socket, owner: ReadingOwner) {
    this.#socket = socket;
    this.#owner = owner;
    this.#stop = this.watchParser();
  }

  get stopsNow(): boolean {
    return this.#full;
  }

  /** The client takes bytes again. */
  onDrain(): void {
    if (!this.#owner.isOver) this.#stop.onDrain();
  }

  /** Call it when `http.Server` has given the connection a parser. */
  watchParser(): HeadStop {
    this.#stop = new HeadStop(this.#socket, this);
    return this.#stop;
  }

  /** The client has ended its side, but Node has not said so because unread bytes come first. */
  get endsUnread(): boolean {
    return (this.#stop.rests || this.#offering?.complete === true) && this.#stop.hasEnded;
  }

  /** True if the parser's error only says that it stopped as told. False if it cannot read on. */
  hasStopped(error: ParserError): boolean {
    const rest = this.#stop.rest(error);
    if (rest === undefined) this.#isBroken = true;
    else if (!this.#owner.isOver) this.#stop.hold(rest);
    return rest !== undefined;
  }

  /** Counts a request that waits for the replies to those before it. */
  wait(request: IncomingMessage): void {
    const { url = '', rawHeaders } = request;
    this.#waiting += 1;
    this.#waitingBytes += rawHeaders.reduce((sum, text) => sum + text.length + STRING_BYTES, url.length);
    // A body is left in the socket until its request's turn, and so is everything behind it.
    this.#full ||= announcesBody(request) || this.#waiting >= MAX_WAITING || this.#waitingBytes >= MAX_WAITING_BYTES;
  }

  /** A request waits no longer. */
  goOn(): void {
    this.#waiting -= 1;
    if (this.#waiting > 0) return;
    this.#waitingBytes = 0;
    this.#full = false;
    this.#stop.goOn();
  }

  /**
   * Puts what was read behind the head of an offer back into the socket. This must happen at once, before Node tells
   * anybody that the client has ended its side.
   */
  putBack(early: Buffer, { offered, head }: Offer): void {
    if (early.length > 0) this.#socket.unshift(early);
    if (offered === '') this.#socket.unshift(head);
  }

  /**
   * Reads the offer's request, and on from there, with another parser. Nothing behind an offer that is passed on is
   * read, since that may be in another protocol. Must not be called from within a parser's callback.
   */
  begin(server: Server, { offered, head, lengthBytes }: Offer): void {
    if (this.#owner.isOver || this.#socket.destroyed) return;
    readAnew(server, this.#socket);
    if (offered === '') return;
    this.#offered = offered;
    giveOneRequest(this.#socket, head, lengthBytes, () => this.#progress());
  }

  /** The offer of the request that is about to begin, if it is read without it. */
  takeOffer(request: Pick<IncomingMessage, 'complete'>): string | undefined {
    const offered = this.#offered;
    if (offered !== undefined) this.#offering = request;
    this.#offered = undefined;
    return offered;
  }

  #progress(): Progress {
    if (this.#isBroken || this.#owner.isOver) return 'broken';
    return this.#offering?.complete === true ? 'whole' : 'reading';
  }
}

/** There is more of that request than its head, if only a body of no length. */
export function announcesBody({ headers }: IncomingMessage): boolean {
  return 'content-length' in headers || 'transfer-encoding' in headers;
}
