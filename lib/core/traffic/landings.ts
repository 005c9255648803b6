// Where requests landed, for whoever draws them: a bounded log of some of them, spread over all, that any number of
// readers follow, each at its own pace and without a trace. Nothing is noted while nobody looks.

import type { SeatId } from '../ring/ring.ts';

/** What landed since a reader's last look. */
export interface Landings {
  /** Where this look ended: what the next one begins after. */
  readonly last: number;
  /** How many have landed since the start, whether they are told of or not. */
  readonly landed: number;
  /** Some of those that came after the last look: slot, seat and status (0 for none) in turn. */
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

/** In one look. */
const MOST_TOLD = 24;
/** From tick to tick, which is time for two looks. */
const MOST_NOTED = 2 * MOST_TOLD;
/** From earlier ticks, for who looks late. */
export const MOST_KEPT = 4 * MOST_NOTED;
const NOTED_MS = 1000;

export class LandingLog {
  #landed = 0;
  // Somebody has looked lately; and since the last tick.
  #isNoting = false;
  #wasRead = false;
  #readMs = 0;
  // Those since the last tick are from `#begin` on, and the number of each is a multiple of the stride.
  #noted: Landing[] = [];
  #begin = 0;
  #stride = 1;

  /** One more has landed. Returns whether to note it: its slot costs a hash, and most are not noted. */
  land(): boolean {
    this.#landed += 1;
    return this.#isNoting && this.#landed % this.#stride === 0;
  }

  /** Of the one that landed last. @param status 0 if it got no whole reply. */
  note(slot: number, seat: SeatId, status: number): void {
    this.#noted.push({ number: this.#landed, slot, seat, status });
    if (this.#noted.length - this.#begin <= MOST_NOTED) return;
    // Too many for this tick: every other one is dropped, and so of those to come. The rest is spread over all.
    this.#stride *= 2;
    const rest = this.#noted.splice(this.#begin).filter(({ number }) => number % this.#stride === 0);
    this.#noted.push(...rest);
  }

  /** A few times a second, while anything may land. */
  onTick(nowMs: number): void {
    if (this.#wasRead) this.#readMs = nowMs;
    else if (nowMs - this.#readMs > NOTED_MS) this.#isNoting = false;
    this.#wasRead = false;
    this.#noted = this.#isNoting ? this.#noted.slice(-MOST_KEPT) : [];
    this.#begin = this.#noted.length;
    this.#stride = 1;
  }

  /** A look. @param after `last` of the look before; 0 for a first one, which may tell what others had noted. */
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
