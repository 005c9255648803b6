// What a case is: bytes that a client sends, bytes that a replica answers with, and what must be true of what both of them
// then saw. Cases are data; stage.ts plays them.

import type { Message } from './message.ts';

/** What the client does next. Texts are latin1. */
export type ClientStep =
  | string
  | { readonly until: RegExp }
  /** So many final replies have come whole, or the connection has ended. */
  | { readonly replies: number }
  | { readonly replicaHas: RegExp }
  | { readonly pauseMs: number }
  | 'half-close'
  /** Every connection to a replica has ended. */
  | 'replica-ends'
  | 'reset'
  /** Ends the case with the connection open. */
  | 'leave';

/** What the replica does next on the connection of a request. */
export type ReplicaStep =
  | string
  | { readonly until: RegExp }
  /** The client has that much of the answer. */
  | { readonly clientHas: RegExp }
  | { readonly pauseMs: number }
  /** What comes on this connection from now on is no HTTP. */
  | 'tunnel'
  | 'end'
  | 'reset';

/**
 * How the proxy is set up: one replica, two, one and limits so tight that a test can reach them, one that never listens, or one and
 * clients that end their side are to be answered.
 */
export type Profile = 'plain' | 'pair' | 'tight' | 'down' | 'half-close';

export interface Case {
  readonly name: string;
  readonly duty: number;
  readonly client: string | readonly ClientStep[];
  /** One for each request, the last for all that follow. Left out: 200 and `ok`. */
  readonly answers?: readonly (string | readonly ReplicaStep[])[];
  /** Answered when the request is all there, if not said otherwise. */
  readonly answerAt?: 'head';
  readonly profile?: Profile;
  /** Of the requests that replies answer, in turn; GET or that of the first request if left out. */
  readonly methods?: readonly string[];
  /** Peers cannot be set up for it, or would need minutes. */
  readonly oursOnly?: boolean;
  readonly checks: readonly Check[];
}

export interface ReplicaSide {
  readonly text: string;
  readonly requests: readonly Message[];
  readonly garbled: string | undefined;
  readonly ended: boolean;
  /** Which replica it was, from 0. */
  readonly replica: number;
}

export interface Outcome {
  /** All that the client got. */
  readonly text: string;
  readonly replies: readonly Message[];
  readonly garbled: string | undefined;
  readonly ended: 'open' | 'closed' | 'reset';
  /** A step that never came about. */
  readonly stuck: string | undefined;
  readonly connections: readonly ReplicaSide[];
  /** All that replicas got, in turn; unfinished ones too. */
  readonly requests: readonly Message[];
}

/** What is wrong with the outcome, if anything. */
export type Check = (seen: Outcome) => string | undefined;
