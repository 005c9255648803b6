// Where one exchange's reply goes, and where its request came from: one turn of an HTTP/1 connection, or a stream of some later
// version. Types only: the exchange writes no text of HTTP and knows no socket of a client; a folder of ../front/ does.

import type { BalancerError } from '../../errors.ts';
import type { ReplyHead } from '../../http/reply-head.ts';

/** A request as it came. Node's `IncomingMessage` is one. */
export interface Incoming extends BodySource {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  /** All of it has come. */
  readonly complete: boolean;
}

/** A body as it comes, in pieces. Paused, it leaves them where they are. */
export interface BodySource {
  on(event: 'data', listener: (bytes: Buffer) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  pause(): unknown;
  resume(): unknown;
  /** Name, value, name, value, …, once it has ended. */
  readonly rawTrailers: readonly string[];
}

/** Where the reply goes. Calls come in the order in which they stand here; `finish` or `cut` is the last. */
export interface Downstream {
  /** The client takes no more for now. */
  readonly blocked: boolean;
  /** The client takes no more, nor is there memory left to keep it: no more is to be read for it. */
  readonly full: boolean;
  /** Passes on an interim reply. */
  inform(head: ReplyHead): void;
  /**
   * Begins the reply.
   * @param isWhole the client has sent its whole request. @param added fields, each with its CRLF.
   */
  begin(head: ReplyHead, isWhole: boolean, added: string): void;
  /** The reply that was begun holds no place: there is nothing to gain from reading ahead of its client. */
  followClient(): void;
  /**
   * Begins what has no end but that of the connection, in both directions.
   * @param offered the protocols that the client offered. @param early what it had sent before it knew.
   * Throws `bad-reply` if the replica switches to what was not offered.
   */
  beginTunnel(head: ReplyHead, offered: string, replica: TunnelEnd, early: Buffer | undefined): Tunnel;
  /** The bytes are only lent. */
  body(bytes: Buffer): void;
  /** Writes what was held back to be written together with what follows. */
  flush(): void;
  end(trailers: readonly string[]): void;
  /** Drops the reply that has begun, if nothing of it has gone out. False if something has. */
  takeBack(): boolean;
  /** Ends the connection so that nobody takes what was begun for the whole. */
  cut(): void;
  /** Gives an error as the reply, in place of one that has not begun. */
  refuse(error: BalancerError, requestId: number, isWhole: boolean): void;
  /** The exchange hears no more of its client. */
  release(): void;
  /** The next request has its turn, or the connection ends. */
  finish(): void;
}

/** What the front tells an exchange about its client. */
export interface Occupant {
  /** The client takes bytes again. */
  onClientDrain(): void;
  onClientGone(): void;
  /** What the client sends cannot be parsed. True if that is of a request that is not whole yet: it is then answered. */
  onClientBroken(error: BalancerError): boolean;
  /** Time to give up what has taken longer than it may. */
  onTick(nowMs: number): void;
}

/** The replica's end of a tunnel. */
export interface TunnelEnd {
  /** False: it takes no more until `resume` of the tunnel is called. */
  write(bytes: Buffer): boolean;
  endWriting(): void;
}

/** What the client sends goes to the replica. The other way is a reply without end, which is relayed like any other. */
export interface Tunnel {
  /** How much has gone to the replica. */
  readonly sentBytes: number;
  /** The replica takes bytes again. */
  resume(): void;
  /** Nobody takes what the client still sends. */
  stop(): void;
}
