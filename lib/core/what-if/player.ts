// Plays the requests of a log through several situations at once, in one pass and in memory of a fixed size: however
// long the log is, it keeps a sample of the objects and of the keys, the keys that come most often, and what is in
// flight.

import type { HashPair } from '../ring/hashes/hash-pair.ts';
import type { Key } from '../ring/policy.ts';
import { COUNTED_KEYS, HotKeys } from '../traffic/hot-keys.ts';
import { Flights } from './flights.ts';
import { cacheSizes } from './hit-curve.ts';
import { KeySample } from './key-sample.ts';
import { SampleRate, samplePoint } from './sampling.ts';
import { type LoggedRequest, type RingSize, Scenario, type Situation } from './scenario.ts';
import { Timeline } from './timeline.ts';

export interface PlayerSettings extends RingSize {
  /** Sizes of a replica's cache for which hits are asked, in bytes. */
  readonly cacheBytes: readonly number[];
  /** Those for which hits are counted, ascending; by default as `cacheSizes` gives them. */
  readonly sizes?: Float64Array;
  /** Entries of all caches together that may be kept in memory. */
  readonly mostEntries?: number;
}

const MOST_ENTRIES = 2 ** 20;
const FULL = 0.9;

/**
 * How many requests went where the first situation would have sent them, of those of which the log says who took them.
 */
export interface Agreement {
  readonly told: number;
  readonly same: number;
}

export class Player {
  readonly scenarios: readonly Scenario[];
  readonly timeline = new Timeline();
  readonly keys = new KeySample();
  readonly hotKeys = new HotKeys();
  readonly sizes: Float64Array;
  readonly #labels = new Map<Key, string>();
  readonly #flights = new Flights();
  readonly #sample = new SampleRate();
  readonly #mostEntries: number;
  readonly #slotRequests: Float64Array;
  #requests = 0;
  #keyed = 0;
  #told = 0;
  #same = 0;
  #lastMs = 0;
  #entries = 0;

  /** @param situations the first one is the fleet as it is. */
  constructor(situations: readonly Situation[], settings: PlayerSettings) {
    const { cacheBytes, sizes = cacheSizes(cacheBytes), mostEntries = MOST_ENTRIES, slots } = settings;
    this.#mostEntries = mostEntries;
    this.sizes = sizes;
    this.#slotRequests = new Float64Array(slots);
    const [first = Number.POSITIVE_INFINITY] = cacheBytes;
    const pairs = new Map(situations.map(({ hash }) => [hash.pair, remembering(hash.pair)]));
    this.scenarios = situations.map((one) => {
      const hash = { ...one.hash, pair: pairs.get(one.hash.pair) as HashPair };
      return new Scenario({ ...one, hash }, settings, this.timeline, this.sizes, first);
    });
  }

  get requests(): number {
    return this.#requests;
  }

  /** Requests with a key of their own. */
  get keyed(): number {
    return this.#keyed;
  }

  /** When the last request began. */
  get lastMs(): number {
    return this.#lastMs;
  }

  /** The part of all objects that were looked at, in the end. */
  get rate(): number {
    return this.#sample.rate;
  }

  /** How many requests ended early in the play, since too many were in flight. */
  get cutShort(): number {
    return this.#flights.cutShort;
  }

  get agreement(): Agreement {
    return { told: this.#told, same: this.#same };
  }

  /** Requests to each slot of the first situation. */
  get slotRequests(): Float64Array {
    return this.#slotRequests;
  }

  /** What a person knows a key by, if it came often. */
  labelOf(key: Key): string | undefined {
    return this.#labels.get(key);
  }

  /** Requests in the order in which they began. */
  play(request: LoggedRequest): void {
    const { object, startMs, endMs } = request;
    this.#requests += 1;
    this.#lastMs = Math.max(this.#lastMs, startMs);
    this.#flights.advance(startMs, this.#onEnd);
    this.#countKey(request);
    this.#compare(request);
    const sampled = samplePoint(object);
    const point = this.#sample.has(sampled) ? sampled : undefined;
    const flight = this.#flights.begin(Math.max(endMs, startMs), this.#onEnd);
    const played = { request, interval: this.timeline.intervalOf(startMs), flight, point, rate: this.#sample.rate };
    for (const scenario of this.scenarios) scenario.play(played);
    // Each scenario has got one entry more at most.
    if (point !== undefined) this.#entries += this.scenarios.length;
    if (this.#entries > this.#mostEntries) this.#shrink();
  }

  readonly #onEnd = (flight: number): void => {
    for (const scenario of this.scenarios) scenario.end(flight);
  };

  #countKey({ key, isKeyed, label }: LoggedRequest): void {
    if (!isKeyed) return;
    this.#keyed += 1;
    this.keys.count(key);
    this.hotKeys.count(key);
    if (!this.#labels.has(key)) this.#label(key, label);
  }

  // Labels of keys that are not counted any more are forgotten now and then.
  #label(key: Key, label: string): void {
    if (this.#labels.size >= 8 * COUNTED_KEYS) {
      const counted = new Set(this.hotKeys.reading.keys.map((one) => one.key));
      for (const known of this.#labels.keys()) if (!counted.has(known)) this.#labels.delete(known);
    }
    this.#labels.set(key, label);
  }

  #compare({ key, seat, startMs }: LoggedRequest): void {
    const policy = this.scenarios[0]?.policyAt(startMs);
    if (policy === undefined) return;
    const slot = policy.slotOf(key);
    this.#slotRequests[slot] = (this.#slotRequests[slot] as number) + 1;
    if (seat === undefined) return;
    this.#told += 1;
    if (policy.ring.owner(slot) === seat) this.#same += 1;
  }

  #shrink(): void {
    this.#entries = this.#countEntries();
    // Room is left, since counting takes a while.
    while (this.#entries > FULL * this.#mostEntries) {
      this.#sample.halve();
      for (const scenario of this.scenarios) scenario.keep((object) => this.#sample.has(samplePoint(object)));
      this.#entries = this.#countEntries();
    }
  }

  #countEntries(): number {
    return this.scenarios.reduce((sum, scenario) => sum + scenario.entries, 0);
  }
}

// The same pair, which hashes the key of a request once for all scenarios.
function remembering(pair: HashPair): HashPair {
  let last = { key: Number.NaN, slots: 0, slot: 0 };
  return {
    ...pair,
    requestSlot: (key, slots) => {
      if (last.key !== key || last.slots !== slots) last = { key, slots, slot: pair.requestSlot(key, slots) };
      return last.slot;
    },
  };
}
