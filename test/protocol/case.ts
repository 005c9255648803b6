// A case is data: the bytes that a client sends, the bytes that a replica answers with, and what has to be true of what
// both saw then. stage.ts plays it.

import type { Message } from './message.ts';

/** What the client does next. Texts are latin1. */
export type ClientStep =
  | string
  | { readonly until: RegExp }
  /** Waits until this many final replies are complete, or the connection has ended. */
  | { readonly replies: number }
  | { readonly replicaHas: RegExp }
  | { readonly pauseMs: number }
  | 'half-close'
  /** Waits until every connection to a replica has ended. */
  | 'replica-ends'
  | 'reset'
  /** Ends the case and leaves the connection open. */
  | 'leave';

/** What the replica does next on the connection of a request. */
export type ReplicaStep =
  | string
  | { readonly until: RegExp }
  /** Waits until the client has that much of the answer. */
  | { readonly clientHas: RegExp }
  | { readonly pauseMs: number }
  /** What comes on this connection from now on is not HTTP. */
  | 'tunnel'
  | 'end'
  | 'reset';

/**
 * How the proxy is set up: `plain` has one replica, `pair` has two, `tight` has limits so low that a test can reach
 * them, `down` has a replica that never listens, and `half-close` answers clients that end their side.
 */
export type Profile = 'plain' | 'pair' | 'tight' | 'down' | 'half-close';

export interface Case {
  readonly name: string;
  readonly duty: number;
  readonly client: string | readonly ClientStep[];
  /** The answers to the requests in turn; the last one is for all that follow. By default 200 and `ok`. */
  readonly answers?: readonly (string | readonly ReplicaStep[])[];
  /** Answers at the head of the request; by default when the request is complete. */
  readonly answerAt?: 'head';
  readonly profile?: Profile;
  /** The methods of the requests that replies answer, in turn; by default GET, or that of the first request. */
  readonly methods?: readonly string[];
  /** Peers cannot be set up for the case, or would need minutes. */
  readonly oursOnly?: boolean;
  readonly checks: readonly Check[];
}

export interface ReplicaSide {
  readonly text: string;
  readonly requests: readonly Message[];
  readonly garbled: string | undefined;
  readonly ended: boolean;
  /** The number of the replica, from 0. */
  readonly replica: number;
}

export interface Outcome {
  /** Everything that the client got. */
  readonly text: string;
  readonly replies: readonly Message[];
  readonly garbled: string | undefined;
  readonly ended: 'open' | 'closed' | 'reset';
  /** A step that never came about. */
  readonly stuck: string | undefined;
  readonly connections: readonly ReplicaSide[];
  /** All requests that replicas got, in order, including incomplete ones. */
  readonly requests: readonly Message[];
}

/** Says what is wrong with the outcome, if anything. */
export type Check = (seen: Outcome) => string | undefined;
