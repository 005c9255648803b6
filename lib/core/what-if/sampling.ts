// Which objects are looked at when all would be too many: those whose hash is below a threshold, so an object is
// looked at each time or never. What is counted of them is divided by the rate. Source: Waldspurger, Park, Garthwaite,
// Ahmad, "Efficient MRC Construction with SHARDS", FAST 2015.

import { mix32 } from '../ring/hashes/mixed.ts';

const WORDS = 2 ** 32;

/**
 * Where an object lies for sampling, 0 … 2³²-1. It is unrelated to any hash of the ring: those mix a key once at most,
 * and if a sample were some arcs of the ring it would say nothing of the others.
 * @param seed 32 bits; where objects are chosen by others, a number that they do not know
 */
export function samplePoint(object: number, seed = 0): number {
  return mix32(mix32(object ^ seed ^ 0x3c6ef372) ^ 0xa54ff53a);
}

/** The threshold. It only falls. */
export class SampleRate {
  #threshold: number;

  /** @param rate to begin with; by default all objects are looked at. */
  constructor(rate = 1) {
    this.#threshold = rate * WORDS;
  }

  /** The part of all objects that are looked at: 1, a half, a quarter, … */
  get rate(): number {
    return this.#threshold / WORDS;
  }

  has(point: number): boolean {
    return point < this.#threshold;
  }

  halve(): void {
    this.#threshold /= 2;
  }
}

/** Samples are parted into so many groups by their last bits. How far the groups differ tells how good they are. */
export const GROUPS = 16;

export function groupOf(point: number): number {
  return point % GROUPS;
}

/**
 * Half the width of the 95 % interval of the part of all keys that have something, given in how many of a sample it was
 * found. Never 0 for a sample, even if none or all have it. Source: Agresti, Coull, "Approximate Is Better than Exact
 * for Interval Estimation of Binomial Proportions", The American Statistician 52(2), 1998.
 */
export function errorOfPart(found: number, size: number, rate: number): number {
  const part = (found + 2) / (size + 4);
  return 1.96 * Math.sqrt(((1 - rate) * part * (1 - part)) / (size + 4));
}

// Student's t for 95 % and GROUPS - 1 degrees of freedom.
const T_95 = 2.131;

/**
 * Half the width of the 95 % interval of a sum, given what each group contributed.
 * @param rate of the sample: with 1, nothing was left to chance.
 */
export function errorOfSum(groups: ArrayLike<number>, rate: number): number {
  const sums = Array.from(groups);
  const mean = sums.reduce((sum, one) => sum + one, 0) / GROUPS;
  const spread = sums.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (GROUPS - 1);
  return T_95 * Math.sqrt(GROUPS * spread * (1 - rate));
}
