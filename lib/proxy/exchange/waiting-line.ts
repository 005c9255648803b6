// Requests that wait because all replicas that could take them are full: first come, first served, and up to a limit.
// There is one line for all replicas, so that whichever has room first takes the next request.

/**
 * `gone`: the request no longer waits. `full`: there is no room for anybody. `choosy`: there is none where this request
 * can still go, but there may be for others.
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

  leave(one: Waiting): void {
    this.#line.delete(one);
  }

  /** Call it when a replica may have room. */
  serve(): void {
    // A request that is served may fail at once and make room. The loop under way takes care of that.
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
