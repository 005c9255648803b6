// One client's connection: whose turn it is, and how it ends. `http.Server` owns the socket and reads from it; replies are
// written to it here, and `http.Server` is told that one is over by the `finish` event of its response.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type BalancerError, failureBody } from '../errors.ts';
import type { Exchange } from './exchange.ts';

// How long a client that is still sending when it has its answer may go on: what it sends is read and dropped, since closing
// with bytes unread would reset the connection and take the answer with it (RFC 9112, 9.6).
const LINGER_MS = 2000;

export class Client {
  readonly socket: Socket;
  /** IP address, IPv4 as such also on a dual-stack listener. */
  readonly address: string;
  /** The exchange under way. */
  exchange: Exchange | undefined;
  #waiting = 0;
  #ending = false;
  #refusal: BalancerError | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    const address = socket.remoteAddress ?? 'unknown';
    this.address = address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
    socket.on('drain', () => this.exchange?.onClientDrain());
    socket.on('close', () => this.exchange?.onClientGone());
  }

  /** Calls `begin` when it is this request's turn: after the reply to the one before it, never if the connection ends first. */
  inTurn(response: ServerResponse, begin: () => void): void {
    const unlessEnding = () => {
      if (!this.#ending) begin();
    };
    if (response.socket !== null) {
      unlessEnding();
      return;
    }
    this.#waiting += 1;
    // A client that sends and sends without reading would fill memory with its requests. Not at once: `http.Server` is about
    // to resume the socket for the request that it has just parsed.
    setImmediate(() => this.#waiting > 0 && this.socket.pause());
    response.once('socket', () => {
      this.#waiting -= 1;
      if (this.#waiting === 0) this.socket.resume();
      unlessEnding();
    });
  }

  /** The whole reply is written: goes on to the next request when the client has it, or ends the connection. */
  finish(response: ServerResponse, keepAlive: boolean): void {
    const { socket } = this;
    const finish = () => {
      if (socket.destroyed) return;
      this.#ending ||= !keepAlive;
      const { req } = response;
      response.emit('finish');
      if (this.#ending) this.#close(req);
      else if (this.#refusal !== undefined && this.#waiting === 0 && this.exchange === undefined)
        this.#refuse(this.#refusal);
    };
    // Not before the last byte is out: a connection that looks idle may be closed.
    if (socket.writableLength === 0) finish();
    else socket.write('', 'latin1', (error) => error ?? finish());
  }

  /** What the client sent cannot be parsed: said when the requests before it have their replies. The connection ends. */
  refuse(error: BalancerError): void {
    if (this.exchange === undefined && this.#waiting === 0) this.#refuse(error);
    else if (this.exchange?.request.complete === false) this.exchange.fail(error, true);
    else this.#refusal = error;
  }

  #refuse(error: BalancerError): void {
    const { socket } = this;
    this.#ending = true;
    if (socket.writable) socket.write(errorReply(error, false), 'latin1');
    socket.destroySoon();
  }

  #close(request: IncomingMessage): void {
    const { socket } = this;
    if (request.complete) {
      socket.destroySoon();
      return;
    }
    socket.end();
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => clearTimeout(timer));
  }
}

/** A whole reply that says what went wrong, in the failure envelope. */
export function errorReply(error: BalancerError, keepAlive: boolean, withBody = true): string {
  // Non-ASCII text of a message as the bytes of its UTF-8: replies are written as latin1.
  const body = Buffer.from(failureBody(error.message)).toString('latin1');
  return (
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${body.length}\r\nDate: ${new Date().toUTCString()}\r\n` +
    (error.status === 503 ? 'Retry-After: 1\r\n' : '') +
    (keepAlive ? '\r\n' : 'Connection: close\r\n\r\n') +
    (withBody ? body : '')
  );
}
