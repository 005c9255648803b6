// A histogram of fixed size for values that span many powers of two, such as times: 16 buckets for each doubling, so that what is
// read from it is off by 2.2 % at most, whatever the value. Histograms of the same kind are added up bucket by bucket.

const BUCKETS_PER_DOUBLING = 16;
/** Values from 1 to this are told apart: with microseconds, up to two minutes. */
const MOST = 2 ** 27;
/** How many numbers a histogram takes. */
export const BUCKETS = Math.log2(MOST) * BUCKETS_PER_DOUBLING;

export class Histogram {
  // Not whole numbers: what fades becomes less than one.
  readonly #weights: Float64Array;

  /** @param weights of its buckets, where it is kept; they may be part of something larger. */
  constructor(weights: Float64Array = new Float64Array(BUCKETS)) {
    this.#weights = weights;
  }

  /** Values out of 1 … 2^27 count as the nearest one within. A value that stands for several others weighs as many. */
  record(value: number, weight: number): void {
    const index = Math.floor(Math.log2(value) * BUCKETS_PER_DOUBLING);
    const bucket = Math.min(BUCKETS - 1, Math.max(0, index));
    this.#weights[bucket] = (this.#weights[bucket] as number) + weight;
  }

  /** All that another histogram holds in those buckets. */
  add(weights: Float64Array): void {
    for (let index = 0; index < BUCKETS; index++) {
      this.#weights[index] = (this.#weights[index] as number) + (weights[index] as number);
    }
  }

  /** The value that so large a part (0 … 1) of all lies at or below; `undefined` if there is less than half a value. */
  percentile(part: number): number | undefined {
    const total = this.#weights.reduce((sum, weight) => sum + weight, 0);
    if (total < 0.5) return undefined;
    let wanted = part * total;
    const bucket = this.#weights.findIndex((weight) => {
      wanted -= weight;
      return weight > 0 && wanted <= 0;
    });
    // Sums of fractions may come out a trifle short at the far end.
    const found = bucket === -1 ? this.#weights.findLastIndex((weight) => weight > 0) : bucket;
    return 2 ** ((found + 0.5) / BUCKETS_PER_DOUBLING);
  }

  /** All that was recorded counts only so much from here on: 0 forgets it. */
  fade(factor: number): void {
    for (let index = 0; index < BUCKETS; index++) this.#weights[index] = (this.#weights[index] as number) * factor;
  }
}
