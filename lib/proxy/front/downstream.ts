// Where one reply goes: the turn of one request on its client's connection. Whether the connection goes on after it is decided here;
// what is written, and when, is for exchange.ts.

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { BalancerError } from '../../errors.ts';
import { errorReply } from '../../http/error-reply.ts';
import type { ReplyHead } from '../../http/reply-head.ts';
import { switchingHead } from '../../http/upgrade.ts';
import type { ExchangeContext } from '../exchange/exchange-context.ts';
import type { Client } from './client.ts';

export class Downstream {
  readonly #client: Client;
  readonly #response: ServerResponse;
  readonly #context: ExchangeContext;

  constructor(client: Client, response: ServerResponse, context: ExchangeContext) {
    this.#client = client;
    this.#response = response;
    this.#context = context;
  }

  /** The client takes no more for now. */
  get blocked(): boolean {
    return this.#client.relay.blocked;
  }

  /** The client takes no more, nor is there memory left to keep it: no more is to be read for it. */
  get full(): boolean {
    return this.#client.relay.full;
  }

  /** For a tunnel, which reads from it what is no HTTP. */
  get socket(): Socket {
    return this.#client.socket;
  }

  /** Passes on an interim reply. */
  inform(head: ReplyHead): void {
    // An HTTP/1.0 client knows no interim replies (RFC 9110, 15.2).
    if (this.#response.req.httpVersionMinor > 0) this.#client.relay.inform(head);
  }

  /**
   * Begins the reply.
   * @param isWhole the client has sent its whole request. @param added fields, each with its CRLF.
   */
  begin(head: ReplyHead, isWhole: boolean, added: string): void {
    const { httpVersionMinor } = this.#response.req;
    this.#client.relay.begin(head, httpVersionMinor, isWhole && this.#mayGoOn(), this.#context.date(), added);
  }

  /** The reply that was begun holds no place: there is nothing to gain from reading ahead of its client. */
  followClient(): void {
    this.#client.relay.followClient();
  }

  /** Begins what has no end but that of the connection. Throws `bad-reply` if the replica switches to what was not offered. */
  beginTunnel(head: ReplyHead, offered: string): void {
    this.#client.relay.beginTunnel(switchingHead(head, offered, this.#client.omitsVia));
  }

  /** The bytes are only lent. */
  body(bytes: Buffer): void {
    this.#client.relay.body(bytes);
  }

  /** Writes what was held back to be written together with what follows. */
  flush(): void {
    this.#client.relay.flush();
  }

  end(trailers: readonly string[]): void {
    this.#client.relay.end(trailers);
  }

  /** Drops the reply that has begun, if nothing of it has gone out. False if something has. */
  takeBack(): boolean {
    return this.#client.relay.takeBack();
  }

  /** Ends the connection so that nobody takes what was begun for the whole. */
  cut(): void {
    this.#client.relay.cut();
  }

  /** Writes an error as the reply. Gives whether the connection goes on after it, for `finish`. */
  refuse(error: BalancerError, requestId: number, isWhole: boolean): boolean {
    const keepAlive = isWhole && this.#mayGoOn();
    this.#client.socket.write(errorReply(error, requestId, keepAlive, this.#response.req), 'latin1');
    return keepAlive;
  }

  /** The next request has its turn, or the connection ends. The last call. */
  finish(goesOn = this.#client.relay.goesOn): void {
    this.#client.finish(this.#response, goesOn);
  }

  #mayGoOn(): boolean {
    return this.#response.shouldKeepAlive && !this.#context.closing && !this.#client.isLast;
  }
}
