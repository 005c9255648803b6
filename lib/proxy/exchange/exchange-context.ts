// What one request is given to work with: what is asked for, and the proxy around it. Types only; exchange.ts uses them, server.ts
// provides them.

import type { Explanation } from '../../core/ring/explain.ts';
import type { Key } from '../../core/ring/policy.ts';
import type { SeatId } from '../../core/ring/ring.ts';
import type { BalancerError } from '../../errors.ts';
import type { RequestHead } from '../../http/headers.ts';
import type { Sample } from '../meter.ts';
import type { ProxyLimits } from '../proxy-limits.ts';
import type { ReplicaAgent } from '../replicas/agent.ts';
import type { Exchange } from './exchange.ts';
import type { ReturnLine } from './return-line.ts';
import type { UploadMemory } from './upload-memory.ts';
import type { Waiting } from './waiting-line.ts';

/** What an exchange needs of the proxy around it. */
export interface ExchangeContext {
  readonly limits: ProxyLimits;
  /** What waits for replicas. */
  readonly uploads: UploadMemory;
  /** The agent of the best seat for that key that takes requests and is not in `tried`. */
  pick(key: Key, tried: readonly SeatId[]): ReplicaAgent | undefined;
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
  explain(key: Key): Explanation | undefined;
  readonly hostnameOf: (seat: SeatId) => string | undefined;
  /** A request failed there. */
  suspect(agent: ReplicaAgent): void;
  /** The value of a Date field for now. */
  date(): string;
  /** Connections are to end with the reply they carry. */
  readonly closing: boolean;
  /** The exchange is over; `error` if the client got no whole reply of a replica. */
  onOver(exchange: Exchange, error: BalancerError | undefined): void;
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
