// One client's connection: whose turn it is, how long it may be idle, and how it ends. `http.Server` owns the socket and reads from
// it; replies are written to it here, and `http.Server` is told that one is over by the `finish` event of its response.

import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { BalancerError } from '../../../errors.ts';
import { ipv4AsSuch } from '../../../http/trust.ts';
import type { Occupant } from '../../exchange/downstream.ts';
import type { ProxyLimits } from '../../proxy-limits.ts';
import { errorReply } from '../error-reply.ts';
import { QuietResponse } from './own-requests.ts';
import { announcesBody, type Offer, Reading, type ReadingOwner } from './reading.ts';
import type { ReplyMemory } from './reply-memory.ts';
import { ReplyRelay } from './reply-relay.ts';

export interface ClientTerms {
  readonly limits: ProxyLimits;
  readonly trusts: (address: string) => boolean;
  readonly replies: ReplyMemory;
  /** A connection is refused without there being a request: gives the id that the client is told. */
  readonly onRefused: (error: BalancerError) => number;
}

// How long a client that is still sending when it has its answer may go on: what it sends is read and dropped, since closing
// with bytes unread would reset the connection and take the answer with it (RFC 9112, 9.6).
const LINGER_MS = 2000;

// What the system sends at once on a new connection (RFC 6928): it is on its way before a reset can be.
const FIRST_FLIGHT_BYTES = 14_000;

const CLIENT = Symbol('client');
type ClientSocket = Socket & { [CLIENT]?: Client };

/** The client at the other end of that socket, if there is one already. */
export function clientOf(socket: Socket): Client | undefined {
  return (socket as ClientSocket)[CLIENT];
}

export class Client implements ReadingOwner {
  readonly socket: Socket;
  /** IP address, IPv4 as such also on a dual-stack listener. */
  readonly address: string;
  /** Its word on where a request comes from is taken. */
  readonly trusted: boolean;
  readonly omitsVia: boolean;
  readonly relay: ReplyRelay;
  readonly reading: Reading;
  /** It is not one too many. */
  isAdmitted = true;
  /** The request under way, if there is one. */
  occupant: Occupant | undefined;
  readonly #terms: ClientTerms;
  readonly #onClosed: (client: Client) => void;
  // Requests that were begun, and those that have come but have no whole reply yet.
  #requests = 0;
  #open = 0;
  // Of the request under way, if the balancer answers it itself.
  #own: ServerResponse | undefined;
  #ending = false;
  // The client asked for the end of the connection behind the request under way, which is a head alone.
  #saysLast = false;
  // The client has ended its side and is not waited for: the reply that it has coming is the last.
  #hasLeft = false;
  #refusal: BalancerError | undefined;
  #last: (() => void) | undefined;
  // What was last seen to change, and since when it has not.
  #mark = Number.NaN;
  #sinceMs = 0;

  /** @param onClosed called when the connection is gone. */
  constructor(socket: Socket, terms: ClientTerms, onClosed: (client: Client) => void) {
    this.socket = socket;
    this.#terms = terms;
    this.#onClosed = onClosed;
    this.omitsVia = terms.limits.omitsVia;
    this.relay = new ReplyRelay(socket, terms.replies, this.omitsVia);
    this.address = ipv4AsSuch(socket.remoteAddress ?? 'unknown');
    this.trusted = terms.trusts(this.address);
    this.reading = new Reading(socket, this);
    (socket as ClientSocket)[CLIENT] = this;
    // The same functions for all: closures for each connection would be memory that it takes while it is idle.
    socket.on('drain', onDrain);
    socket.on('end', onEnd);
    socket.on('close', onClose);
  }

  /** Nothing that still comes is wanted. */
  get isOver(): boolean {
    return this.#ending;
  }

  /** The request under way is the last one that this connection may carry. */
  get isLast(): boolean {
    return this.#requests >= this.#terms.limits.maxRequestsPerConnection;
  }

  /** Calls `begin` when it is this request's turn: after the reply to the one before it, never if the connection ends first. */
  inTurn(response: ServerResponse, begin: () => void): void {
    this.#open += 1;
    if (response.socket !== null) {
      this.#begin(response, begin);
      return;
    }
    this.reading.wait(response.req);
    response.once('socket', () => {
      this.reading.goOn();
      this.#begin(response, begin);
    });
  }

  /** `http.Server` has let go of the connection after an offer: it is read once more when all before it have their replies. */
  readAnew(server: Server, early: Buffer, offer: Offer): void {
    this.reading.putBack(early, offer);
    this.inLastTurn(() => setImmediate(() => this.reading.begin(server, offer)));
  }

  /** Calls `begin` when all requests before have their replies; nothing comes after it. */
  inLastTurn(begin: () => void): void {
    if (this.#open === 0) begin();
    else this.#last ??= begin;
  }

  /** For the request that takes the last turn, with a socket that `http.Server` has let go of. */
  beginLast(): void {
    this.#open += 1;
    this.#requests += 1;
  }

  /** The whole reply is written: goes on to the next request when the client has it, or ends the connection. */
  finish(response: ServerResponse, keepAlive: boolean): void {
    const { socket } = this;
    // Not before the last byte is out: a connection that looks idle may be closed.
    if (socket.writableLength === 0) this.#finish(response, keepAlive);
    else socket.write('', 'latin1', (error) => error ?? this.#finish(response, keepAlive));
  }

  /**
   * The request under way is not passed on: whoever answers it ends the response.
   * @param reader of its body, if there is one.
   */
  answersItself(response: ServerResponse, reader: Occupant | undefined): void {
    this.#own = response;
    this.occupant = reader;
    response.once('finish', () => {
      // The next may have begun by now.
      if (this.#own === response) this.#own = undefined;
      if (this.occupant === reader) this.occupant = undefined;
      this.#answered();
    });
  }

  #finish(response: ServerResponse, keepAlive: boolean): void {
    const { socket } = this;
    if (socket.destroyed) return;
    this.#ending ||= !keepAlive || this.#hasLeft;
    response.emit('finish');
    if (!this.#ending) this.#answered();
    else if (this.#saysLast && this.#mayCloseAtOnce) socket.destroy();
    // Also after a whole request: more may have come after it, and what is left unread makes the system reset the connection.
    else this.#linger();
  }

  // A request has its whole reply.
  #answered(): void {
    this.#open -= 1;
    if (this.#open > 0) return;
    const last = this.#last;
    this.#last = undefined;
    last?.();
  }

  /** What the client sent cannot be parsed: said when the requests before it have their replies. The connection ends. */
  refuse(error: BalancerError): void {
    if (this.#ending || this.occupant?.onClientBroken(error)) return;
    this.#refusal = error;
    this.inLastTurn(() => this.#refuse(error));
  }

  /** Called a few times a second. */
  onTick(nowMs: number): void {
    if (!this.#terms.limits.servesHalfClosed && this.reading.endsUnread) this.onEnd();
    if (this.occupant !== undefined) {
      this.occupant.onTick(nowMs);
      return;
    }
    const { socket } = this;
    const unsent = socket.writableLength;
    // Ending, the last bytes of a reply on their way, or what has been read: told apart by their sign.
    const mark = this.#ending ? -1 : unsent > 0 ? -1 - unsent : socket.bytesRead;
    if (mark !== this.#mark) {
      this.#mark = mark;
      this.#sinceMs = nowMs;
    } else if (nowMs - this.#sinceMs > this.#patienceMs(mark)) socket.destroy();
  }

  #patienceMs(mark: number): number {
    if (mark === -1) return LINGER_MS;
    if (mark < 0) return this.#terms.limits.bodyTimeoutMs;
    // How long the first head may take, and any that has begun, `http.Server` looks after.
    return this.#open === 0 && this.#requests > 0 ? this.#terms.limits.keepAliveTimeoutMs : Number.POSITIVE_INFINITY;
  }

  /** The client takes bytes again. */
  onDrain(): void {
    this.reading.onDrain();
    this.relay.giveBack();
    this.occupant?.onClientDrain();
  }

  /** The connection is gone. */
  onClose(): void {
    this.relay.giveBack();
    this.occupant?.onClientGone();
    if (this.#own instanceof QuietResponse) this.#own.tellClosed();
    this.#onClosed(this);
  }

  /** The client has ended its side. Of a request that is half there it is told so, if it still reads. */
  onEnd(): void {
    const { occupant } = this;
    if (this.relay.isTunnel || this.#ending || occupant?.onClientBroken(endedTooEarly()) === true) return;
    if (this.#terms.limits.servesHalfClosed) return;
    this.#hasLeft = true;
    // A reply that is whole is still sent; what waits behind it is not begun.
    if (occupant === undefined && this.#own === undefined && this.#open > 0) return;
    occupant?.onClientGone();
    this.socket.destroy();
  }

  #begin(response: ServerResponse, begin: () => void): void {
    if (this.#ending || this.#hasLeft) return;
    this.#requests += 1;
    this.#saysLast = !response.shouldKeepAlive && !announcesBody(response.req);
    begin();
    if (response.req.complete) return;
    // The end of a side is told once, and may have been while this request waited.
    const fault = this.#refusal ?? (this.socket.readableEnded ? endedTooEarly() : undefined);
    if (fault !== undefined) this.occupant?.onClientBroken(fault);
  }

  #refuse(error: BalancerError): void {
    const { socket } = this;
    this.#ending = true;
    // A browser opens connections ahead of need: one that has said nothing waits for no answer.
    if (!socket.writable || (error.code === 'request-timeout' && socket.bytesRead === 0)) {
      socket.destroy();
      return;
    }
    socket.write(errorReply(error, this.#terms.onRefused(error), false), 'latin1');
    this.#linger();
  }

  // To linger costs half as much as a request. A client that asks for the end sends no more (RFC 9112, 9.6).
  get #mayCloseAtOnce(): boolean {
    const { socket } = this;
    return this.#refusal === undefined && socket.readableLength === 0 && socket.bytesWritten <= FIRST_FLIGHT_BYTES;
  }

  // Bounded by `onTick`.
  #linger(): void {
    // `http.Server` would end the connection once more, and make an error of that.
    this.socket.removeAllListeners('end');
    this.socket.end();
    this.socket.resume();
  }
}

function onDrain(this: ClientSocket): void {
  this[CLIENT]?.onDrain();
}

function onEnd(this: ClientSocket): void {
  this[CLIENT]?.onEnd();
}

function onClose(this: ClientSocket): void {
  this[CLIENT]?.onClose();
}

/** The client will send no more, and its request is not whole. */
export function endedTooEarly(): BalancerError {
  return new BalancerError('client-left', 'the client ended its side before its request was whole');
}

/** The connection cannot be taken on: there are as many as there may be. */
export function tooManyConnections(max: number): BalancerError {
  return new BalancerError('overloaded', `there are ${max} connections already`);
}
