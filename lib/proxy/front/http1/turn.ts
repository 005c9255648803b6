// One request's turn on its client's connection: where its reply goes. Decides whether the connection goes on after the
// reply; the exchange decides what is written, and when.

import type { BalancerError } from '../../../errors.ts';
import type { ReplyHead } from '../../../http/reply-head.ts';
import { switchingHead } from '../../../http/upgrade.ts';
import type { Downstream, Tunnel, TunnelEnd } from '../../exchange/downstream.ts';
import { bodyBytesOf, errorReply } from '../error-reply.ts';
import type { Client } from './client.ts';
import type { TurnRequest } from './responses.ts';
import { SocketTunnel } from './tunnel.ts';

/** What a turn needs to know of the front. */
export interface TurnTerms {
  /** The current value of a Date field. */
  date(): string;
  /** Each connection must end with the reply that it carries now. */
  readonly closing: boolean;
}

export class Turn implements Downstream {
  readonly #client: Client;
  readonly #response: TurnRequest;
  readonly #terms: TurnTerms;
  // Whether the connection goes on after an error reply; `undefined` if there was none.
  #goesOn: boolean | undefined;

  constructor(client: Client, response: TurnRequest, terms: TurnTerms) {
    this.#client = client;
    this.#response = response;
    this.#terms = terms;
  }

  get blocked(): boolean {
    return this.#client.relay.blocked;
  }

  get full(): boolean {
    return this.#client.relay.full;
  }

  inform(head: ReplyHead): void {
    // An HTTP/1.0 client knows no interim replies (RFC 9110, 15.2).
    if (this.#response.req.httpVersionMinor > 0) this.#client.relay.inform(head);
  }

  /**
   * Begins the reply.
   * @param isWhole the client has sent its whole request.
   * @param added more fields: name, value, name, value, …
   */
  begin(head: ReplyHead, isWhole: boolean, added: readonly string[]): void {
    const { httpVersionMinor } = this.#response.req;
    this.#client.relay.begin(head, httpVersionMinor, isWhole && this.#mayGoOn(), this.#terms.date(), added);
  }

  followClient(): void {
    this.#client.relay.followClient();
  }

  beginTunnel(head: ReplyHead, offered: string, replica: TunnelEnd, early: Buffer | undefined): Tunnel {
    const { relay, socket, omitsVia } = this.#client;
    relay.beginTunnel(switchingHead(head, offered, omitsVia));
    return new SocketTunnel(socket, replica, early);
  }

  body(bytes: Buffer): void {
    this.#client.relay.body(bytes);
  }

  flush(): void {
    this.#client.relay.flush();
  }

  end(trailers: readonly string[]): void {
    this.#client.relay.end(trailers);
  }

  takeBack(): boolean {
    return this.#client.relay.takeBack();
  }

  cut(): void {
    this.#client.relay.cut();
  }

  refuse(error: BalancerError, requestId: number, isWhole: boolean): number {
    this.#goesOn = isWhole && this.#mayGoOn();
    const reply = errorReply(error, requestId, this.#goesOn, this.#response.req);
    this.#client.socket.write(reply, 'latin1');
    return bodyBytesOf(reply);
  }

  release(): void {
    this.#client.occupant = undefined;
  }

  finish(): void {
    this.#client.finish(this.#response, this.#goesOn ?? this.#client.relay.goesOn);
  }

  #mayGoOn(): boolean {
    return this.#response.shouldKeepAlive && !this.#terms.closing && !this.#client.isLast;
  }
}
