// The hash ring: virtual nodes on slots 0 … M-1, kept sorted, looked up by binary search and walked clockwise. It knows
// nothing of health: the caller's `accept` says which seats will do. A ring is never edited. When the wanted seats
// change another one is built, so a ring has no history. Source: Karger et al., "Consistent Hashing and Random Trees",
// STOC 1997.

/** A numbered place in the fleet, 1, 2, …. It keeps its virtual nodes however often its replica is replaced. */
export type SeatId = number;

/** One virtual node: a slot 0 … M-1, and the seat that holds it. */
export interface RingPoint {
  readonly slot: number;
  readonly seat: SeatId;
}

export class HashRing {
  readonly slotCount: number;
  readonly #slots: Uint32Array;
  readonly #seats: Uint32Array;
  // Where the binary search begins: for each block of slots, the index of the first virtual node there. There are about
  // as many blocks as virtual nodes, so one or two are left to search where they are spread well. A lookup then costs
  // the same for 10 seats and for 1,000.
  readonly #blocks: Uint32Array;
  readonly #blockBits: number;
  // Scratch memory of `walk`: a seat that carries this walk's number was asked already. Nothing need be cleared or
  // allocated.
  readonly #askedIn: Float64Array;
  #walkNumber = 0;

  /** @param points at most one for each slot: in any order, or as `packed` gives them. */
  constructor(points: readonly RingPoint[] | Uint32Array, slotCount: number) {
    const packed = points instanceof Uint32Array ? points : pack(points);
    const count = packed.length / 2;
    this.slotCount = slotCount;
    this.#slots = new Uint32Array(count).map((_, index) => packed[2 * index] as number);
    this.#seats = new Uint32Array(count).map((_, index) => packed[2 * index + 1] as SeatId);
    this.#blockBits = Math.max(0, Math.floor(Math.log2(slotCount / Math.max(1, count))));
    this.#blocks = firstIndices(this.#slots, slotCount, this.#blockBits);
    this.#askedIn = new Float64Array(this.#seats.reduce((most, seat) => Math.max(most, seat), 0) + 1);
  }

  /** All virtual nodes, by ascending slot. */
  get points(): RingPoint[] {
    return Array.from(this.#slots, (slot, index) => ({ slot, seat: this.#seats[index] as SeatId }));
  }

  /** The same as plain data: slot and seat of each in turn. */
  get packed(): Uint32Array {
    return new Uint32Array(2 * this.#slots.length).map((_, index) =>
      index % 2 === 0 ? (this.#slots[index / 2] as number) : (this.#seats[(index - 1) / 2] as SeatId),
    );
  }

  /**
   * The seat of the nearest virtual node clockwise of `slot`, which may be on `slot` itself; `undefined` on an empty
   * ring.
   */
  owner(slot: number): SeatId | undefined {
    return this.#seats[this.#indexAtOrAfter(slot)];
  }

  /** The first seat clockwise of `slot` that `accept` takes; `undefined` if it takes none. Each seat is asked once. */
  walk(slot: number, accept: (seat: SeatId) => boolean): SeatId | undefined {
    const seats = this.#seats;
    const start = this.#indexAtOrAfter(slot);
    const first = seats[start];
    if (first === undefined) return undefined;
    if (accept(first)) return first;
    this.#walkNumber += 1;
    const walk = this.#walkNumber;
    this.#askedIn[first] = walk;
    for (let step = 1; step < seats.length; step++) {
      const seat = seats[(start + step) % seats.length] as SeatId;
      if (this.#askedIn[seat] === walk) continue;
      this.#askedIn[seat] = walk;
      if (accept(seat)) return seat;
    }
    return undefined;
  }

  /** How many slots lead to each seat on the ring. Divided by `slotCount` these are the exact shares. */
  slotsPerSeat(): Map<SeatId, number> {
    const counts = new Map<SeatId, number>();
    let previous = (this.#slots.at(-1) ?? 0) - this.slotCount;
    for (const { slot, seat } of this.points) {
      counts.set(seat, (counts.get(seat) ?? 0) + slot - previous);
      previous = slot;
    }
    return counts;
  }

  /**
   * 16 hexadecimal digits that are equal for equal rings: two lanes of FNV-1a (Fowler, Noll, Vo) over M and the points.
   */
  digest(): string {
    const lanes = [0x811c9dc5, 0xcbf29ce4].map((basis) => {
      let hash = basis;
      const mix = (word: number) => {
        for (let shift = 0; shift < 32; shift += 8) hash = Math.imul(hash ^ ((word >>> shift) & 0xff), 0x01000193);
      };
      mix(this.slotCount);
      for (const { slot, seat } of this.points) {
        mix(slot);
        mix(seat);
      }
      return (hash >>> 0).toString(16).padStart(8, '0');
    });
    return lanes.join('');
  }

  #indexAtOrAfter(slot: number): number {
    const slots = this.#slots;
    const block = slot >>> this.#blockBits;
    let low = this.#blocks[block] as number;
    let high = this.#blocks[block + 1] as number;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((slots[middle] as number) < slot) low = middle + 1;
      else high = middle;
    }
    return low === slots.length ? 0 : low;
  }
}

// For each block of 2^bits slots, and for the end, the index of the first of `slots` that is not before it.
function firstIndices(slots: Uint32Array, slotCount: number, bits: number): Uint32Array {
  const blocks = new Uint32Array(((slotCount - 1) >>> bits) + 2);
  let index = 0;
  for (let block = 0; block < blocks.length; block++) {
    while (index < slots.length && (slots[index] as number) >>> bits < block) index += 1;
    blocks[block] = index;
  }
  return blocks;
}

function pack(points: readonly RingPoint[]): Uint32Array {
  const sorted = points.toSorted((a, b) => a.slot - b.slot);
  return Uint32Array.from(sorted.flatMap(({ slot, seat }) => [slot, seat]));
}
