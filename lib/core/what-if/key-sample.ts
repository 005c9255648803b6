// A sample of the keys of a log, of a bounded size: how many keys there are, and which part of them moves.

import type { Key } from '../ring/policy.ts';
import { SampleRate, samplePoint } from './sampling.ts';

const MOST_KEYS = 65_536;

/** A number of keys, and half the width of its 95 % interval. */
export interface Estimate {
  readonly value: number;
  readonly error: number;
}

export class KeySample {
  readonly #most: number;
  readonly #rate = new SampleRate();
  readonly #keys = new Set<Key>();

  constructor(most = MOST_KEYS) {
    this.#most = most;
  }

  count(key: Key): void {
    if (!this.#rate.has(samplePoint(key))) return;
    this.#keys.add(key);
    while (this.#keys.size > this.#most) {
      this.#rate.halve();
      for (const one of this.#keys) if (!this.#rate.has(samplePoint(one))) this.#keys.delete(one);
    }
  }

  /** How many different keys there were. */
  get keys(): Estimate {
    const { rate } = this.#rate;
    const value = this.#keys.size / rate;
    return { value, error: 1.96 * Math.sqrt((value * (1 - rate)) / rate) };
  }

  /** The part of the keys for which that holds, 0 … 1. */
  part(holds: (key: Key) => boolean): Estimate {
    const { size } = this.#keys;
    if (size === 0) return { value: 0, error: 0 };
    let found = 0;
    for (const key of this.#keys) if (holds(key)) found += 1;
    const value = found / size;
    return { value, error: 1.96 * Math.sqrt(((1 - this.#rate.rate) * value * (1 - value)) / size) };
  }
}
