// Seeds of histories in which a fault of the program was found, and what it was. They are played first in each run. A
// seed only gives the same history as long as the simulation itself is the same, so what was found has a test of its
// own as well.

export interface KeptSeed {
  readonly seed: number;
  readonly found: string;
}

export const KEPT_SEEDS: readonly KeptSeed[] = [];
