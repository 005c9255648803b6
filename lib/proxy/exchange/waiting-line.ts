// Requests that wait because every replica that could take them has as many as it may: first come, first served, and no more of
// them than a limit. One line before all replicas, not one before each: whichever has room first takes the next.

/**
 * `gone`: it waits no longer. `full`: there is no room for anybody. `choosy`: none where it can go, since it has failed elsewhere; there may
 * be for others.
 */
export type Answer = 'gone' | 'full' | 'choosy';

export interface Waiting {
  /** There may be room. */
  onRoom(): Answer;
}

export class WaitingLine {
  readonly #limits: { readonly maxQueued: number };
  readonly #line = new Set<Waiting>();
  #serving = false;

  constructor(limits: { readonly maxQueued: number }) {
    this.#limits = limits;
  }

  /** False if the line is full. */
  join(one: Waiting): boolean {
    if (this.#line.size >= this.#limits.maxQueued) return false;
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
    try {
      for (const one of this.#line) {
        const answer = one.onRoom();
        if (answer === 'full') break;
        if (answer === 'gone') this.#line.delete(one);
      }
    } finally {
      this.#serving = false;
    }
  }
}
