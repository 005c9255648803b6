// Seeds of histories in which a fault of the program was found, and what it was. They are played first in each run. A
// seed only gives the same history as long as the simulation itself is the same, so what was found has a test of its
// own as well.

export interface KeptSeed {
  readonly seed: number;
  readonly found: string;
}

export const KEPT_SEEDS: readonly KeptSeed[] = [
  { seed: 207_111, found: 'what waits behind an event stream began by the plan before, at the replica that leaves' },
  { seed: 201_890, found: 'a reply to HTTP/1.0 of which its client took a part was ended as if it were whole' },
];
