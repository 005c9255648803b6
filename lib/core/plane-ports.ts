// The data plane as the control plane sees it. It may run in this thread or in several.

import type { Poison } from './request/poison.ts';
import type { Explanation } from './ring/explain.ts';
import type { Key } from './ring/policy.ts';
import type { RoutingPlan } from './routing-plan.ts';
import type { SketchReading } from './sketch/reading.ts';
import type { Counters } from './traffic/counters.ts';
import type { HotKeysReading } from './traffic/hot-keys.ts';
import type { Landings } from './traffic/landings.ts';
import type { PlaneReading } from './traffic/plane-reading.ts';

/** News of a data plane: what it tells unasked. */
export type PlaneNews =
  /** A request failed at this replica. */
  | { readonly type: 'suspected'; readonly incarnation: number }
  /**
   * This replica takes no more requests, and none is left there. Told at least once for each replica that a plan says
   * is draining.
   */
  | { readonly type: 'drained'; readonly incarnation: number };

/** Where a data plane listens: at a port of its own, or on sockets that somebody else has opened. */
export type ListenPlace =
  | { readonly port: number; readonly host: string }
  /** File descriptors of TCP sockets that listen already, all at one port of that host. */
  | { readonly descriptors: readonly number[]; readonly host: string };

/** How far the two sequences of request ids are. */
export interface IdPosition {
  /** Any whole number from 0 to 2^32. */
  readonly seed: number;
  /** How many ids were dealt to requests that go by their id, and how many to others. */
  readonly dealt: number;
  readonly named: number;
}

/** What a data plane in another process needs to go on in place of this one. */
export interface PlaneHandover {
  /** File descriptors of all sockets that it listens on. */
  readonly descriptors: readonly number[];
  readonly ids: IdPosition;
  /**
   * What is remembered of cookies, as lib/core/keys/learned-seats.ts has it in memory, in base64. Not in that of
   * versions that did not learn, nor where nothing was to be learned.
   */
  readonly learned?: string;
}

export interface DataPlane {
  /** Resolves with the port that it listens on. Rejects with the system's error. */
  listen(place: ListenPlace): Promise<number>;
  /**
   * Makes requests go by this plan, unless a later one holds already. Resolves when all requests do. If a replica is in
   * none of the plan's lists, requests in flight there are tried elsewhere, or cut.
   */
  publish(plan: RoutingPlan): Promise<void>;
  /** Calls back with all news. Returns the function that ends the watch. */
  watch(listener: (news: PlaneNews) => void): () => void;
  /** Everything counted since the start. Reading changes nothing for another reader. */
  counters(): Promise<Counters>;
  /** What monitoring reads. Reading changes nothing. */
  reading(): Promise<PlaneReading>;
  /**
   * Where requests landed since the look that ended at `after`, 0 for a first look. If there were many, gives a sample
   * of them.
   */
  landings(after: number): Promise<Landings>;
  /** Which keys came most often lately. Reading changes nothing. */
  hotKeys(): Promise<HotKeysReading>;
  /** What is kept of the keys of the last hour. Reading changes nothing. */
  sketch(): Promise<SketchReading>;
  /**
   * Where a request with this key would go now, and why; `undefined` before there was a ring.
   * @param learned the value of its cookie, if whoever has set that comes first.
   */
  explain(key: Key, learned?: string): Promise<Explanation | undefined>;
  /** What it knows now of requests that kill replicas. */
  readonly poison: Poison;
  /** Changes nothing. Rejects if it does not listen, or if this version of Node does not tell the descriptors. */
  handover(): Promise<PlaneHandover>;
  /** How many connections of clients there are. */
  connections(): number;
  /**
   * Accepts no more connections, though another process listens on the same sockets: what waits there is not lost. Each
   * connection ends with its next reply. Event streams and tunnels go on until `signal` is aborted, and end then.
   * Resolves when no connection is left, with the number of requests that were cut.
   */
  giveWay(signal: AbortSignal): Promise<number>;
  /**
   * Accepts no more connections, ends event streams, lets open requests finish, and cuts what is left when `signal` is
   * aborted.
   */
  close(signal: AbortSignal): Promise<void>;
}

/** Lines of the access log that go on together. */
export interface LineBatch {
  /** Whole lines, in ASCII. Their memory is the taker's, who gives it back. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly lines: number;
  /** How many lines were dropped before these. */
  readonly dropped: number;
}

/**
 * Takes batches in their order. `onTaken` must be called once for each, when it is written or lost, with the memory of
 * its bytes.
 */
export type TakeBatch = (batch: LineBatch, onTaken: (memory: ArrayBuffer) => void) => void;
