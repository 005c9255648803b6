// One client's connection: whose turn it is, how long it may be idle, and how it ends. `http.Server` owns the socket and reads from
// it; replies are written to it here, and `http.Server` is told that one is over by the `finish` event of its response.

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { BalancerError } from '../errors.ts';
import { errorReply } from './error-reply.ts';
import type { ReplyMemory } from './reply-memory.ts';
import { ReplyRelay } from './reply-relay.ts';

/** What is under way on a connection. */
export interface Occupant {
  /** The client's socket takes bytes again. */
  onClientDrain(): void;
  onClientGone(): void;
  /** What the client sends cannot be parsed. True if that is of a request that is not whole yet: it is then answered. */
  onClientBroken(error: BalancerError): boolean;
  /** Time to give up what has taken longer than it may. */
  onTick(nowMs: number): void;
}

export interface ClientTerms {
  readonly keepAliveTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  readonly maxRequestsPerConnection: number;
  readonly trusts: (address: string) => boolean;
  readonly replies: ReplyMemory;
  /** A connection is refused without there being a request: gives the id that the client is told. */
  readonly onRefused: (error: BalancerError) => number;
}

// How long a client that is still sending when it has its answer may go on: what it sends is read and dropped, since closing
// with bytes unread would reset the connection and take the answer with it (RFC 9112, 9.6).
const LINGER_MS = 2000;

export class Client {
  readonly socket: Socket;
  /** IP address, IPv4 as such also on a dual-stack listener. */
  readonly address: string;
  /** Its word on where a request comes from is taken. */
  readonly trusted: boolean;
  readonly relay: ReplyRelay;
  occupant: Occupant | undefined;
  readonly #terms: ClientTerms;
  // Requests that were begun, and those that have come but have no whole reply yet.
  #requests = 0;
  #open = 0;
  #waiting = 0;
  #ending = false;
  #refusal: BalancerError | undefined;
  #last: (() => void) | undefined;
  // What was last seen to change, and since when it has not.
  #mark = Number.NaN;
  #sinceMs = 0;

  constructor(socket: Socket, terms: ClientTerms) {
    this.socket = socket;
    this.#terms = terms;
    this.relay = new ReplyRelay(socket, terms.replies);
    const address = socket.remoteAddress ?? 'unknown';
    this.address = address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
    this.trusted = terms.trusts(this.address);
    socket.on('drain', () => this.occupant?.onClientDrain());
    // `http.Server` says so itself, but not of a body behind an Upgrade that was passed over.
    socket.on('end', () =>
      this.occupant?.onClientBroken(
        new BalancerError('bad-request', 'the client ended its side before its request was whole'),
      ),
    );
    socket.on('close', () => this.occupant?.onClientGone());
  }

  /** The request under way is the last one that this connection may carry. */
  get isLast(): boolean {
    return this.#requests >= this.#terms.maxRequestsPerConnection;
  }

  /** Calls `begin` when it is this request's turn: after the reply to the one before it, never if the connection ends first. */
  inTurn(response: ServerResponse, begin: () => void): void {
    this.#open += 1;
    if (response.socket !== null) {
      this.#begin(response, begin);
      return;
    }
    this.#waiting += 1;
    // A client that sends and sends without reading would fill memory with its requests. Not at once: `http.Server` is about
    // to resume the socket for the request that it has just parsed.
    setImmediate(() => this.#waiting > 0 && this.socket.pause());
    response.once('socket', () => {
      this.#waiting -= 1;
      if (this.#waiting === 0) this.socket.resume();
      this.#begin(response, begin);
    });
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
    const finish = () => {
      if (socket.destroyed) return;
      this.#ending ||= !keepAlive;
      response.emit('finish');
      if (!this.#ending) this.answered();
      // Also after a whole request: more may have come after it, and what is left unread makes the system reset the connection.
      else this.#linger();
    };
    // Not before the last byte is out: a connection that looks idle may be closed.
    if (socket.writableLength === 0) finish();
    else socket.write('', 'latin1', (error) => error ?? finish());
  }

  /** A request has its whole reply. */
  answered(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#last?.();
  }

  /** What the client sent cannot be parsed: said when the requests before it have their replies. The connection ends. */
  refuse(error: BalancerError): void {
    if (this.#ending || this.occupant?.onClientBroken(error)) return;
    this.#refusal = error;
    this.inLastTurn(() => this.#refuse(error));
  }

  /** Called a few times a second. */
  onTick(nowMs: number): void {
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
    if (mark < 0) return this.#terms.bodyTimeoutMs;
    // How long the first head may take, and any that has begun, `http.Server` looks after.
    return this.#open === 0 && this.#requests > 0 ? this.#terms.keepAliveTimeoutMs : Number.POSITIVE_INFINITY;
  }

  #begin(response: ServerResponse, begin: () => void): void {
    if (this.#ending) return;
    this.#requests += 1;
    begin();
    if (this.#refusal !== undefined && !response.req.complete) this.occupant?.onClientBroken(this.#refusal);
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

  // Bounded by `onTick`.
  #linger(): void {
    this.socket.end();
    this.socket.resume();
  }
}

/** The connection cannot be taken on: there are as many as there may be. */
export function tooManyConnections(max: number): BalancerError {
  return new BalancerError('overloaded', `there are ${max} connections already`);
}
