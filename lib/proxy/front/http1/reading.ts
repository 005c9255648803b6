// What is read of a client's connection, and how far ahead: a few requests wait for the replies to those before them, what is behind
// waits in the socket. And what is read anew: a request whose offer to switch protocols is passed over, or has a body before it.

import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { giveOneRequest, type Progress } from './one-request.ts';
import { HeadStop, type ParserError, readAnew, type Stopping } from './parser.ts';

// Requests that may wait, and what they may hold in memory together before nothing more is read. The attack: 2,450 requests in 62 KiB
// behind a reply without end (test/proxy/pipelining.test.ts).
const MAX_WAITING = 8;
const MAX_WAITING_BYTES = 32_768;
const STRING_BYTES = 16;

/** A request that offers to switch protocols, to be read without the offer. */
export interface Offer {
  /** What of it is offered on; empty if it is passed over. */
  readonly offered: string;
  /** Its head without the offer. */
  readonly head: Buffer;
  /** Of the body; Infinity if it is chunked. */
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
  // Nothing more is read until none waits.
  #full = false;
  #isBroken = false;
  // What a request offers that is read without it: before it has begun, and then the request.
  #offered: string | undefined;
  #offering: IncomingMessage | undefined;

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

  /** `http.Server` has a parser for the connection. */
  watchParser(): HeadStop {
    this.#stop = new HeadStop(this.#socket, this);
    return this.#stop;
  }

  /** The client has ended its side behind what waits to be read: nobody is told of that. */
  get endsUnread(): boolean {
    return (this.#stop.rests || this.#offering?.complete === true) && this.#stop.hasEnded;
  }

  /** True if that error of the parser says only that it has stopped, as it was told to; else it cannot read on. */
  hasStopped(error: ParserError): boolean {
    const rest = this.#stop.rest(error);
    if (rest === undefined) this.#isBroken = true;
    else if (!this.#owner.isOver) this.#stop.hold(rest);
    return rest !== undefined;
  }

  /** That request waits for the replies to those before it. */
  wait(request: IncomingMessage): void {
    const { url = '', rawHeaders } = request;
    this.#waiting += 1;
    this.#waitingBytes += rawHeaders.reduce((sum, text) => sum + text.length + STRING_BYTES, url.length);
    // A body waits where it is, and what is behind it too.
    this.#full ||= announcesBody(request) || this.#waiting >= MAX_WAITING || this.#waitingBytes >= MAX_WAITING_BYTES;
  }

  /** One waits no longer. */
  goOn(): void {
    this.#waiting -= 1;
    if (this.#waiting > 0) return;
    this.#waitingBytes = 0;
    this.#full = false;
    this.#stop.goOn();
  }

  /** What was read behind the head of an offer waits to be read again: at once, before anybody is told of the end behind it. */
  putBack(early: Buffer, { offered, head }: Offer): void {
    if (early.length > 0) this.#socket.unshift(early);
    if (offered === '') this.#socket.unshift(head);
  }

  /**
   * Reads the offer and on from there with another parser. Of one that is not passed over nothing behind it is read, since that may
   * be in another protocol. Not to be called by what a parser calls.
   */
  begin(server: Server, { offered, head, lengthBytes }: Offer): void {
    if (this.#owner.isOver || this.#socket.destroyed) return;
    readAnew(server, this.#socket);
    if (offered === '') return;
    this.#offered = offered;
    giveOneRequest(this.#socket, head, lengthBytes, () => this.#progress());
  }

  /** What the request offers that is about to begin, if it was read without it. */
  takeOffer(request: IncomingMessage): string | undefined {
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
