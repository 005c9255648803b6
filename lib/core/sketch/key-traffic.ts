// What one thread counts of the keys of requests: those that came most often lately, and the sketch of the last hour.

import type { Key } from '../ring/policy.ts';
import type { SeatId } from '../ring/ring.ts';
import { type HotKeysReading, RecentHotKeys } from '../traffic/hot-keys.ts';
import { KeySketch } from './key-sketch.ts';
import type { SketchReading } from './reading.ts';

/** A request that goes to a replica. Times are those of one clock, in ms. */
export interface PlacedRequest {
  readonly key: Key;
  readonly found: { readonly keyClass: string | undefined };
  /** When it was placed: it may have waited before, and come to another fleet. */
  readonly times: { readonly placedMs: number };
  /** How many times it was sent before. */
  readonly attempts: number;
}

/** A request that is over. */
export interface EndedRequest extends PlacedRequest {
  /** 0 for `placedMs` if no replica had it. */
  readonly times: { readonly placedMs: number; readonly endedMs: number };
  readonly status: number;
  readonly sentBytes: number;
}

export class KeyTraffic {
  readonly #sketch: KeySketch;
  #source: string | undefined;
  #hot = this.#noHot();

  /** @param sampleSeed see `KeySketch`. */
  constructor(sampleSeed?: number) {
    this.#sketch = new KeySketch(sampleSeed);
  }

  /** @param source `--key` as it is written; `undefined` if requests go by their ids. */
  use(source: string | undefined): void {
    this.#sketch.use(source);
    if (source === this.#source) return;
    this.#source = source;
    // Keys of another source mean something else.
    this.#hot = this.#noHot();
  }

  /** @param home the seat that comes before those of the ring, if there is one. */
  place({ key, found, times, attempts }: PlacedRequest, seat: SeatId, home: SeatId | undefined): void {
    const isKeyed = found.keyClass !== undefined;
    if (isKeyed) this.#hot.count(key, home);
    if (attempts === 0 && this.#sketch.isOn) this.#sketch.place(isKeyed ? key : undefined, seat, times.placedMs);
  }

  end({ key, found, times, status, sentBytes }: EndedRequest): void {
    if (!this.#sketch.isOn || times.placedMs === 0) return;
    // A tunnel holds no place in flight, so how long it was open says nothing of load.
    const tookMs = status === 101 ? 0 : times.endedMs - times.placedMs;
    this.#sketch.end(key, found.keyClass !== undefined, times.placedMs, tookMs, sentBytes);
  }

  /** To be called now and then. */
  onTick(nowMs: number): void {
    this.#hot.onTick(nowMs);
  }

  /** Those of the last one to two minutes in which there was traffic. */
  get hot(): HotKeysReading {
    return this.#hot.reading;
  }

  /** Reading changes nothing. */
  sketch(nowMs: number): SketchReading {
    return this.#sketch.reading(nowMs, this.#hot.fresh);
  }

  #noHot(): RecentHotKeys {
    return new RecentHotKeys((reading) => this.#sketch.addHot(reading));
  }
}
