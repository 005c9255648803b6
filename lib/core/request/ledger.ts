// What all threads of a data plane keep in common: how many requests are in flight, at each replica and in all, and
// what they weigh, where that counts; how many tunnels each replica has, how many connections there are, and which
// request id comes next. Each number is a cell of memory that the threads share, and every change of one is atomic.
// With one thread it is the same, on memory of its own.
//
// A bound is kept by reserve, check, undo: a thread counts its request first, looks whether that was one too many, and
// takes it back if so. Whoever looks first and counts later lets two threads in where there is room for one. What is in
// flight in all is counted after the place at the replica is taken, and before it is given back: so that number may be
// too small for a moment, and never too large, and no request is let in for the sake of one that was refused.

import { mostInFlight } from '../ring/bounded-load.ts';
import { ID_COUNT } from '../ring/request-ids.ts';
import { BUDGET_CELLS } from './retry-budget.ts';

/** Replicas that there may be at a time, those that are leaving included. */
export const MOST_REPLICAS = 4096;

// The cells that there are once.
const IN_FLIGHT = 0;
const CONNECTIONS = 1;
const DEALT = 2;
const NAMED = 3;
const WAITING = 4;
const FREED = 5;
const WEIGHT = 6;
const BUDGET = 8;
const HEAD_CELLS = BUDGET + BUDGET_CELLS;
// Then what is in flight at each replica, then its tunnels, then what is in flight there weighs.
const TUNNELS = HEAD_CELLS + MOST_REPLICAS;
const WEIGHTS = TUNNELS + MOST_REPLICAS;
const SHARED_CELLS = WEIGHTS + MOST_REPLICAS;
// Of a thread: its part of the connections and of those that wait, then of what each replica has.
const PART_CONNECTIONS = 0;
const PART_WAITING = 1;
const PART_HEAD_CELLS = 2;
const PART_TUNNELS = PART_HEAD_CELLS + MOST_REPLICAS;
const PART_WEIGHTS = PART_TUNNELS + MOST_REPLICAS;
const PART_CELLS = PART_WEIGHTS + MOST_REPLICAS;

// Half of what a cell holds, so that the threads that come after it before it is set back do not overflow it.
const LAST_NUMBER = 1_000 * ID_COUNT;

/** Bytes of memory that so many threads share. */
export function ledgerBytes(threads: number): number {
  return 4 * (SHARED_CELLS + threads * PART_CELLS);
}

export class Ledger {
  readonly #cells: Int32Array;
  // Where this thread's own part begins. Only this thread writes there, so that what it held can be given back when it
  // has died.
  readonly #part: number;

  /** @param memory of `ledgerBytes`, all 0 at first. @param thread 0, 1, … */
  constructor(memory: ArrayBufferLike, thread: number) {
    this.#cells = new Int32Array(memory);
    this.#part = partOf(thread);
  }

  /** The cells of the retry budget. */
  get budget(): Int32Array {
    return this.#cells.subarray(BUDGET, BUDGET + BUDGET_CELLS);
  }

  /** Requests in flight at all replicas. */
  get inFlight(): number {
    return Atomics.load(this.#cells, IN_FLIGHT);
  }

  /** Requests in flight at the replica of that row. */
  inFlightAt(row: number): number {
    return Atomics.load(this.#cells, HEAD_CELLS + row);
  }

  /** What the requests in flight at all replicas weigh, of those that were taken with a weight. */
  get weight(): number {
    return Atomics.load(this.#cells, WEIGHT);
  }

  /** What those at the replica of that row weigh. */
  weightAt(row: number): number {
    return Atomics.load(this.#cells, WEIGHTS + row);
  }

  /**
   * Takes a place at the replica of that row, if there is one. False if it has `most` already, or if one more would put
   * it above its part of all that is in flight times `factor`, and above `floor`.
   * @param weight of the request, if the bound is on weights and not on the number of requests; else 0.
   */
  take(row: number, most: number, factor: number, part: number, floor = 1, weight = 0): boolean {
    const there = Atomics.add(this.#cells, HEAD_CELLS + row, 1);
    const isBound = weight === 0 && factor !== Number.POSITIVE_INFINITY;
    const hasPlace =
      there < most &&
      (!isBound || there < mostInFlight(factor, this.inFlight, part, floor)) &&
      (weight === 0 || this.#load(row, factor, part, floor, weight));
    if (!hasPlace) {
      Atomics.sub(this.#cells, HEAD_CELLS + row, 1);
      return false;
    }
    Atomics.add(this.#cells, IN_FLIGHT, 1);
    this.#addPart(PART_HEAD_CELLS + row, 1);
    return true;
  }

  /** @param weight with which the place was taken. */
  give(row: number, weight = 0): void {
    if (weight > 0) this.#unload(row, weight);
    this.#addPart(PART_HEAD_CELLS + row, -1);
    Atomics.sub(this.#cells, IN_FLIGHT, 1);
    Atomics.sub(this.#cells, HEAD_CELLS + row, 1);
  }

  /** Tunnels at the replica of that row, and requests that offer to become one. */
  tunnelsAt(row: number): number {
    return Atomics.load(this.#cells, TUNNELS + row);
  }

  /** Counts a tunnel more there, if there are less than `most`. */
  openTunnel(row: number, most: number): boolean {
    return this.#reserve(TUNNELS + row, PART_TUNNELS + row, most);
  }

  closeTunnel(row: number): void {
    this.#free(TUNNELS + row, PART_TUNNELS + row);
  }

  /** Connections of this thread. */
  get ownConnections(): number {
    return this.#cells[this.#part + PART_CONNECTIONS] as number;
  }

  /** Requests of this thread that wait for a place. */
  get ownWaiting(): number {
    return this.#cells[this.#part + PART_WAITING] as number;
  }

  /** Counts a connection more, if there are less than `most`. */
  connect(most: number): boolean {
    return this.#reserve(CONNECTIONS, PART_CONNECTIONS, most);
  }

  disconnect(): void {
    this.#free(CONNECTIONS, PART_CONNECTIONS);
  }

  /** Counts a request more that waits for a place, if there are less than `most`. */
  wait(most: number): boolean {
    return this.#reserve(WAITING, PART_WAITING, most);
  }

  waitNoMore(): void {
    this.#free(WAITING, PART_WAITING);
  }

  /** A place was given back: threads in which a request waits are woken. */
  wakeOthers(): void {
    const own = this.#cells[this.#part + PART_WAITING] as number;
    if (Atomics.load(this.#cells, WAITING) <= own) return;
    Atomics.add(this.#cells, FREED, 1);
    Atomics.notify(this.#cells, FREED);
  }

  /**
   * What `Atomics.waitAsync` takes to be told when another thread gave back a place; `undefined` if there is no other
   * thread.
   */
  get freedElsewhere(): { readonly cells: Int32Array; readonly cell: number; readonly value: number } | undefined {
    if (!(this.#cells.buffer instanceof SharedArrayBuffer)) return undefined;
    return { cells: this.#cells, cell: FREED, value: Atomics.load(this.#cells, FREED) };
  }

  get connections(): number {
    return Atomics.load(this.#cells, CONNECTIONS);
  }

  /** How many ids of each sequence were given. */
  get ids(): { readonly dealt: number; readonly named: number } {
    return { dealt: Atomics.load(this.#cells, DEALT), named: Atomics.load(this.#cells, NAMED) };
  }

  /** So many were given before, by another process. To be called before the first is given here. */
  skipIds({ dealt, named }: { readonly dealt: number; readonly named: number }): void {
    Atomics.store(this.#cells, DEALT, dealt % ID_COUNT);
    Atomics.store(this.#cells, NAMED, named % ID_COUNT);
  }

  /** How many ids were dealt before, to requests that go by their id: 0, 1, …, each number once. */
  nextDealt(): number {
    return this.#next(DEALT);
  }

  /** How many ids were given before to others. */
  nextNamed(): number {
    return this.#next(NAMED);
  }

  /** That thread has ended: what it held is given back. To be called when it does nothing any more. */
  giveBackOf(thread: number): void {
    const part = partOf(thread);
    Atomics.sub(this.#cells, CONNECTIONS, this.#cells[part + PART_CONNECTIONS] as number);
    Atomics.sub(this.#cells, WAITING, this.#cells[part + PART_WAITING] as number);
    for (let row = 0; row < MOST_REPLICAS; row++) {
      const held = this.#cells[part + PART_HEAD_CELLS + row] as number;
      Atomics.sub(this.#cells, HEAD_CELLS + row, held);
      Atomics.sub(this.#cells, IN_FLIGHT, held);
      Atomics.sub(this.#cells, TUNNELS + row, this.#cells[part + PART_TUNNELS + row] as number);
      const weight = this.#cells[part + PART_WEIGHTS + row] as number;
      Atomics.sub(this.#cells, WEIGHTS + row, weight);
      Atomics.sub(this.#cells, WEIGHT, weight);
    }
    this.#cells.fill(0, part, part + PART_CELLS);
  }

  // Begins anew after a multiple of the number of ids, long before the cell overflows.
  #next(cell: number): number {
    const number = Atomics.add(this.#cells, cell, 1);
    if (number < LAST_NUMBER) return number;
    if (number === LAST_NUMBER) Atomics.sub(this.#cells, cell, LAST_NUMBER);
    return number - LAST_NUMBER;
  }

  // Adds the weight there, if what is there weighs less than the bound.
  #load(row: number, factor: number, part: number, floor: number, weight: number): boolean {
    if (Atomics.add(this.#cells, WEIGHTS + row, weight) >= mostInFlight(factor, this.weight, part, floor, weight)) {
      Atomics.sub(this.#cells, WEIGHTS + row, weight);
      return false;
    }
    Atomics.add(this.#cells, WEIGHT, weight);
    this.#addPart(PART_WEIGHTS + row, weight);
    return true;
  }

  #unload(row: number, weight: number): void {
    this.#addPart(PART_WEIGHTS + row, -weight);
    Atomics.sub(this.#cells, WEIGHT, weight);
    Atomics.sub(this.#cells, WEIGHTS + row, weight);
  }

  // Counts one more, if there are less than `most`.
  #reserve(cell: number, partCell: number, most: number): boolean {
    if (Atomics.add(this.#cells, cell, 1) >= most) {
      Atomics.sub(this.#cells, cell, 1);
      return false;
    }
    this.#addPart(partCell, 1);
    return true;
  }

  #free(cell: number, partCell: number): void {
    this.#addPart(partCell, -1);
    Atomics.sub(this.#cells, cell, 1);
  }

  #addPart(cell: number, change: number): void {
    const at = this.#part + cell;
    this.#cells[at] = (this.#cells[at] as number) + change;
  }
}

function partOf(thread: number): number {
  return SHARED_CELLS + thread * PART_CELLS;
}
