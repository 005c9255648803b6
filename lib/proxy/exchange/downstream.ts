// The client as one exchange sees it: where the reply goes, and where the request came from. That is one turn of an
// HTTP/1 connection, or a stream of some later version. Types only. The exchange writes no text of HTTP and knows no
// socket of a client; the folders of ../front/ do.

import type { BalancerError } from '../../errors.ts';
import type { ReplyHead } from '../../http/reply-head.ts';

/** What logs tell of a request as it came. */
export interface Told {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersionMajor: number;
  readonly httpVersionMinor: number;
  /** Name, value, name, value, … */
  readonly rawHeaders: readonly string[];
}

/** A request as it came, such as Node's `IncomingMessage`. */
export interface Incoming extends BodySource, Told {
  /** The whole request has come. */
  readonly complete: boolean;
}

/** A body as it comes, in pieces. While it is paused the pieces stay in the socket. */
export interface BodySource {
  on(event: 'data', listener: (bytes: Buffer) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  pause(): unknown;
  resume(): unknown;
  /** Name, value, name, value, …, once the body has ended. */
  readonly rawTrailers: readonly string[];
}

/** Where the reply goes. Calls come in the order in which they stand here; `finish` or `cut` is the last one. */
export interface Downstream {
  /** The client takes no more for now. */
  readonly blocked: boolean;
  /** The client takes no more, and there is no memory left to read ahead of it: nothing more must be read for it. */
  readonly full: boolean;
  /** Passes on an interim reply. */
  inform(head: ReplyHead): void;
  /**
   * Begins the reply.
   * @param isWhole the client has sent its whole request.
   * @param added more fields: name, value, name, value, …
   */
  begin(head: ReplyHead, isWhole: boolean, added: readonly string[]): void;
  /** The reply holds no place at its replica, so there is nothing to gain from reading ahead of the client. */
  followClient(): void;
  /**
   * Begins a tunnel, which only ends with the connection. Throws `bad-reply` if the replica switches to a protocol that
   * was not offered.
   * @param offered the protocols that the client offered.
   * @param early what the client sent before it knew of the switch.
   */
  beginTunnel(head: ReplyHead, offered: string, replica: TunnelEnd, early: Buffer | undefined): Tunnel;
  /** Relays bytes of the body, which are only valid during the call. */
  body(bytes: Buffer): void;
  /** Writes what was held back to be written together with what follows. */
  flush(): void;
  end(trailers: readonly string[]): void;
  /** Drops the reply that was begun, unless something of it has gone out. Returns whether it was dropped. */
  takeBack(): boolean;
  /** Ends the connection so that nobody takes an incomplete reply for a complete one. */
  cut(): void;
  /** Replies with an error. No reply may have begun. Returns the size of the reply's body, in bytes. */
  refuse(error: BalancerError, requestId: number, isWhole: boolean): number;
  /** Says that the exchange wants to hear no more of its client. */
  release(): void;
  /** Lets the next request have its turn, or ends the connection. */
  finish(): void;
}

/** What the front tells an exchange about its client. */
export interface Occupant {
  /** The client takes bytes again. */
  onClientDrain(): void;
  onClientGone(): void;
  /**
   * The client's bytes cannot be parsed. Returns true if they belong to this request, which is then answered with the
   * error.
   */
  onClientBroken(error: BalancerError): boolean;
  /** Called a few times a second: gives up whatever has taken too long. */
  onTick(nowMs: number): void;
}

/** The replica's end of a tunnel. */
export interface TunnelEnd {
  /** Sends bytes. False asks for a pause until `resume` of the tunnel is called. */
  write(bytes: Buffer): boolean;
  endWriting(): void;
}

/** The client's end of a tunnel: its bytes go to the replica. The other direction is relayed like any reply. */
export interface Tunnel {
  /** How many bytes have gone to the replica. */
  readonly sentBytes: number;
  /** The replica takes bytes again. */
  resume(): void;
  /** Nobody wants what the client still sends. */
  stop(): void;
}
