// Where requests landed in several planes, as if there were one: what each tells of itself is kept for a while under
// numbers of its own, for readers that look at their own pace.

import type { SeatId } from '../ring/ring.ts';
import { type Landings, MOST_KEPT, type Spot, spreadOver } from './landings.ts';

interface Kept extends Spot {
  /** How many had landed when it was told. */
  readonly number: number;
}

/** A look at one plane. */
export interface Look {
  readonly now: Landings;
  readonly before: Pick<Landings, 'landed'>;
}

export class MergedLandings {
  #landed = 0;
  #kept: readonly Kept[] = [];

  /** What the planes tell in one look: each what it has now, and what it had at its last look. */
  add(looks: readonly Look[]): void {
    for (const { now, before } of looks) this.#landed += now.landed - before.landed;
    const fresh = looks.flatMap(({ now }) => spotsOf(now)).sort((one, other) => one.at - other.at);
    const kept = fresh.map(({ spot }) => ({ ...spot, number: this.#landed }));
    this.#kept = [...this.#kept, ...kept].slice(-MOST_KEPT);
  }

  /** A look, once all planes were asked. @param after `last` of the look before; 0 for a first one. */
  since(after: number): Landings {
    const told = spreadOver(this.#kept.filter(({ number }) => number > after));
    return { last: this.#landed, landed: this.#landed, told };
  }
}

// No plane says when a request landed. What each tells is spread over all that landed there since its last look, so
// those of all planes are put in order by how far in its list each is, as a part of 1.
function spotsOf({ told }: Landings): { readonly at: number; readonly spot: Spot }[] {
  const length = told.length / 3;
  return Array.from({ length }, (_, index) => ({
    at: (index + 0.5) / length,
    spot: {
      slot: told[3 * index] as number,
      seat: told[3 * index + 1] as SeatId,
      status: told[3 * index + 2] as number,
    },
  }));
}
