// What one exchange is given to work with, and what is left of it when it is over. Types only.

import type { ReplicaRef } from '../../core/ports.ts';
import type { Explanation } from '../../core/ring/explain.ts';
import type { Key } from '../../core/ring/policy.ts';
import type { SeatId } from '../../core/ring/ring.ts';
import type { BalancerError } from '../../errors.ts';
import type { RequestHead } from '../../http/headers.ts';
import type { Sample } from '../meter.ts';
import type { ProxyLimits } from '../proxy-limits.ts';
import type { Lessor } from '../replicas/lease.ts';
import type { ReturnLine } from './return-line.ts';
import type { UploadMemory } from './upload-memory.ts';
import type { Waiting } from './waiting-line.ts';

/** What an exchange needs of the data plane around it. */
export interface ExchangeContext {
  readonly limits: ProxyLimits;
  /** What waits for replicas. */
  readonly uploads: UploadMemory;
  /** The agent of the best seat for that key that takes requests and is not in `tried`. A place is taken there: it is to be leased. */
  take(key: Key, tried: readonly SeatId[]): Lessor | undefined;
  /** There is none, but some are full: calls `onRoom` later. False if there is nothing to wait for, or no place to wait. */
  wait(exchange: Waiting, tried: readonly SeatId[]): boolean;
  /** `tried`, and the seats that have as many tunnels as they may. */
  barredFromTunnels(tried: readonly SeatId[]): readonly SeatId[];
  /** For requests that nobody is left for. */
  readonly returns: ReturnLine;
  /** It waits no longer. */
  stopWaiting(exchange: Waiting): void;
  /** May one more attempt be made at something that failed? It is counted if so. */
  spendRetry(): boolean;
  /** Why a request with that key goes where it goes; `undefined` before there was a ring. */
  explanationOf(key: Key): Explanation | undefined;
  readonly hostnameOf: (seat: SeatId) => string | undefined;
  /** A request failed there. */
  suspect(replica: ReplicaRef): void;
  /** An exchange is over. */
  onOver(ended: Ended): void;
}

/** What is asked for, and by which key and id. */
export interface Asked {
  readonly head: RequestHead;
  readonly key: Key;
  readonly requestId: number;
  /** Bytes that came behind a request that offers to switch protocols. */
  readonly early: Buffer | undefined;
  /** If it is timed. */
  readonly sample: Sample | undefined;
}

/** An exchange that is over: what the meter and the log observe. It is read at once and not kept. */
export interface Ended {
  readonly request: { readonly method?: string | undefined; readonly url?: string | undefined };
  readonly requestId: number;
  readonly key: Key;
  /** The replica that was tried last. */
  readonly agent: Lessor | undefined;
  /** Of the reply, 0 if there was none. */
  readonly status: number;
  readonly sample: Sample | undefined;
  /** Why the client got no whole reply of a replica, if it got none. */
  readonly error: BalancerError | undefined;
}
