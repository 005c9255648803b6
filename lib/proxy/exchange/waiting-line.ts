// Requests that wait because all replicas that could take them are full: first come, first served, and up to a limit.
// There is one line for all replicas, so that whichever has room first takes the next request.

import type { Ledger } from '../../core/request/ledger.ts';

/**
 * `gone`: the request no longer waits. `full`: there is no room for anybody. `choosy`: there is none where this request
 * can still go, but there may be for others.
 */
export type Answer = 'gone' | 'full' | 'choosy';

export interface Waiting {
  /** There may be room. */
  onRoom(): Answer;
}

/** Resolves once the cell has another value than that. */
export type UntilFreed = (freed: NonNullable<Ledger['freedElsewhere']>) => Promise<unknown>;

const hearMemory: UntilFreed = async ({ cells, cell, value }) => Atomics.waitAsync(cells, cell, value).value;

export class WaitingLine {
  readonly #limits: { readonly maxQueued: number };
  readonly #ledger: Ledger;
  readonly #untilFreed: UntilFreed;
  readonly #line = new Set<Waiting>();
  #serving = false;
  #listening = false;

  /** @param ledger counts those that wait in all threads. */
  constructor(limits: { readonly maxQueued: number }, ledger: Ledger, untilFreed = hearMemory) {
    this.#limits = limits;
    this.#ledger = ledger;
    this.#untilFreed = untilFreed;
  }

  /** False if the line is full. */
  join(one: Waiting): boolean {
    if (this.#line.has(one)) return true;
    if (!this.#ledger.wait(this.#limits.maxQueued)) return false;
    this.#line.add(one);
    if (!this.#listening) void this.#hearOthers();
    return true;
  }

  leave(one: Waiting): void {
    if (this.#line.delete(one)) this.#ledger.waitNoMore();
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
      await this.#untilFreed(freed);
      this.serve();
    }
    this.#listening = false;
  }
}
