// Some minutes of a sample of keys, in memory of a fixed size: which keys came when, and who took them. Requests for
// one key that one seat gets within a second are one visit, so that a key with much of the traffic does not fill the
// room. When it is full and keys come again and again, visits become longer, up to half a minute. Only if that frees
// too little, half of the keys are forgotten, by a hash that the rings do not use: of few keys, chance decides where
// they are.

import type { Key } from '../ring/policy.ts';
import type { SeatId } from '../ring/ring.ts';
import { type HotKeysReading, mergeHotKeys } from '../traffic/hot-keys.ts';
import { SampleRate, samplePoint } from '../what-if/sampling.ts';
import { gather, type VisitColumns } from './reading.ts';

/** Visits that one period has room for. */
export const MOST_VISITS = 4096;

const SECOND_MS = 1000;
/** How long a visit is at most. */
const LONGEST_S = 32;
// So many visits are left when room was made.
const LEFT = 0.75 * MOST_VISITS;
// Seats have 16 bits.
const SEATS = 2 ** 16;

export class SamplePeriod {
  readonly beganMs: number;
  /** Requests with a key, and those without one. */
  total = 0;
  others = 0;
  readonly #sample: SampleRate;
  readonly #seed: number;
  #hot: HotKeysReading = { total: 0, keys: [] };
  // The number of each key; `undefined` when nothing more comes.
  #numbers: Map<Key, number> | undefined = new Map();
  #keys = new Uint32Array(MOST_VISITS);
  #sizes = new Float64Array(MOST_VISITS);
  // The last visit of each key at each seat. Both may take turns.
  #last = new Map<number, number>();
  #visits = 0;
  #lengthS = 1;
  #numberAt = new Uint16Array(MOST_VISITS);
  // When each began, which is a multiple of their length: so what came after some time tells the same of a key that
  // stays at its seat as of one that moves.
  #secondAt = new Uint16Array(MOST_VISITS);
  #seatAt = new Uint16Array(MOST_VISITS);
  #countAt = new Uint32Array(MOST_VISITS);

  /** @param rate of the sample to begin with. @param seed see `samplePoint`. */
  constructor(beganMs: number, rate: number, seed = 0) {
    this.beganMs = beganMs;
    this.#seed = seed;
    this.#sample = new SampleRate(rate);
  }

  /** The part of all keys that are in the sample. */
  get rate(): number {
    return this.#sample.rate;
  }

  /** That of the next one, if as much comes: after a rush, all is looked at again as soon as there is room for it. */
  get nextRate(): number {
    const times = 2 ** Math.floor(Math.log2(LEFT / Math.max(1, this.#visits)));
    return Math.min(1, this.rate * Math.max(1, times));
  }

  /** The keys that came most often, as far as they were told. */
  get hot(): HotKeysReading {
    return this.#hot;
  }

  /** A request with that key went to that seat. The time must be within 65,535 s of the beginning. */
  place(key: Key, seat: SeatId, nowMs: number): void {
    this.total += 1;
    if (this.#numbers === undefined || !this.#isSampled(key)) return;
    const second = Math.max(0, Math.floor((nowMs - this.beganMs) / SECOND_MS));
    this.#count(this.#numbers, { key, seat, second: beginOf(second, this.#lengthS), count: 1 });
    if (this.#visits === MOST_VISITS) this.#makeRoom(this.#numbers);
  }

  /** A reply of that size was for the key. */
  reply(key: Key, sizeBytes: number): void {
    if (!this.#isSampled(key)) return;
    const number = this.#numbers?.get(key);
    if (number !== undefined) this.#sizes[number] = Math.max(this.#sizes[number] as number, sizeBytes);
  }

  addHot(reading: HotKeysReading): void {
    this.#hot = mergeHotKeys(this.#hot, reading);
  }

  /** Nothing more comes: what only new requests need is given back. */
  end(): void {
    this.#numbers = undefined;
    this.#last = new Map();
  }

  /** In the order in which they came. */
  visits(nowMs: number): VisitColumns {
    const numbers = this.#numberAt.subarray(0, this.#visits);
    const agoMs = new Float64Array(this.#visits).map(
      (_, at) => nowMs - this.beganMs - SECOND_MS * (this.#secondAt[at] as number),
    );
    return {
      keys: gather(new Uint32Array(this.#visits), this.#keys, numbers),
      agoMs,
      lastsMs: new Uint16Array(this.#visits).map((_, at) => Math.min(SECOND_MS * this.#lengthS, agoMs[at] as number)),
      seats: this.#seatAt.slice(0, this.#visits),
      counts: this.#countAt.slice(0, this.#visits),
      sizes: gather(new Float64Array(this.#visits), this.#sizes, numbers),
    };
  }

  #isSampled(key: Key): boolean {
    return this.#sample.has(samplePoint(key, this.#seed));
  }

  #count(numbers: Map<Key, number>, { key, seat, second, count }: Visit): void {
    const number = numbers.get(key) ?? this.#begin(numbers, key);
    const last = this.#last.get(number * SEATS + seat);
    if (last !== undefined && this.#secondAt[last] === second) {
      this.#countAt[last] = (this.#countAt[last] as number) + count;
      return;
    }
    const at = this.#visits;
    this.#visits += 1;
    this.#last.set(number * SEATS + seat, at);
    this.#numberAt[at] = number;
    this.#secondAt[at] = second;
    this.#seatAt[at] = seat;
    this.#countAt[at] = count;
  }

  #begin(numbers: Map<Key, number>, key: Key): number {
    const number = numbers.size;
    numbers.set(key, number);
    this.#keys[number] = key;
    this.#sizes[number] = 0;
    return number;
  }

  // Until a quarter is free, so that it does not happen with each request.
  #makeRoom(numbers: Map<Key, number>): void {
    let visits = Array.from({ length: this.#visits }, (_, at): Visit => {
      const key = this.#keys[this.#numberAt[at] as number] as number;
      const [seat, second] = [this.#seatAt[at] as number, this.#secondAt[at] as number];
      return { key, seat, second, count: this.#countAt[at] as number };
    });
    const sizes = new Map([...numbers].map(([key, number]) => [key, this.#sizes[number] as number]));
    if (visitsOf(visits, LONGEST_S) <= LEFT) {
      while (visitsOf(visits, this.#lengthS) > LEFT) this.#lengthS *= 2;
    }
    while (visitsOf(visits, this.#lengthS) > LEFT) {
      this.#sample.halve();
      visits = visits.filter(({ key }) => this.#isSampled(key));
    }
    numbers.clear();
    this.#last.clear();
    this.#visits = 0;
    for (const one of visits) this.#count(numbers, { ...one, second: beginOf(one.second, this.#lengthS) });
    for (const [key, number] of numbers) this.#sizes[number] = sizes.get(key) as number;
  }
}

interface Visit {
  readonly key: Key;
  readonly seat: SeatId;
  readonly second: number;
  readonly count: number;
}

function beginOf(second: number, lengthS: number): number {
  return second - (second % lengthS);
}

/** How many there are if they are that long. */
function visitsOf(visits: readonly Visit[], lengthS: number): number {
  const lastAt = new Map<number, number>();
  let length = 0;
  for (const { key, seat, second } of visits) {
    const begin = beginOf(second, lengthS);
    // A key is less than 2³² and a seat less than 2¹⁶.
    if (lastAt.get(key * SEATS + seat) !== begin) length += 1;
    lastAt.set(key * SEATS + seat, begin);
  }
  return length;
}
