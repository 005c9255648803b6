// What a plane is given to work with, and what planes in several threads share.

import type { IncomingMessage, Server } from 'node:http';
import type { LearnedSeats } from '../core/keys/learned-seats.ts';
import type { IdPosition, TakeBatch } from '../core/plane-ports.ts';
import type { Clock, ReplicaRef } from '../core/ports.ts';
import type { KeyFunction } from '../core/request/key-source.ts';
import type { Ledger } from '../core/request/ledger.ts';
import type { RowBook } from '../core/request/rows.ts';
import type { Suspects } from '../core/request/suspects.ts';
import type { Tally } from '../core/traffic/traffic.ts';
import type { Log } from '../log.ts';
import type { UntilFreed } from './exchange/waiting-line.ts';
import type { OwnAnswer } from './front/http1/responses.ts';
import type { Listening } from './front/listeners.ts';
import type { MeasuredBlock } from './measure-book.ts';
import type { LoadPair } from './pairs.ts';
import type { Dial } from './replicas/socket.ts';

export interface PlanePorts {
  readonly log: Log;
  /** Takes the lines of the access log. */
  readonly takeLines: TakeBatch;
  readonly clock: Clock;
  /** The system's by default. */
  readonly network?: Network | undefined;
  /** Loads the hash pair of a plan. Rejects if it cannot be loaded. */
  readonly loadPair: LoadPair;
  /** Gives what answers a request that is for the balancer itself; `undefined` leaves the request to the ring. */
  readonly ownAnswer: (request: IncomingMessage) => OwnAnswer | undefined;
  /** The first request id: any whole number. */
  readonly seed: number;
  /** Decides which keys are in the sample of the sketch: any whole number that clients do not know. */
  readonly sampleSeed?: number;
  /** How many ids another process gave of that sequence, whose place this one takes. */
  readonly idsGiven?: Omit<IdPosition, 'seed'> | undefined;
  /** What that process remembers of cookies, as it hands it over. */
  readonly learnedGiven?: string | undefined;
  /** What requests are hashed by if the settings say `function`. */
  readonly keyFunction?: KeyFunction | undefined;
  /** What this plane shares with those in other threads, if there are any. */
  readonly shared?: SharedState;
  /** The name of this thread; `main` by default. */
  readonly thread?: string;
  /** Others listen on the same port: the workers beside this one. */
  readonly sharesPort?: boolean;
}

/** Where connections come from, and where they go: the system's network, or one that only exists in a simulation. */
export interface Network {
  readonly dial: Dial;
  /** What listens for connections, and gives each to that server as its event `connection`. */
  readonly listeners: (server: Server) => Listening;
}

/** What planes in several threads share. */
export interface SharedState {
  readonly ledger: Ledger;
  readonly rows: RowBook;
  /** Where they keep what they have learned of cookies. */
  readonly learned?: LearnedSeats;
  readonly suspects?: Suspects;
  /** Memory for what is measured, which is told to whoever reads it. */
  readonly cellsOf: (block: MeasuredBlock) => Float64Array;
  /** Where the requests of a replica are counted, or all requests. */
  readonly tallyOf: (replica: ReplicaRef | undefined) => Tally;
  /** Waits until another thread has given back a place; through the memory that is shared, by default. */
  readonly untilFreed?: UntilFreed | undefined;
}
