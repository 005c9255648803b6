// A lease is an attempt's right to one connection to a replica, and to one place in flight there, until `finish`,
// `abandon` or `endSoon`. Types only: an exchange knows its lease, but not the agent and the connection behind it.

import type { ReplicaRef } from '../../core/ports.ts';
import type { SeatMeasures } from '../../core/traffic/measures.ts';
import type { Tally } from '../../core/traffic/traffic.ts';
import type { BalancerError } from '../../errors.ts';
import type { ReplySink } from '../../http/reply-reader.ts';

/** Gives leases: the agent of one replica. */
export interface Lessor {
  readonly replica: ReplicaRef;
  /** Host and port, as a Host field has them. */
  readonly authority: string;
  /** Connections are used for more than one request. */
  readonly keepsAlive: boolean;
  /** The replica takes no more requests. */
  readonly retired: boolean;
  readonly inFlight: number;
  /** Counts the requests that ended there. */
  readonly tally: Tally;
  /** What is measured at its seat. */
  readonly measures: SeatMeasures;
  /**
   * Lends a connection for one request that has taken its place: the one used last, or a new one if there is none or
   * `fresh` asks for it.
   * @param offers the request offers to switch protocols, as it was said when the place was taken.
   * @param weight of the request, as it was said then.
   */
  lease(fresh: boolean, offers: boolean, weight: number): Lease;
}

export interface Lease {
  readonly lessor: Lessor;
  /**
   * The connection has carried a request before, so the replica may close it at any moment without having seen this
   * request.
   */
  readonly reused: boolean;
  /** The connection is established. From here on bytes of the request may have arrived. */
  readonly connected: boolean;
  /** A byte has come in reply; those of interim replies count. */
  readonly hasSpoken: boolean;
  /** The reply is an event stream. */
  readonly isStream: boolean;
  /** Call it once, before anything else. */
  begin(holder: Leaseholder, method: string): void;
  /** Writes bytes, or text as latin1. False asks to wait for `onDrain` before the next write; the bytes are kept. */
  write(data: string | Buffer): boolean;
  cork(): void;
  uncork(): void;
  /** Nothing more will be written; the reply still comes. */
  endWriting(): void;
  /** Stops reading for now. What was read already still comes. */
  pause(): void;
  resume(): void;
  /** The reply is an event stream. It gives back its place in flight, which it would otherwise hold for hours. */
  becomeStream(): void;
  /** The replica has switched protocols. The tunnel gives back its place in flight. */
  becomeTunnel(): void;
  /** The reply is complete and the request was sent: the connection may be used again. */
  finish(): void;
  /** Nobody wants the rest of this reply: the connection cannot be used again. */
  abandon(): void;
  /** Nothing more is to be said: the connection closes when the replica has what was written. */
  endSoon(): void;
}

/** Holds a lease: gets the reply, or learns that there will be none. */
export interface Leaseholder extends ReplySink {
  /** All bytes that had come are read. More may not follow soon. */
  onPause(): void;
  /** The connection takes bytes again after `write` returned false. */
  onDrain(): void;
  /** The connection, which is a new one, is established. */
  onConnected(): void;
  /**
   * The connection takes long to be established: the replica may hang, or a packet was lost. The attempt still waits.
   */
  onSlowConnect(): void;
  /** The connection is gone before the reply was complete. */
  onLost(error: BalancerError): void;
  /**
   * The event stream must end, in order: its replica takes no more requests, and would wait for the stream for ever.
   */
  endStream(): void;
}
