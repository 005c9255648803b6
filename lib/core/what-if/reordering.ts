// Puts the requests of a log into the order in which they began. A line is written when its request is over, so a log
// is in the order of ends. What began up to a horizon before the latest end may still come; what comes later than that
// is played when it comes.

export interface Timed {
  readonly startMs: number;
  readonly endMs: number;
}

interface Kept<T> {
  readonly one: T;
  /** In which they came: what began at the same time stays in it. */
  readonly order: number;
}

export class Reordering<T extends Timed> {
  readonly #heap: Kept<T>[] = [];
  readonly #give: (one: T) => void;
  readonly #horizonMs: number;
  readonly #most: number;
  #latestEndMs = Number.NEGATIVE_INFINITY;
  #givenMs = Number.NEGATIVE_INFINITY;
  #order = 0;
  #late = 0;

  /**
   * @param give gets them in order. @param horizonMs how long a request lasts at most without being late.
   * @param most how many are kept at a time.
   */
  constructor(give: (one: T) => void, horizonMs = 10_000, most = 100_000) {
    this.#give = give;
    this.#horizonMs = horizonMs;
    this.#most = most;
  }

  /** How many came too late for their place. */
  get late(): number {
    return this.#late;
  }

  take(one: T): void {
    this.#latestEndMs = Math.max(this.#latestEndMs, one.endMs);
    this.#push({ one, order: this.#order++ });
    const dueMs = this.#latestEndMs - this.#horizonMs;
    const isDue = () => (this.#heap[0]?.one.startMs ?? Number.POSITIVE_INFINITY) <= dueMs;
    while (this.#heap.length > this.#most || isDue()) this.#giveFirst();
  }

  /** Nothing more comes. */
  end(): void {
    while (this.#heap.length > 0) this.#giveFirst();
  }

  #giveFirst(): void {
    const { one } = this.#pop();
    if (one.startMs < this.#givenMs) this.#late += 1;
    this.#givenMs = Math.max(this.#givenMs, one.startMs);
    this.#give(one);
  }

  #push(kept: Kept<T>): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!isBefore(kept, heap[parent] as Kept<T>)) break;
      heap[at] = heap[parent] as Kept<T>;
      at = parent;
    }
    heap[at] = kept;
  }

  #pop(): Kept<T> {
    const heap = this.#heap;
    const first = heap[0] as Kept<T>;
    const last = heap.pop() as Kept<T>;
    const { length } = heap;
    let at = 0;
    for (let child = 1; child < length; child = 2 * at + 1) {
      const other = heap[child + 1];
      if (other !== undefined && isBefore(other, heap[child] as Kept<T>)) child += 1;
      if (!isBefore(heap[child] as Kept<T>, last)) break;
      heap[at] = heap[child] as Kept<T>;
      at = child;
    }
    if (length > 0) heap[at] = last;
    return first;
  }
}

function isBefore<T extends Timed>(a: Kept<T>, b: Kept<T>): boolean {
  return a.one.startMs < b.one.startMs || (a.one.startMs === b.one.startMs && a.order < b.order);
}
