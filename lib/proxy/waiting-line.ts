// Requests that wait because every replica that could take them has as many as it may: first come, first served, and no more of
// them than a limit. One line before all replicas, not one before each: whichever has room first takes the next.

export interface Waiting {
  /** There may be room. True if it has gone there, false if it has to wait on. */
  onRoom(): boolean;
}

export class WaitingLine {
  readonly #max: number;
  readonly #line = new Set<Waiting>();
  #serving = false;

  constructor(max: number) {
    this.#max = max;
  }

  /** False if the line is full. */
  join(one: Waiting): boolean {
    if (this.#line.size >= this.#max) return false;
    this.#line.add(one);
    return true;
  }

  /** It waits no longer. */
  leave(one: Waiting): void {
    this.#line.delete(one);
  }

  /** A replica may have room. */
  serve(): void {
    // What is served may fail at once and make room: the loop under way sees that.
    if (this.#line.size === 0 || this.#serving) return;
    this.#serving = true;
    for (const one of this.#line) {
      if (!one.onRoom()) break;
      this.#line.delete(one);
    }
    this.#serving = false;
  }
}
