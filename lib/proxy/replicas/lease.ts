// The right of one attempt to a connection to a replica, and to one place in flight there, until `finish`, `abandon` or `endSoon`.
// Types only: an exchange knows its lease and not what is behind it, which is an agent and one of its connections.

import type { ReplicaRef } from '../../core/ports.ts';
import type { Tally } from '../../core/traffic/traffic.ts';
import type { BalancerError } from '../../errors.ts';
import type { ReplySink } from '../../http/reply-reader.ts';

/** Who gives leases: the agent of one replica. */
export interface Lessor {
  readonly replica: ReplicaRef;
  /** Host and port, as a Host field has them. */
  readonly authority: string;
  /** Connections are used again. */
  readonly keepsAlive: boolean;
  /** It takes no more requests. */
  readonly retired: boolean;
  readonly inFlight: number;
  /** Of the requests that ended there. */
  readonly tally: Tally;
  /**
   * A connection for one request that has taken its place: the one used last, or a new one if there is none or `fresh` asks for it.
   * @param offers the request offers to switch protocols.
   */
  lease(fresh: boolean, offers: boolean): Lease;
}

export interface Lease {
  readonly lessor: Lessor;
  /** Its connection has carried a request before: the replica may close it at any moment without having seen this one. */
  readonly reused: boolean;
  /** The connection came about: from here on, bytes may have arrived. */
  readonly connected: boolean;
  /** A byte of the reply has come. */
  readonly replyBegun: boolean;
  /** The reply is an event stream. */
  readonly isStream: boolean;
  /** To be called once, before all else. */
  begin(holder: Leaseholder, method: string): void;
  /** False: the bytes are kept, but wait for `onDrain` before the next. Text is latin1. */
  write(data: string | Buffer): boolean;
  cork(): void;
  uncork(): void;
  /** Nothing more will be written; the reply still comes. */
  endWriting(): void;
  /** No more of the reply for now. What was read already still comes. */
  pause(): void;
  resume(): void;
  /** The reply is an event stream: it gives back its place in flight, or would distort the load for hours. */
  becomeStream(): void;
  /** The replica has switched protocols: it gives back its place in flight. */
  becomeTunnel(): void;
  /** The reply is whole and the request was sent: the connection may be used again. */
  finish(): void;
  /** Nobody wants the rest of this reply: the connection cannot be used again. */
  abandon(): void;
  /** There is nothing more to say: the connection closes when the replica has what was written. */
  endSoon(): void;
}

/** Who holds a lease: the reply goes there, and the news that there will be none. */
export interface Leaseholder extends ReplySink {
  /** All bytes that had come are read: nothing more is known to follow soon. */
  onPause(): void;
  /** The connection takes bytes again after `write` gave false. */
  onDrain(): void;
  /** The connection takes long to come about: its replica may hang, or a packet was lost. It is still waited for. */
  onSlowConnect(): void;
  /** The connection is gone before the reply was whole. */
  onLost(error: BalancerError): void;
  /** An event stream is to end, in order: its replica takes no more requests, and would wait for it for ever. */
  endStream(): void;
}
