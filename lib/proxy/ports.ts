// What a plane is given to work with, and what planes in several threads share.

import type { IncomingMessage } from 'node:http';
import type { IdPosition, TakeBatch } from '../core/plane-ports.ts';
import type { Clock, ReplicaRef } from '../core/ports.ts';
import type { KeyFunction } from '../core/request/key-source.ts';
import type { Ledger } from '../core/request/ledger.ts';
import type { RowBook } from '../core/request/rows.ts';
import type { Suspects } from '../core/request/suspects.ts';
import type { Tally } from '../core/traffic/traffic.ts';
import type { Log } from '../log.ts';
import type { OwnAnswer } from './front/http1/responses.ts';
import type { MeasuredBlock } from './measure-book.ts';
import type { LoadPair } from './pairs.ts';

export interface PlanePorts {
  readonly log: Log;
  /** Takes the lines of the access log. */
  readonly takeLines: TakeBatch;
  readonly clock: Clock;
  /** Loads the hash pair of a plan. Rejects if it cannot be loaded. */
  readonly loadPair: LoadPair;
  /** Gives what answers a request that is for the balancer itself; `undefined` leaves the request to the ring. */
  readonly ownAnswer: (request: IncomingMessage) => OwnAnswer | undefined;
  /** The first request id: any whole number. */
  readonly seed: number;
  /** How many ids another process gave of that sequence, whose place this one takes. */
  readonly idsGiven?: Omit<IdPosition, 'seed'> | undefined;
  /** What requests are hashed by if the settings say `function`. */
  readonly keyFunction?: KeyFunction | undefined;
  /** What this plane shares with those in other threads, if there are any. */
  readonly shared?: SharedState;
  /** The name of this thread; `main` by default. */
  readonly thread?: string;
  /** Others listen on the same port: the workers beside this one. */
  readonly sharesPort?: boolean;
}

/** What planes in several threads share. */
export interface SharedState {
  readonly ledger: Ledger;
  readonly rows: RowBook;
  readonly suspects: Suspects;
  /** Memory for what is measured, which is told to whoever reads it. */
  readonly cellsOf: (block: MeasuredBlock) => Float64Array;
  /** Where the requests of a replica are counted, or all requests. */
  readonly tallyOf: (replica: ReplicaRef | undefined) => Tally;
}
