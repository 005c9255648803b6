// What monitoring reads of a data plane, as plain data that survives structuredClone: counts since the start, and what
// there is at the moment. Readings of several threads, or of one that came after another, can be put together.

import type { SeatId } from '../ring/ring.ts';
import { addCells } from './measures.ts';

/** At one seat, at the moment. */
export interface SeatLoad {
  readonly inFlight: number;
  readonly tunnels: number;
  readonly streams: number;
  readonly busyConnections: number;
  readonly idleConnections: number;
}

/** Of one thread that serves clients. */
export interface ThreadReading {
  /** `main`, or the number of the worker. */
  readonly thread: string;
  /** As `FRONT_LAYOUT` has them. */
  readonly cells: Float64Array;
  /** Connections of clients. */
  readonly clients: number;
  /** Requests that wait for a place, and those that wait for a replica to be back. */
  readonly waiting: number;
  readonly waitingForReturn: number;
  /** How long its event loop has worked, in s. */
  readonly activeSeconds: number;
}

export interface PlaneReading {
  /** As `SEAT_LAYOUT` has them, of every seat that ever had a replica; `NO_SEAT` has the requests that none got. */
  readonly seats: ReadonlyMap<SeatId, Float64Array>;
  readonly loads: ReadonlyMap<SeatId, SeatLoad>;
  readonly threads: readonly ThreadReading[];
}

export const NO_LOAD: SeatLoad = { inFlight: 0, tunnels: 0, streams: 0, busyConnections: 0, idleConnections: 0 };

export function noReading(): PlaneReading {
  return { seats: new Map(), loads: new Map(), threads: [] };
}

/** Both together. What two readings say of one thread is added up. */
export function mergeReadings(one: PlaneReading, other: PlaneReading): PlaneReading {
  return {
    seats: merged(one.seats, other.seats, addCells),
    loads: merged(one.loads, other.loads, addLoads),
    threads: [...merged(byName(one), byName(other), addThreads).values()],
  };
}

/** The load of two replicas at one seat, or of two threads. */
export function addLoads(one: SeatLoad, other: SeatLoad): SeatLoad {
  return {
    inFlight: one.inFlight + other.inFlight,
    tunnels: one.tunnels + other.tunnels,
    streams: one.streams + other.streams,
    busyConnections: one.busyConnections + other.busyConnections,
    idleConnections: one.idleConnections + other.idleConnections,
  };
}

function addThreads(one: ThreadReading, other: ThreadReading): ThreadReading {
  return {
    thread: one.thread,
    cells: addCells(one.cells, other.cells),
    clients: one.clients + other.clients,
    waiting: one.waiting + other.waiting,
    waitingForReturn: one.waitingForReturn + other.waitingForReturn,
    activeSeconds: one.activeSeconds + other.activeSeconds,
  };
}

function byName({ threads }: PlaneReading): Map<string, ThreadReading> {
  return new Map(threads.map((one) => [one.thread, one]));
}

function merged<Key, Value>(
  one: ReadonlyMap<Key, Value>,
  other: ReadonlyMap<Key, Value>,
  add: (a: Value, b: Value) => Value,
): Map<Key, Value> {
  const sum = new Map(one);
  for (const [key, value] of other) {
    const known = sum.get(key);
    sum.set(key, known === undefined ? value : add(known, value));
  }
  return sum;
}
