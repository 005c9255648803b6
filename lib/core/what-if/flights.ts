// The requests that are in flight at a moment of the log, by when they end. A binary heap of a fixed size: if more are
// in flight, the one that would end first ends early.

/** So many requests are known to be in flight at most. */
export const MOST_FLIGHTS = 65_536;

export class Flights {
  readonly #most: number;
  readonly #endsMs: Float64Array;
  readonly #ids: Uint32Array;
  readonly #free: Uint32Array;
  #count = 0;
  #cutShort = 0;

  constructor(most = MOST_FLIGHTS) {
    this.#most = most;
    this.#endsMs = new Float64Array(most);
    this.#ids = new Uint32Array(most);
    // The ids that are free stand behind those that are not.
    this.#free = new Uint32Array(most).map((_, id) => id);
  }

  get count(): number {
    return this.#count;
  }

  /** How many ended early, since there were too many. */
  get cutShort(): number {
    return this.#cutShort;
  }

  /** Ends all that are over by then. @param onEnd is told their ids. */
  advance(nowMs: number, onEnd: (id: number) => void): void {
    while (this.#count > 0 && (this.#endsMs[0] as number) <= nowMs) this.#endFirst(onEnd);
  }

  /** A request begins. Gives its id, 0 … MOST_FLIGHTS-1, which no other has until it ends. */
  begin(endMs: number, onEnd: (id: number) => void): number {
    if (this.#count === this.#most) {
      this.#cutShort += 1;
      this.#endFirst(onEnd);
    }
    const id = this.#free[this.#count] as number;
    let at = this.#count;
    this.#count += 1;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if ((this.#endsMs[parent] as number) <= endMs) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#endsMs[at] = endMs;
    this.#ids[at] = id;
    return id;
  }

  #endFirst(onEnd: (id: number) => void): void {
    const ended = this.#ids[0] as number;
    this.#count -= 1;
    this.#free[this.#count] = ended;
    const endMs = this.#endsMs[this.#count] as number;
    const id = this.#ids[this.#count] as number;
    let at = 0;
    for (let child = 1; child < this.#count; child = 2 * at + 1) {
      const other = child + 1;
      if (other < this.#count && (this.#endsMs[other] as number) < (this.#endsMs[child] as number)) child = other;
      if ((this.#endsMs[child] as number) >= endMs) break;
      this.#move(child, at);
      at = child;
    }
    this.#endsMs[at] = endMs;
    this.#ids[at] = id;
    onEnd(ended);
  }

  #move(from: number, to: number): void {
    this.#endsMs[to] = this.#endsMs[from] as number;
    this.#ids[to] = this.#ids[from] as number;
  }
}
