// Where requests landed in several planes, as if there were one: what each tells of itself is kept for a while under
// numbers of its own, for readers that look at their own pace.

import type { SeatId } from '../ring/ring.ts';
import { type Landings, MOST_KEPT, type Spot, spreadOver } from './landings.ts';

interface Kept extends Spot {
  /** How many had landed when it was told. */
  readonly number: number;
}

export class MergedLandings {
  #landed = 0;
  #kept: readonly Kept[] = [];

  /** What one plane tells. @param before what it had told in its last look. */
  add({ landed, told }: Landings, before: Pick<Landings, 'landed'>): void {
    this.#landed += landed - before.landed;
    const fresh = Array.from({ length: told.length / 3 }, (_, index) => ({
      number: this.#landed,
      slot: told[3 * index] as number,
      seat: told[3 * index + 1] as SeatId,
      status: told[3 * index + 2] as number,
    }));
    this.#kept = [...this.#kept, ...fresh].slice(-MOST_KEPT);
  }

  /** A look, once all planes were asked. @param after `last` of the look before; 0 for a first one. */
  since(after: number): Landings {
    const told = spreadOver(this.#kept.filter(({ number }) => number > after));
    return { last: this.#landed, landed: this.#landed, told };
  }
}
