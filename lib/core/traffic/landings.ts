// Where requests landed, for whoever draws them. A bounded log of a sample of requests, which any number of readers
// follow at their own pace without changing it for others. Nothing is noted while nobody looks.

import type { SeatId } from '../ring/ring.ts';

/** What landed since a reader's last look. */
export interface Landings {
  /** Where this look ended, which is where the next one goes on. */
  readonly last: number;
  /** How many requests have landed since the start, told or not. */
  readonly landed: number;
  /** A sample of those that came after the last look: slot, seat and status (0 for none) in turn. */
  readonly told: readonly number[];
}

/** Where one landed. */
export interface Spot {
  readonly slot: number;
  readonly seat: SeatId;
  /** 0 if it got no whole reply. */
  readonly status: number;
}

interface Landing extends Spot {
  /** Grows by one from request to request. */
  readonly number: number;
}

/** How many landings one look tells. */
const MOST_TOLD = 24;
/** How many are noted per tick, which is time for two looks. */
const MOST_NOTED = 2 * MOST_TOLD;
/** How many are kept from earlier ticks, for readers that look late. */
export const MOST_KEPT = 4 * MOST_NOTED;
const NOTED_MS = 1000;

export class LandingLog {
  #landed = 0;
  // Whether somebody has looked lately, and whether somebody has since the last tick.
  #isNoting = false;
  #wasRead = false;
  #readMs = 0;
  // Landings since the last tick begin at `#begin`; their numbers are multiples of the stride.
  #noted: Landing[] = [];
  #begin = 0;
  #stride = 1;

  /** Counts a request. Returns whether to note it: finding its slot costs a hash, and most requests are not noted. */
  land(): boolean {
    this.#landed += 1;
    return this.#isNoting && this.#landed % this.#stride === 0;
  }

  /** Notes the request that landed last. @param status 0 if it got no whole reply. */
  note(slot: number, seat: SeatId, status: number): void {
    this.#noted.push({ number: this.#landed, slot, seat, status });
    if (this.#noted.length - this.#begin <= MOST_NOTED) return;
    // Too many for this tick, so every other one is dropped, both now and from now on. What is left is still spread
    // over all.
    this.#stride *= 2;
    const rest = this.#noted.splice(this.#begin).filter(({ number }) => number % this.#stride === 0);
    this.#noted.push(...rest);
  }

  /** Called a few times a second while anything may land. */
  onTick(nowMs: number): void {
    if (this.#wasRead) this.#readMs = nowMs;
    else if (nowMs - this.#readMs > NOTED_MS) this.#isNoting = false;
    this.#wasRead = false;
    this.#noted = this.#isNoting ? this.#noted.slice(-MOST_KEPT) : [];
    this.#begin = this.#noted.length;
    this.#stride = 1;
  }

  /**
   * Takes a look.
   * @param after `last` of the look before, or 0 for a first look, which may tell what others had noted.
   */
  since(after: number): Landings {
    this.#isNoting = true;
    this.#wasRead = true;
    const told = spreadOver(this.#noted.filter(({ number }) => number > after));
    return { last: this.#landed, landed: this.#landed, told };
  }
}

/** As many of those as one look tells, spread over all, as `Landings` has them. */
export function spreadOver(fresh: readonly Spot[]): number[] {
  const most = Math.min(MOST_TOLD, fresh.length);
  const picked = Array.from({ length: most }, (_, index) => fresh[Math.floor(((index + 0.5) * fresh.length) / most)]);
  return (picked as Spot[]).flatMap(({ slot, seat, status }) => [slot, seat, status]);
}
