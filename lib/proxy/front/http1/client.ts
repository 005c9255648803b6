// One client's connection: whose turn it is, how long it may be idle, and how it ends. `http.Server` owns the socket
// and reads from it. Replies are written to the socket here; the `finish` event of its response tells `http.Server`
// that a reply is over.

import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { BalancerError } from '../../../errors.ts';
import { ipv4AsSuch } from '../../../http/trust.ts';
import type { Occupant } from '../../exchange/downstream.ts';
import type { ProxyLimits } from '../../proxy-limits.ts';
import { own, type SocketOwner } from '../client-socket.ts';
import { endedTooEarly, errorReply } from '../error-reply.ts';
import { type Awaits, Idleness } from '../idleness.ts';
import { type PlainOwner, PlainReader } from '../plain/plain-reader.ts';
import type { PlainRequest } from '../plain/plain-request.ts';
import { Turns } from '../turns.ts';
import { announcesBody, type Offer, Reading, type ReadingOwner } from './reading.ts';
import type { ReplyMemory } from './reply-memory.ts';
import { ReplyRelay } from './reply-relay.ts';
import type { SilentResponse, TurnRequest } from './responses.ts';

export interface ClientTerms {
  readonly limits: ProxyLimits;
  readonly trusts: (address: string) => boolean;
  readonly replies: ReplyMemory;
  /** Gives a connection to `http.Server`. */
  readonly serve: (socket: Socket) => void;
  /** A plain request has its turn. False leaves it to `http.Server`. */
  readonly onPlain: (client: Client, request: PlainRequest) => boolean;
  /** Called when a connection is refused without a request; gives the id that the client is told. */
  readonly onRefused: (error: BalancerError, address: string) => number;
}

// What the system sends at once on a new connection (RFC 6928): it is on its way before a reset can be.
const FIRST_FLIGHT_BYTES = 14_000;

export class Client implements ReadingOwner, PlainOwner, SocketOwner {
  readonly socket: Socket;
  /** IP address, in IPv4 form also where a dual-stack listener shows it as IPv6. */
  readonly address: string;
  /** The client's word is taken on where a request comes from. */
  readonly trusted: boolean;
  readonly relay: ReplyRelay;
  /** What `http.Server` reads; `undefined` while requests are plain. */
  reading: Reading | undefined;
  /** A request has come on this connection. */
  hasAsked = false;
  /** False if this connection is one too many. */
  isAdmitted = true;
  /** Whoever handles the request under way, if there is one. */
  occupant: Occupant | undefined;
  readonly #terms: ClientTerms;
  readonly #onClosed: (client: Client) => void;
  readonly #turns = new Turns();
  // The response of the request under way, if the balancer answers it itself.
  #own: ServerResponse | undefined;
  #ending = false;
  #plain: PlainReader | undefined;
  // The request under way is a head alone, and its client asked for the connection to end after it.
  #saysLast = false;
  // The client has ended its side, and half-closed connections are not served: the reply under way is the last.
  #hasLeft = false;
  #refusal: BalancerError | undefined;
  readonly #idleness = new Idleness();

  /** @param onClosed called when the connection is gone. */
  constructor(socket: Socket, terms: ClientTerms, onClosed: (client: Client) => void) {
    this.socket = socket;
    this.#terms = terms;
    this.#onClosed = onClosed;
    this.relay = new ReplyRelay(socket, terms.replies, terms.limits);
    this.address = ipv4AsSuch(socket.remoteAddress ?? 'unknown');
    this.trusted = terms.trusts(this.address);
    this.#plain = new PlainReader(socket, terms.limits, this);
    if (!own(socket, this)) this.serveOtherwise();
  }

  get omitsVia(): boolean {
    return this.#terms.limits.omitsVia;
  }

  /** Nothing more is wanted of this client. */
  get isOver(): boolean {
    return this.#ending;
  }

  /** The request under way is the last one that this connection may carry. */
  get isLast(): boolean {
    return this.#turns.begun >= this.#terms.limits.maxRequestsPerConnection;
  }

  /** A request is under way that has an end of its own. */
  get hasRequest(): boolean {
    return this.#turns.open > 0 && !this.relay.isTunnel;
  }

  /** Calls `begin` when the reply to the request before is complete, or never if the connection ends first. */
  inTurn(response: SilentResponse, begin: () => void): void {
    this.#turns.open += 1;
    if (response.socket !== null) {
      this.#begin(response, begin);
      return;
    }
    this.reading?.wait(response.req);
    response.onTurn(() => {
      this.reading?.goOn();
      this.#begin(response, begin);
    });
  }

  beginPlain(request: PlainRequest): boolean {
    this.#turns.open += 1;
    this.#turns.begun += 1;
    this.#saysLast = !request.shouldKeepAlive;
    if (this.#terms.onPlain(this, request)) return true;
    this.#turns.open -= 1;
    this.#turns.begun -= 1;
    return false;
  }

  /** `http.Server` reads the connection, from here on or once more. */
  serveOtherwise(): void {
    this.#plain = undefined;
    this.#terms.serve(this.socket);
    if (this.reading === undefined) this.reading = new Reading(this.socket, this);
    else this.reading.watchParser();
  }

  onRead(bytes: Buffer): boolean {
    return this.#plain?.take(bytes) ?? true;
  }

  /** Closes the connection if it waits for a plain request. */
  closeIfIdle(): void {
    if (this.#plain !== undefined && this.#turns.open === 0 && this.socket.writableLength === 0) this.socket.destroy();
  }

  /**
   * `http.Server` has let go of the connection because of an offer. Reads the connection anew when all requests before
   * have their replies.
   */
  readAnew(server: Server, early: Buffer, offer: Offer): void {
    this.reading?.putBack(early, offer);
    this.inLastTurn(() => setImmediate(() => this.reading?.begin(server, offer)));
  }

  /** Calls `begin` when all requests before have their replies. Nothing may come after it. */
  inLastTurn(begin: () => void): void {
    this.#turns.whenNoneIsOpen(begin);
  }

  /** Counts the request that takes the last turn, which comes from a socket that `http.Server` has let go of. */
  beginLast(): void {
    this.#turns.open += 1;
    this.#turns.begun += 1;
  }

  /**
   * Call it when the whole reply is written. Goes on to the next request once the client has it, or ends the
   * connection.
   */
  finish(response: TurnRequest, keepAlive: boolean): void {
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
      this.#turns.answered();
    });
  }

  #finish(response: TurnRequest, keepAlive: boolean): void {
    const { socket } = this;
    if (socket.destroyed) return;
    const saidAll = this.#plain !== undefined && socket.readableEnded;
    this.#ending ||= !keepAlive || this.#hasLeft || saidAll;
    response.finish();
    if (!this.#ending) {
      this.#turns.answered();
      this.#plain?.goOn();
    } else if (this.#saysLast && this.#mayCloseAtOnce) socket.destroy();
    // Lingers after a whole request too: more may have come after it, and bytes left unread make the system reset the
    // connection.
    else this.#linger();
  }

  /**
   * The client's bytes cannot be parsed. Says so when the requests before have their replies, and ends the connection.
   */
  refuse(error: BalancerError): void {
    if (this.#ending || this.occupant?.onClientBroken(error)) return;
    this.#refusal = error;
    this.inLastTurn(() => this.#refuse(error));
  }

  /** Ends the connection at once, whatever is under way on it. */
  drop(): void {
    this.relay.abort();
  }

  /** Called a few times a second. */
  onTick(nowMs: number): void {
    if (!this.#terms.limits.servesHalfClosed && this.reading?.endsUnread === true) this.onEnd();
    if (this.occupant !== undefined) {
      this.occupant.onTick(nowMs);
      return;
    }
    const { socket } = this;
    if (this.#idleness.isOver(nowMs, this.#awaits, socket, this.#terms.limits)) this.drop();
  }

  get #awaits(): Awaits {
    if (this.#ending) return 'ending';
    if (this.#turns.open > 0) return 'nothing';
    if (this.#turns.begun > 0) return 'next-head';
    // `http.Server` limits the time for the first head, and for any head that has begun.
    return this.#plain === undefined ? 'nothing' : 'first-head';
  }

  /** The client takes bytes again. */
  onDrain(): void {
    this.reading?.onDrain();
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
    if (this.#terms.limits.servesHalfClosed) {
      // `http.Server` ends its own connections in order.
      if (this.#plain !== undefined && this.#turns.open === 0) this.socket.end();
      return;
    }
    this.#hasLeft = true;
    // A whole reply under way is still sent, but the requests that wait behind it are not begun.
    if (occupant === undefined && this.#own === undefined && this.#turns.open > 0) return;
    occupant?.onClientGone();
    this.drop();
  }

  #begin(response: SilentResponse, begin: () => void): void {
    if (this.#ending || this.#hasLeft) return;
    this.#turns.begun += 1;
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
    socket.write(errorReply(error, this.#terms.onRefused(error, this.address), false), 'latin1');
    this.#linger();
  }

  // Lingering costs half as much as a request. A client that asks for the end sends no more (RFC 9112, 9.6).
  get #mayCloseAtOnce(): boolean {
    const { socket } = this;
    if (this.#plain?.holds === true || this.#refusal !== undefined) return false;
    return socket.readableLength === 0 && socket.bytesWritten <= FIRST_FLIGHT_BYTES;
  }

  // `onTick` bounds how long this lasts.
  #linger(): void {
    // `http.Server` would end the connection once more, and make an error of that.
    this.socket.removeAllListeners('end');
    this.socket.end();
    this.socket.resume();
  }
}
