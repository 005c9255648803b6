// What one exchange is given to work with, and what is left when it is over. Types only.

import type { KeyFinding } from '../../core/keys/key-finding.ts';
import type { ReplicaRef } from '../../core/ports.ts';
import type { Key } from '../../core/ring/policy.ts';
import type { SeatId } from '../../core/ring/ring.ts';
import type { KeyTraffic } from '../../core/sketch/key-traffic.ts';
import type { FrontMeasures } from '../../core/traffic/measures.ts';
import type { BalancerError, ErrorCode } from '../../errors.ts';
import type { RequestHead } from '../../http/headers.ts';
import type { Directions } from '../directions.ts';
import type { Guard } from '../poison/guard.ts';
import type { ProxyLimits } from '../proxy-limits.ts';
import type { Lessor } from '../replicas/lease.ts';
import type { SeatClaims } from '../replicas/routing-table.ts';
import type { Told } from './downstream.ts';
import type { ReturnLine } from './return-line.ts';
import type { Times } from './times.ts';
import type { UploadMemory } from './upload-memory.ts';
import type { Waiting } from './waiting-line.ts';

/** Who knows whether more requests come than the replicas can do. */
export interface Shedder {
  /** They do, so that requests are turned away. */
  readonly isShedding: boolean;
  /** The error of a request that is turned away. */
  refusal(): BalancerError;
}

/** What an exchange needs of the data plane around it. */
export interface ExchangeContext {
  readonly limits: ProxyLimits;
  /** Memory for bodies that no replica has yet. */
  readonly uploads: UploadMemory;
  /**
   * Takes a place for a request with that key, at the best seat that takes requests and is not in `tried`. The caller
   * must lease it.
   * @param offers the request offers to switch protocols, so it takes a place among the tunnels too.
   * @param home the seat that comes before those of the ring, if there is one.
   * @param claims the seat must be claimed there as well.
   * @param weight of the request, if the bound on load is on weights; else 0.
   */
  take(
    key: Key,
    tried: readonly SeatId[],
    offers: boolean,
    home: SeatId | undefined,
    claims?: SeatClaims,
    weight?: number,
  ): Lessor | undefined;
  readonly measures: FrontMeasures;
  readonly keyTraffic: Pick<KeyTraffic, 'place'>;
  readonly directions: Pick<Directions, keyof Directions>;
  /**
   * Waits for room if all replicas are full: `onRoom` is called later. False if there is nothing to wait for, or no
   * place to wait.
   */
  wait(exchange: Waiting, tried: readonly SeatId[]): boolean;
  /** An id for a request that has no key and goes by its id. */
  dealId(): number;
  readonly overload: Shedder;
  /** No request goes to a replica for now. */
  readonly isPaused: boolean;
  /** `tried`, and the seats that have as many tunnels as they may. */
  barredFromTunnels(tried: readonly SeatId[]): readonly SeatId[];
  /** The line for requests that no replica is left for. */
  readonly returns: ReturnLine;
  /** Leaves every line. */
  stopWaiting(exchange: Waiting): void;
  /** Knows which requests may kill replicas. */
  readonly guard: Guard;
  /** May one more attempt be made after a failure? If so, it is counted. */
  spendRetry(): boolean;
  readonly hostnameOf: (seat: SeatId) => string | undefined;
  /** Reports that a request failed at a replica. */
  suspect(replica: ReplicaRef): void;
  /** Reports that an exchange is over. */
  onOver(ended: Ended): void;
}

/** One request, with what is found of its key, and its id. */
export interface Asked {
  readonly head: RequestHead;
  readonly found: KeyFinding;
  readonly requestId: number;
  /** The client's address: not that of a trusted proxy in front, but what it says. */
  readonly client: string;
  /** Bytes that came behind a request that offers to switch protocols. */
  readonly early: Buffer | undefined;
}

/** An attempt that came to nothing. */
export interface Loss {
  readonly replica: ReplicaRef;
  readonly why: ErrorCode;
}

/** An exchange that is over, as the meter and the logs see it. They read it at once and do not keep it. */
export interface Ended {
  readonly request: Told;
  /** The client's address. */
  readonly client: string;
  readonly requestId: number;
  readonly key: Key;
  readonly found: Pick<KeyFinding, 'keyClass'>;
  /** The replica that was tried last. */
  readonly agent: Lessor | undefined;
  /** Status of the reply, 0 if there was none. */
  readonly status: number;
  readonly times: Times;
  /** How many attempts were made, and those that were lost, the last one included if it was. */
  readonly attempts: number;
  readonly losses: readonly Loss[];
  /** Bytes of the request's body; in a tunnel also those that the client sent later. */
  readonly receivedBytes: number;
  /** Bytes of the reply's body that were written for the client, without their framing. */
  readonly sentBytes: number;
  /** Why the client got no whole reply of a replica, if it got none. */
  readonly error: BalancerError | undefined;
}
