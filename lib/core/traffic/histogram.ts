// A histogram of fixed size for values that span many powers of two, such as times. Each doubling has 16 buckets, so
// what is read from it is off by 2.2 % at most, whatever the value. Histograms can be added up bucket by bucket.

const BUCKETS_PER_DOUBLING = 16;
/** Values from 1 to this are told apart: with microseconds, up to two minutes. */
const MOST = 2 ** 27;
/** How many numbers a histogram takes. */
export const BUCKETS = Math.log2(MOST) * BUCKETS_PER_DOUBLING;

export class Histogram {
  // Weights are not whole numbers, since fading makes them fractions.
  readonly #weights: Float64Array;

  /** @param weights memory for its buckets, which may be part of something larger. */
  constructor(weights: Float64Array = new Float64Array(BUCKETS)) {
    this.#weights = weights;
  }

  /** Records a value that stands for `weight` of them. Values outside of 1 … 2^27 count as the nearest one within. */
  record(value: number, weight: number): void {
    const index = Math.floor(Math.log2(value) * BUCKETS_PER_DOUBLING);
    const bucket = Math.min(BUCKETS - 1, Math.max(0, index));
    this.#weights[bucket] = (this.#weights[bucket] as number) + weight;
  }

  /** Adds the buckets of another histogram. */
  add(weights: Float64Array): void {
    for (let index = 0; index < BUCKETS; index++) {
      this.#weights[index] = (this.#weights[index] as number) + (weights[index] as number);
    }
  }

  /**
   * The value at or below which this part (0 … 1) of all lies; `undefined` if the weights sum to less than half a
   * value.
   */
  percentile(part: number): number | undefined {
    let total = 0;
    for (let index = 0; index < BUCKETS; index++) total += this.#weights[index] as number;
    if (total < 0.5) return undefined;
    let wanted = part * total;
    // Sums of fractions may come out a trifle short at the far end: then it is the last bucket with any weight.
    let found = 0;
    for (let index = 0; index < BUCKETS; index++) {
      const weight = this.#weights[index] as number;
      wanted -= weight;
      if (weight === 0) continue;
      found = index;
      if (wanted <= 0) break;
    }
    return 2 ** ((found + 0.5) / BUCKETS_PER_DOUBLING);
  }

  /** Multiplies the weight of all that was recorded so far. A factor of 0 forgets it. */
  fade(factor: number): void {
    for (let index = 0; index < BUCKETS; index++) this.#weights[index] = (this.#weights[index] as number) * factor;
  }
}
