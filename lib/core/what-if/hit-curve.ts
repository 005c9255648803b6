// The hits of a cache as a function of its size. Misses are what is estimated from the sample: how many requests there
// were is known exactly, and the objects that most of them want miss the least, so it matters little whether the
// sample has them. (It is the correction that the paper on SHARDS calls SHARDS-adj, said the other way round.)

import { LruStack } from './lru-stack.ts';
import { errorOfSum, GROUPS, groupOf } from './sampling.ts';

/**
 * A hit ratio, and half the width of the interval that has the true one in 95 of 100 samples; 0 if nothing was left
 * out.
 */
export interface HitRatio {
  readonly cacheBytes: number;
  /** 0 … 1. The first request for each object is a miss. */
  readonly ratio: number;
  readonly error: number;
}

/**
 * The sizes for which hits are counted: steps of half an octave from 1 byte to 16 TiB, and those that are asked for.
 */
export function cacheSizes(asked: readonly number[]): Float64Array {
  const steps = Array.from({ length: 89 }, (_, step) => Math.round(2 ** (step / 2)));
  return Float64Array.from(new Set([...steps, ...asked])).sort();
}

/** One cache, as one replica has it. */
export class HitCurve {
  readonly #sizes: Float64Array;
  readonly #stack = new LruStack();
  // For each group: how many requests need that size and no smaller one, then those that no size makes a hit.
  readonly #needed: Float64Array;
  #requests = 0;

  /** @param sizes ascending. */
  constructor(sizes: Float64Array) {
    this.#sizes = sizes;
    this.#needed = new Float64Array(GROUPS * (sizes.length + 1));
  }

  get entries(): number {
    return this.#stack.entries;
  }

  /** Requests, whether they are in the sample or not. */
  count(requests = 1): void {
    this.#requests += requests;
  }

  /**
   * The same request, if its object is in the sample. Gives the least size that makes it a hit, Infinity if none does.
   * @param rate of the sample now.
   */
  touch(object: number, point: number, size: number, rate: number): number {
    const distance = this.#stack.touch(object, size);
    const needed = distance === undefined ? Number.POSITIVE_INFINITY : distance / rate;
    const cell = groupOf(point) * (this.#sizes.length + 1) + this.#indexOf(needed);
    this.#needed[cell] = (this.#needed[cell] as number) + 1 / rate;
    return needed;
  }

  /** So many more requests for the object that was touched last, which a cache of that size has still. */
  again(times: number, point: number, size: number, rate: number): void {
    const cell = groupOf(point) * (this.#sizes.length + 1) + this.#indexOf(size);
    this.#needed[cell] = (this.#needed[cell] as number) + times / rate;
  }

  keep(isKept: (object: number) => boolean): void {
    this.#stack.keep(isKept);
  }

  /** @param rate of the sample at last. */
  readings(rate: number): HitRatio[] {
    return readingsOf([this], rate);
  }

  /** The hits of all requests to some caches of one size. */
  static together(curves: readonly HitCurve[], rate: number): HitRatio[] {
    return readingsOf(curves, rate);
  }

  /** For each size and group, the requests that missed; row by row. */
  static missesOf(curves: readonly HitCurve[], sizes: number): Float64Array[] {
    return Array.from({ length: sizes }, (_, size) =>
      new Float64Array(GROUPS).map((_, group) => curves.reduce((sum, curve) => sum + curve.#missesIn(group, size), 0)),
    );
  }

  get requests(): number {
    return this.#requests;
  }

  get sizes(): Float64Array {
    return this.#sizes;
  }

  get meanWeightedSize(): number {
    return this.#stack.meanWeightedSize;
  }

  #missesIn(group: number, size: number): number {
    const end = (group + 1) * (this.#sizes.length + 1);
    return this.#needed.subarray(group * (this.#sizes.length + 1) + size + 1, end).reduce((sum, one) => sum + one, 0);
  }

  // Of the least size that is enough.
  #indexOf(needed: number): number {
    let low = 0;
    let high = this.#sizes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sizes[middle] as number) < needed) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function readingsOf(curves: readonly HitCurve[], rate: number): HitRatio[] {
  const sizes = curves[0]?.sizes ?? new Float64Array(0);
  const requests = curves.reduce((sum, curve) => sum + curve.requests, 0);
  const largest = Math.max(0, ...curves.map((curve) => curve.meanWeightedSize));
  const misses = HitCurve.missesOf(curves, sizes.length);
  const ratios = misses.map((groups) => bounded(1 - groups.reduce((sum, one) => sum + one, 0) / Math.max(1, requests)));
  return Array.from(sizes, (cacheBytes, at) => {
    const ofObjects = errorOfSum(misses[at] as Float64Array, rate) / Math.max(1, requests);
    // The sample also decides how large a cache seems: by the standard deviation of the bytes that it stands for.
    const ofSize = 2 * slopeAt(sizes, ratios, at) * Math.sqrt(((1 - rate) * largest) / (rate * cacheBytes));
    // Both go up with one object more in the sample, so they are added.
    return { cacheBytes, ratio: ratios[at] as number, error: Math.min(1, ofObjects + ofSize) };
  });
}

// By how much the ratio changes if the size changes by its e-th part, at most.
function slopeAt(sizes: Float64Array, ratios: readonly number[], at: number): number {
  const [from, to] = [Math.max(0, at - 1), Math.min(sizes.length - 1, at + 1)];
  const rise = (ratios[to] as number) - (ratios[from] as number);
  return rise / Math.log((sizes[to] as number) / (sizes[from] as number));
}

function bounded(ratio: number): number {
  return Math.min(1, Math.max(0, ratio));
}
