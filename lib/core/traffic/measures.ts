// What is measured for monitoring, at each seat and at the front of each thread. Counts are of seats and not of
// replicas, so that none goes down when a replica is replaced. A request costs a few additions to cells of memory,
// which another thread may read and add up. Nothing is ever taken away from a cell.

import { KEY_CLASSES, type KeyClass } from '../request/key-source.ts';

/** How a request ended: the class of the status that its client got of a replica, or that it got no whole reply. */
export const OUTCOMES = ['1xx', '2xx', '3xx', '4xx', '5xx', 'failed', 'abandoned'] as const;
/** `read`: methods that are safe by RFC 9110, 9.2.1. */
export const METHODS = ['read', 'write'] as const;
/** Codes of the errors that end or refuse requests. The last one stands for all others. */
export const REASONS = [
  ...['bad-reply', 'connection-lost', 'connect-failed', 'no-replica', 'overloaded', 'shed', 'closing'],
  ...['reply-timeout', 'tunnel-idle', 'internal', 'poison', 'client-left', 'bad-request', 'request-timeout'],
  ...['body-too-large', 'head-too-large', 'not-implemented', 'rehomed', 'other'],
] as const;
/** Why a request was tried again: `stale` if a kept connection had closed, else the code of the error. */
export const RETRY_REASONS = ['stale', 'connect-failed', 'connection-lost', 'bad-reply', 'other'] as const;
/** Why a request went past the seat that it belongs to. */
export const SPILL_REASONS = ['absent', 'suspected', 'eased', 'busy', 'tried'] as const;
/** Where a request with a key went: to the seat that comes first for it, or to another. */
export const KEY_WAYS = ['owner', 'other'] as const;
export type SpillReason = (typeof SPILL_REASONS)[number];
export type Outcome = 'failed' | 'abandoned';
// Errors that end a request while its replica is waited for.
const GIVEN_UP: ReadonlySet<string> = new Set(['client-left', 'reply-timeout', 'request-timeout']);

/** Upper bounds of the buckets of all times, in s. What is longer is in one bucket more. */
export const BOUNDS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;
const BOUNDS_MS = BOUNDS_S.map((bound) => bound * 1000);
/** A histogram's cells: its buckets, then the sum of what was recorded, in s. */
export const TIME_CELLS = BOUNDS_S.length + 2;
const SUM = TIME_CELLS - 1;
/** Cells for the time that a replica alone was waited for: up to 1 ms, then two for each doubling, from a minute on. */
export const WAIT_CELLS = 34;

/** Where each group of cells begins. */
export const SEAT_LAYOUT = layout({
  requests: METHODS.length * OUTCOMES.length,
  losses: REASONS.length,
  retries: RETRY_REASONS.length,
  spills: SPILL_REASONS.length,
  connections: 2,
  duration: TIME_CELLS,
  firstByte: TIME_CELLS,
  queue: TIME_CELLS,
  waits: WAIT_CELLS,
});
export const FRONT_LAYOUT = layout({
  refusals: REASONS.length,
  connections: 2,
  keyed: KEY_WAYS.length * KEY_CLASSES.length,
  lag: TIME_CELLS,
  held: 1,
});

// Between two looks at how many requests there are, and the longest that one may be late.
const TICK_MS = 100;
const MOST_BETWEEN_MS = 1000;

/** The seat that stands for none: requests that no replica got. */
export const NO_SEAT = 0;

/** Times of one request, as an exchange notes them. */
export interface MeasuredTimes {
  readonly startedMs: number;
  /** 0 if no replica had a place for it. */
  readonly placedMs: number;
  /** Since when only the replica was waited for; 0 if the request was not whole by then, or the replica was lost. */
  readonly askedMs: number;
  /** 0 if no head of a reply came. */
  readonly answeredMs: number;
  readonly endedMs: number;
}

/** What is counted at one seat. */
export class SeatMeasures {
  readonly cells: Float64Array;

  /** @param cells memory for `SEAT_LAYOUT.size` numbers, all 0. Readers may share it. */
  constructor(cells: Float64Array = new Float64Array(SEAT_LAYOUT.size)) {
    this.cells = cells;
  }

  /** Call it when a request has ended with a whole reply. */
  reply(method: string, status: number, times: MeasuredTimes): void {
    // A tunnel has no head of a final reply.
    if (times.answeredMs > 0) this.#wait(times.askedMs, times.answeredMs);
    this.#end(method, Math.min(5, Math.max(1, Math.floor(status / 100))) - 1, times);
  }

  /** Call it when a request has ended without one. @param code of the error. */
  loss(method: string, how: Outcome, code: string, times: MeasuredTimes): void {
    // Whoever gives up has waited at least so long: a replica that hangs shows by those.
    if (times.answeredMs > 0) this.#wait(times.askedMs, times.answeredMs);
    else if (GIVEN_UP.has(code)) this.#wait(times.askedMs, times.endedMs);
    this.#end(method, how === 'failed' ? 5 : 6, times);
    addOne(this.cells, SEAT_LAYOUT.losses + indexIn(REASONS, code));
  }

  retry(reason: string): void {
    addOne(this.cells, SEAT_LAYOUT.retries + indexIn(RETRY_REASONS, reason));
  }

  spill(reason: SpillReason): void {
    addOne(this.cells, SEAT_LAYOUT.spills + SPILL_REASONS.indexOf(reason));
  }

  /** A connection is taken for a request. */
  connection(reused: boolean): void {
    addOne(this.cells, SEAT_LAYOUT.connections + (reused ? 1 : 0));
  }

  #wait(fromMs: number, toMs: number): void {
    if (fromMs > 0) addOne(this.cells, SEAT_LAYOUT.waits + cellOfWait(toMs - fromMs));
  }

  #end(method: string, outcome: number, { startedMs, placedMs, answeredMs, endedMs }: MeasuredTimes): void {
    const { cells } = this;
    addOne(cells, SEAT_LAYOUT.requests + (isRead(method) ? 0 : OUTCOMES.length) + outcome);
    record(cells, SEAT_LAYOUT.duration, endedMs - startedMs);
    if (answeredMs > 0) record(cells, SEAT_LAYOUT.firstByte, answeredMs - startedMs);
    record(cells, SEAT_LAYOUT.queue, (placedMs > 0 ? placedMs : endedMs) - startedMs);
  }
}

/** What is counted where requests come in, in one thread. */
export class FrontMeasures {
  readonly cells: Float64Array;

  #held = 0;
  #heldToMs = 0;

  /** @param cells memory for `FRONT_LAYOUT.size` numbers, all 0. Readers may share it. */
  constructor(cells: Float64Array = new Float64Array(FRONT_LAYOUT.size)) {
    this.cells = cells;
  }

  /** A request or a connection was refused before there was an exchange. */
  refusal(code: string): void {
    addOne(this.cells, FRONT_LAYOUT.refusals + indexIn(REASONS, code));
  }

  /** A client has connected, or sends a further request on its connection. */
  connection(reused: boolean): void {
    addOne(this.cells, FRONT_LAYOUT.connections + (reused ? 1 : 0));
  }

  /** A request with a key of that class has its place at a replica. */
  keyed(keyClass: KeyClass, way: (typeof KEY_WAYS)[number]): void {
    addOne(this.cells, FRONT_LAYOUT.keyed + KEY_WAYS.length * KEY_CLASSES.indexOf(keyClass) + KEY_WAYS.indexOf(way));
  }

  /**
   * So many requests of this thread are at the replicas or wait in front of them. Called ten times a second while there
   * are clients, so a long pause was mostly one without any.
   */
  holds(requests: number, nowMs: number): void {
    const { cells } = this;
    const sinceMs = Math.min(nowMs - this.#heldToMs, this.#held === 0 ? TICK_MS : MOST_BETWEEN_MS);
    cells[FRONT_LAYOUT.held] = (cells[FRONT_LAYOUT.held] as number) + (requests * sinceMs) / 1000;
    this.#held = requests;
    this.#heldToMs = nowMs;
  }

  /** How much later than planned a timer fired. */
  lag(lateMs: number): void {
    record(this.cells, FRONT_LAYOUT.lag, lateMs);
  }
}

/** The sum of two blocks of cells of the same layout. */
export function addCells(one: Float64Array | undefined, other: Float64Array): Float64Array {
  return one === undefined ? other.slice() : one.map((value, cell) => value + (other[cell] as number));
}

/** A time in the middle of those that a cell of the waits counts, in ms. */
export function waitOfCell(cell: number): number {
  return cell === 0 ? 1 : 2 ** ((cell - 0.5) / 2);
}

function cellOfWait(ms: number): number {
  return ms <= 1 ? 0 : Math.min(WAIT_CELLS - 1, 1 + Math.floor(2 * Math.log2(ms)));
}

/** The method is safe by RFC 9110, 9.2.1: it has no effect that its client asked for. */
export function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS' || method === 'TRACE';
}

function record(cells: Float64Array, at: number, ms: number): void {
  const tookMs = Math.max(0, ms);
  let bucket = 0;
  while (bucket < BOUNDS_MS.length && tookMs > (BOUNDS_MS[bucket] as number)) bucket += 1;
  addOne(cells, at + bucket);
  cells[at + SUM] = (cells[at + SUM] as number) + tookMs / 1000;
}

function addOne(cells: Float64Array, cell: number): void {
  cells[cell] = (cells[cell] as number) + 1;
}

function indexIn(names: readonly string[], name: string): number {
  const index = names.indexOf(name);
  return index === -1 ? names.length - 1 : index;
}

function layout<Name extends string>(sizes: Record<Name, number>): Record<Name | 'size', number> {
  let size = 0;
  const begins = Object.entries<number>(sizes).map(([name, cells]) => {
    size += cells;
    return [name, size - cells];
  });
  return { ...Object.fromEntries(begins), size };
}
