// Remembers which seat has set a cookie, for the cookies that were used last. All threads of a data plane keep that in
// common, in memory of a fixed size: sets of 32 entries, and the hash of a cookie says which set is its own. An
// entry is two cells, a second hash of the cookie and its seat. So a cookie that nobody has set is taken for one of the
// 32 once in 2^26 times, and goes to a seat of its own all the same.
//
// Threads do not wait for each other. Whoever writes an entry claims it first, so that nobody reads half of it; whoever
// reads looks at the hash once more after the seat. A thread that ends between claim and write leaves one entry of the
// 65,536 out of use.

import { hashText } from '../ring/hashes/text.ts';
import type { SeatId } from '../ring/ring.ts';

/** Bytes of memory that the threads share. */
export const LEARNED_BYTES = 4 * 131_073;

// Enough of them that a half of all entries is filled before one gives way to another.
const WAYS = 32;
const SETS = 2048;
// The first cell counts what was learned, from which the age of entries is told.
const HEAD_CELLS = 1;

// What a hash is not, since this bit of it is always set.
const EMPTY = 0;
const CLAIMED = 1;
const TAG_BIT = 2;

// The second cell has the seat, and when it was used last: in steps of so many that were learned since.
const TIME_BITS = 12;
const TIME_MASK = (1 << TIME_BITS) - 1;
const STEP_BITS = 8;

export class LearnedSeats {
  readonly #cells: Int32Array;

  /** @param memory of `LEARNED_BYTES`, all 0 at first. */
  constructor(memory: ArrayBufferLike) {
    this.#cells = new Int32Array(memory);
  }

  /** Takes over what another process remembers, if it is of the same form. To be called before anything is learned. */
  fill(bytes: Uint8Array): void {
    const own = new Uint8Array(this.#cells.buffer);
    if (bytes.length === own.length) own.set(bytes);
  }

  /** All that is remembered, for another process. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.#cells.buffer).slice();
  }

  /** The seat that has set the cookie of this value last; `undefined` if nobody has, or that was long ago. */
  seatOf(value: string): SeatId | undefined {
    const cells = this.#cells;
    const tag = tagOf(value);
    const first = firstCellOf(value);
    for (let cell = first; cell < first + 2 * WAYS; cell += 2) {
      if (Atomics.load(cells, cell) !== tag) continue;
      const entry = Atomics.load(cells, cell + 1);
      const seat = entry >>> TIME_BITS;
      if (Atomics.load(cells, cell) === tag) {
        this.#touch(cell + 1, entry, seat);
        return seat;
      }
    }
    return undefined;
  }

  /** That seat has set the cookie of this value. Of its set the entry gives way that was not used for longest. */
  learn(value: string, seat: SeatId): void {
    const cells = this.#cells;
    const tag = tagOf(value);
    const first = firstCellOf(value);
    for (let cell = first; cell < first + 2 * WAYS; cell += 2) {
      if (Atomics.load(cells, cell) !== tag) continue;
      this.#touch(cell + 1, Atomics.load(cells, cell + 1), seat);
      return;
    }
    Atomics.add(cells, 0, 1);
    // Another thread may claim the same one. It has learned something newer, and the next try finds another.
    for (let tries = 0; tries < WAYS; tries++) if (this.#replace(first, tag, seat)) return;
  }

  #replace(first: number, tag: number, seat: SeatId): boolean {
    const cells = this.#cells;
    const now = this.#now;
    let oldest = first;
    let oldestAge = -1;
    for (let cell = first; cell < first + 2 * WAYS; cell += 2) {
      const held = Atomics.load(cells, cell);
      if (held === CLAIMED) continue;
      const age = held === EMPTY ? TIME_MASK + 1 : (now - Atomics.load(cells, cell + 1)) & TIME_MASK;
      if (age <= oldestAge) continue;
      oldest = cell;
      oldestAge = age;
    }
    const held = Atomics.load(cells, oldest);
    if (held === CLAIMED || Atomics.compareExchange(cells, oldest, held, CLAIMED) !== held) return false;
    Atomics.store(cells, oldest + 1, (seat << TIME_BITS) | now);
    Atomics.store(cells, oldest, tag);
    return true;
  }

  // If another thread has changed the entry meanwhile, what that has written holds.
  #touch(cell: number, entry: number, seat: SeatId): void {
    const next = (seat << TIME_BITS) | this.#now;
    if (next !== entry) Atomics.compareExchange(this.#cells, cell, entry, next);
  }

  get #now(): number {
    return (Atomics.load(this.#cells, 0) >>> STEP_BITS) & TIME_MASK;
  }
}

function firstCellOf(value: string): number {
  return HEAD_CELLS + 2 * WAYS * (hashText(value) & (SETS - 1));
}

// What stands before the value makes it another hash.
function tagOf(value: string): number {
  return hashText(`\n${value}`) | TAG_BIT;
}
