// Some minutes of a sample of keys, in memory of a fixed size: which keys came when, and who took them. Requests for
// one key that one seat gets within a second are one visit, so that a key with much of the traffic does not fill the
// room. When it is full, half of the keys are forgotten, by a hash that the rings do not use.

import type { Key } from '../ring/policy.ts';
import type { SeatId } from '../ring/ring.ts';
import { type HotKeysReading, mergeHotKeys } from '../traffic/hot-keys.ts';
import { SampleRate, samplePoint } from '../what-if/sampling.ts';
import { gather, type VisitColumns } from './reading.ts';

/** Visits that one period has room for. */
export const MOST_VISITS = 4096;

const SECOND_MS = 1000;

export class SamplePeriod {
  readonly beganMs: number;
  /** Requests with a key, and those without one. */
  total = 0;
  others = 0;
  readonly #sample: SampleRate;
  #hot: HotKeysReading = { total: 0, keys: [] };
  // The number of each key; `undefined` when nothing more comes.
  #numbers: Map<Key, number> | undefined = new Map();
  #keys = new Uint32Array(MOST_VISITS);
  #sizes = new Float64Array(MOST_VISITS);
  // The visit with which each key came last.
  #last = new Uint16Array(MOST_VISITS);
  #visits = 0;
  #numberAt = new Uint16Array(MOST_VISITS);
  #secondAt = new Uint16Array(MOST_VISITS);
  #seatAt = new Uint16Array(MOST_VISITS);
  #countAt = new Uint32Array(MOST_VISITS);

  /** @param rate of the sample to begin with. */
  constructor(beganMs: number, rate: number) {
    this.beganMs = beganMs;
    this.#sample = new SampleRate(rate);
  }

  /** The part of all keys that are in the sample. */
  get rate(): number {
    return this.#sample.rate;
  }

  /** The keys that came most often, as far as they were told. */
  get hot(): HotKeysReading {
    return this.#hot;
  }

  /** A request with that key went to that seat. The time must be within 65,535 s of the beginning. */
  place(key: Key, seat: SeatId, nowMs: number): void {
    this.total += 1;
    if (this.#numbers === undefined || !this.#sample.has(samplePoint(key))) return;
    const second = Math.max(0, Math.floor((nowMs - this.beganMs) / SECOND_MS));
    const number = this.#numbers.get(key);
    if (number !== undefined) {
      const last = this.#last[number] as number;
      if (this.#secondAt[last] === second && this.#seatAt[last] === seat) {
        this.#countAt[last] = (this.#countAt[last] as number) + 1;
        return;
      }
    }
    this.#begin(key, second, seat, 1);
    if (this.#visits === MOST_VISITS) this.#halve(this.#numbers);
  }

  /** A reply of that size was for the key. */
  reply(key: Key, sizeBytes: number): void {
    if (!this.#sample.has(samplePoint(key))) return;
    const number = this.#numbers?.get(key);
    if (number !== undefined) this.#sizes[number] = Math.max(this.#sizes[number] as number, sizeBytes);
  }

  addHot(reading: HotKeysReading): void {
    this.#hot = mergeHotKeys(this.#hot, reading);
  }

  /** Nothing more comes: what only new requests need is given back. */
  end(): void {
    this.#numbers = undefined;
  }

  /** In the order in which they came. */
  visits(nowMs: number): VisitColumns {
    const numbers = this.#numberAt.subarray(0, this.#visits);
    return {
      keys: gather(new Uint32Array(this.#visits), this.#keys, numbers),
      agoMs: new Float64Array(this.#visits).map(
        (_, at) => nowMs - this.beganMs - SECOND_MS * (this.#secondAt[at] as number),
      ),
      seats: this.#seatAt.slice(0, this.#visits),
      counts: this.#countAt.slice(0, this.#visits),
      sizes: gather(new Float64Array(this.#visits), this.#sizes, numbers),
    };
  }

  #begin(key: Key, second: number, seat: SeatId, count: number): void {
    const numbers = this.#numbers as Map<Key, number>;
    let number = numbers.get(key);
    if (number === undefined) {
      number = numbers.size;
      numbers.set(key, number);
      this.#keys[number] = key;
    }
    const at = this.#visits;
    this.#visits += 1;
    this.#last[number] = at;
    this.#numberAt[at] = number;
    this.#secondAt[at] = second;
    this.#seatAt[at] = seat;
    this.#countAt[at] = count;
  }

  // Until a quarter is free, so that it does not happen with each request.
  #halve(numbers: Map<Key, number>): void {
    const [keys, sizes] = [this.#keys.slice(), this.#sizes.slice()];
    const all = Array.from({ length: this.#visits }, (_, at) => at);
    const columns = [this.#numberAt.slice(), this.#secondAt.slice(), this.#seatAt.slice()] as const;
    const counts = this.#countAt.slice();
    const [numberAt, secondAt, seatAt] = columns;
    const keyAt = (at: number) => keys[numberAt[at] as number] as number;
    let kept = all;
    while (kept.length > 0.75 * MOST_VISITS) {
      this.#sample.halve();
      kept = kept.filter((at) => this.#sample.has(samplePoint(keyAt(at))));
    }
    numbers.clear();
    this.#sizes.fill(0);
    this.#visits = 0;
    for (const at of kept) {
      this.#begin(keyAt(at), secondAt[at] as number, seatAt[at] as number, counts[at] as number);
      this.#sizes[numbers.get(keyAt(at)) as number] = sizes[numberAt[at] as number] as number;
    }
  }
}
