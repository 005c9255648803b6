// Requests that wait because all replicas that could take them are full: first come, first served, and up to a limit.
// There is one line for all replicas, so that whichever has room first takes the next request.

import type { Ledger } from '../../core/request/ledger.ts';
import { isRead } from '../../core/traffic/measures.ts';
import type { BalancerError } from '../../errors.ts';

/**
 * `gone`: the request no longer waits. `full`: there is no room for anybody. `choosy`: there is none where this request
 * can still go, but there may be for others.
 */
export type Answer = 'gone' | 'full' | 'choosy';

export interface Waiting {
  readonly request: { readonly method?: string | undefined };
  /** How often it was sent to a replica. Who was let in once is not shed. */
  readonly attempts: number;
  /** There may be room. */
  onRoom(): Answer;
  fail(error: BalancerError, closeClient: boolean): void;
}

/** Resolves once the cell has another value than that. */
export type UntilFreed = (freed: NonNullable<Ledger['freedElsewhere']>) => Promise<unknown>;

const hearMemory: UntilFreed = async ({ cells, cell, value }) => Atomics.waitAsync(cells, cell, value).value;

interface LineLimits {
  readonly maxQueued: number;
  readonly shedsWritesFirst: boolean;
}

// The list of those that go first may have so many more than the line, since whoever leaves is not looked up there.
const MOST_GONE = 64;

export class WaitingLine {
  readonly #limits: LineLimits;
  readonly #ledger: Ledger;
  readonly #untilFreed: UntilFreed;
  readonly #refusal: () => BalancerError;
  readonly #line = new Set<Waiting>();
  // Those that are shed first, by age, with some that have left.
  #first: Waiting[] = [];
  #serving = false;
  #listening = false;

  /**
   * @param ledger counts those that wait in all threads.
   * @param refusal makes the error of a request that is shed.
   */
  constructor(limits: LineLimits, ledger: Ledger, refusal: () => BalancerError, untilFreed = hearMemory) {
    this.#limits = limits;
    this.#ledger = ledger;
    this.#refusal = refusal;
    this.#untilFreed = untilFreed;
  }

  /**
   * False if the line is full.
   * @param most how many may wait here. If so many do, one that is to be shed before the new one makes room for it.
   */
  join(one: Waiting, most = Number.POSITIVE_INFINITY): boolean {
    if (this.#line.has(one)) return true;
    if (this.#line.size >= most && one.attempts === 0 && (this.#goesFirst(one) || !this.#shedFirst())) return false;
    if (!this.#ledger.wait(this.#limits.maxQueued)) return false;
    this.#line.add(one);
    if (this.#goesFirst(one)) this.#note(one);
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

  /** From now on so many wait here at most: the newest go, those of one kind before the others. */
  shorten(most: number): void {
    while (this.#line.size > most && this.#shedFirst());
    if (this.#line.size <= most) return;
    for (const one of [...this.#line].filter((other) => other.attempts === 0).reverse()) {
      if (this.#line.size <= most) return;
      this.#shed(one);
    }
  }

  #goesFirst(one: Waiting): boolean {
    return one.attempts === 0 && isRead(one.request.method ?? '') !== this.#limits.shedsWritesFirst;
  }

  #note(one: Waiting): void {
    if (this.#first.length > 2 * this.#line.size + MOST_GONE) {
      this.#first = this.#first.filter((other) => this.#line.has(other));
    }
    this.#first.push(one);
  }

  // False if nobody is left who goes first.
  #shedFirst(): boolean {
    for (;;) {
      const newest = this.#first.pop();
      if (newest === undefined) return false;
      if (!this.#line.has(newest)) continue;
      this.#shed(newest);
      return true;
    }
  }

  #shed(one: Waiting): void {
    this.leave(one);
    one.fail(this.#refusal(), false);
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
