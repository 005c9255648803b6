// Requests that wait because every replica that could take them has as many as it may: first come, first served, and no more of
// them than a limit. One line before all replicas, not one before each: whichever has room first takes the next.

import type { Ledger } from '../../core/request/ledger.ts';

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
  readonly #ledger: Ledger;
  readonly #line = new Set<Waiting>();
  #serving = false;
  #listening = false;

  /** @param ledger counts those that wait in all threads. */
  constructor(limits: { readonly maxQueued: number }, ledger: Ledger) {
    this.#limits = limits;
    this.#ledger = ledger;
  }

  /** False if the line is full. */
  join(one: Waiting): boolean {
    if (this.#line.has(one)) return true;
    if (!this.#ledger.wait(this.#limits.maxQueued)) return false;
    this.#line.add(one);
    if (!this.#listening) void this.#hearOthers();
    return true;
  }

  /** It waits no longer. */
  leave(one: Waiting): void {
    if (this.#line.delete(one)) this.#ledger.waitNoMore();
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
        if (answer === 'gone') this.leave(one);
      }
    } finally {
      this.#serving = false;
    }
  }

  // While somebody waits here: places that other threads give back.
  async #hearOthers(): Promise<void> {
    this.#listening = true;
    while (this.#line.size > 0) {
      const freed = this.#ledger.freedElsewhere;
      if (freed === undefined) break;
      await Atomics.waitAsync(freed.cells, freed.cell, freed.value).value;
      this.serve();
    }
    this.#listening = false;
  }
}
