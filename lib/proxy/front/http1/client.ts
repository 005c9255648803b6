// One client's connection: whose turn it is, how long it may be idle, and how it ends. `http.Server` owns the socket
// and reads from it. Replies are written to the socket here; the `finish` event of its response tells `http.Server`
// that a reply is over.

import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { BalancerError } from '../../../errors.ts';
import { ipv4AsSuch } from '../../../http/trust.ts';
import type { Occupant } from '../../exchange/downstream.ts';
import type { ProxyLimits } from '../../proxy-limits.ts';
import { errorReply } from '../error-reply.ts';
import { announcesBody, type Offer, Reading, type ReadingOwner } from './reading.ts';
import type { ReplyMemory } from './reply-memory.ts';
import { ReplyRelay } from './reply-relay.ts';
import type { SilentResponse } from './responses.ts';

export interface ClientTerms {
  readonly limits: ProxyLimits;
  readonly trusts: (address: string) => boolean;
  readonly replies: ReplyMemory;
  /** Called when a connection is refused without a request; gives the id that the client is told. */
  readonly onRefused: (error: BalancerError) => number;
}

// How long a client may go on sending when it has its answer. What it sends is read and dropped: closing with bytes
// unread would reset the connection and destroy the answer (RFC 9112, 9.6).
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
  /** IP address, in IPv4 form also where a dual-stack listener shows it as IPv6. */
  readonly address: string;
  /** The client's word is taken on where a request comes from. */
  readonly trusted: boolean;
  readonly omitsVia: boolean;
  readonly relay: ReplyRelay;
  readonly reading: Reading;
  /** A request has come on this connection. */
  hasAsked = false;
  /** False if this connection is one too many. */
  isAdmitted = true;
  /** Whoever handles the request under way, if there is one. */
  occupant: Occupant | undefined;
  readonly #terms: ClientTerms;
  readonly #onClosed: (client: Client) => void;
  // How many requests were begun, and how many have come but have no whole reply yet.
  #requests = 0;
  #open = 0;
  // The response of the request under way, if the balancer answers it itself.
  #own: ServerResponse | undefined;
  #ending = false;
  // The request under way is a head alone, and its client asked for the connection to end after it.
  #saysLast = false;
  // The client has ended its side, and half-closed connections are not served: the reply under way is the last.
  #hasLeft = false;
  #refusal: BalancerError | undefined;
  #last: (() => void) | undefined;
  // The value that shows progress while no request is under way, and since when it has not changed.
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
    // All connections share these functions, since closures of their own would take memory while they are idle.
    socket.on('drain', onDrain);
    socket.on('end', onEnd);
    socket.on('close', onClose);
  }

  /** Nothing more is wanted of this client. */
  get isOver(): boolean {
    return this.#ending;
  }

  /** The request under way is the last one that this connection may carry. */
  get isLast(): boolean {
    return this.#requests >= this.#terms.limits.maxRequestsPerConnection;
  }

  /** Calls `begin` when the reply to the request before is complete, or never if the connection ends first. */
  inTurn(response: SilentResponse, begin: () => void): void {
    this.#open += 1;
    if (response.socket !== null) {
      this.#begin(response, begin);
      return;
    }
    this.reading.wait(response.req);
    response.onTurn(() => {
      this.reading.goOn();
      this.#begin(response, begin);
    });
  }

  /**
   * `http.Server` has let go of the connection because of an offer. Reads the connection anew when all requests before
   * have their replies.
   */
  readAnew(server: Server, early: Buffer, offer: Offer): void {
    this.reading.putBack(early, offer);
    this.inLastTurn(() => setImmediate(() => this.reading.begin(server, offer)));
  }

  /** Calls `begin` when all requests before have their replies. Nothing may come after it. */
  inLastTurn(begin: () => void): void {
    if (this.#open === 0) begin();
    else this.#last ??= begin;
  }

  /** Counts the request that takes the last turn, which comes from a socket that `http.Server` has let go of. */
  beginLast(): void {
    this.#open += 1;
    this.#requests += 1;
  }

  /**
   * Call it when the whole reply is written. Goes on to the next request once the client has it, or ends the
   * connection.
   */
  finish(response: SilentResponse, keepAlive: boolean): void {
    const { socket } = this;
    // Waits for the last byte to be out: until then the connection looks idle, and an idle connection may be closed.
    if (socket.writableLength === 0) this.#finish(response, keepAlive);
    else socket.write('', 'latin1', (error) => error ?? this.#finish(response, keepAlive));
  }

  /**
   * The balancer answers the request under way itself, and ends the response.
   * @param reader reads the request's body, if there is one.
   */
  answersItself(response: ServerResponse, reader: Occupant | undefined): void {
    this.#own = response;
    this.occupant = reader;
    response.once('finish', () => {
      // The next request may have begun by now.
      if (this.#own === response) this.#own = undefined;
      if (this.occupant === reader) this.occupant = undefined;
      this.#answered();
    });
  }

  #finish(response: SilentResponse, keepAlive: boolean): void {
    const { socket } = this;
    if (socket.destroyed) return;
    this.#ending ||= !keepAlive || this.#hasLeft;
    response.finish();
    if (!this.#ending) this.#answered();
    else if (this.#saysLast && this.#mayCloseAtOnce) socket.destroy();
    // Lingers after a whole request too: more may have come after it, and bytes left unread make the system reset the
    // connection.
    else this.#linger();
  }

  // Counts a request that has its whole reply.
  #answered(): void {
    this.#open -= 1;
    if (this.#open > 0) return;
    const last = this.#last;
    this.#last = undefined;
    last?.();
  }

  /**
   * The client's bytes cannot be parsed. Says so when the requests before have their replies, and ends the connection.
   */
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
    // One number shows what goes on: -1 while ending, less while a reply is being sent, and the bytes read in all other
    // cases.
    const mark = this.#ending ? -1 : unsent > 0 ? -1 - unsent : socket.bytesRead;
    if (mark !== this.#mark) {
      this.#mark = mark;
      this.#sinceMs = nowMs;
    } else if (nowMs - this.#sinceMs > this.#patienceMs(mark)) socket.destroy();
  }

  #patienceMs(mark: number): number {
    if (mark === -1) return LINGER_MS;
    if (mark < 0) return this.#terms.limits.bodyTimeoutMs;
    // `http.Server` limits the time for the first head, and for any head that has begun.
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
    this.#onClosed(this);
  }

  /** The client has ended its side. If its request is incomplete it is told so, in case it still reads. */
  onEnd(): void {
    const { occupant } = this;
    if (this.relay.isTunnel || this.#ending || occupant?.onClientBroken(endedTooEarly()) === true) return;
    if (this.#terms.limits.servesHalfClosed) return;
    this.#hasLeft = true;
    // A whole reply under way is still sent, but the requests that wait behind it are not begun.
    if (occupant === undefined && this.#own === undefined && this.#open > 0) return;
    occupant?.onClientGone();
    this.socket.destroy();
  }

  #begin(response: SilentResponse, begin: () => void): void {
    if (this.#ending || this.#hasLeft) return;
    this.#requests += 1;
    this.#saysLast = !response.shouldKeepAlive && !announcesBody(response.req);
    begin();
    if (response.req.complete) return;
    // `end` is emitted once, perhaps while this request waited, so it must be looked up here.
    const fault = this.#refusal ?? (this.socket.readableEnded ? endedTooEarly() : undefined);
    if (fault !== undefined) this.occupant?.onClientBroken(fault);
  }

  #refuse(error: BalancerError): void {
    const { socket } = this;
    this.#ending = true;
    // Browsers open connections ahead of need. One that never sent anything expects no answer.
    if (!socket.writable || (error.code === 'request-timeout' && socket.bytesRead === 0)) {
      socket.destroy();
      return;
    }
    socket.write(errorReply(error, this.#terms.onRefused(error), false), 'latin1');
    this.#linger();
  }

  // Lingering costs half as much as a request. A client that asks for the end sends no more (RFC 9112, 9.6).
  get #mayCloseAtOnce(): boolean {
    const { socket } = this;
    return this.#refusal === undefined && socket.readableLength === 0 && socket.bytesWritten <= FIRST_FLIGHT_BYTES;
  }

  // `onTick` bounds how long this lasts.
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

/** The error for a client that will send no more although its request is incomplete. */
export function endedTooEarly(): BalancerError {
  return new BalancerError('client-left', 'the client ended its side before its request was whole');
}

/** The error for a connection too many. */
export function tooManyConnections(max: number): BalancerError {
  return new BalancerError('overloaded', `there are ${max} connections already`);
}
