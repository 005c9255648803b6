// Which keys come most often, found in memory of a fixed size: space-saving (Metwally, Agrawal, El Abbadi, "Efficient
// Computation of Frequent and Top-k Elements in Data Streams", ICDT 2005). A key that is not among those that are
// counted takes the place of one that was counted least, and its count, which may be too high by as much.

import type { Key } from '../ring/policy.ts';
import type { SeatId } from '../ring/ring.ts';

/** So many are counted: every key that has more than this part of all requests is among them. */
export const COUNTED_KEYS = 128;

export interface CountedKey {
  readonly key: Key;
  /** At most this many requests, and at least this many less `error`. */
  readonly count: number;
  readonly error: number;
  /** Where it is on the ring, and whose that is; nothing before there was a ring. */
  readonly slot?: number;
  readonly owner?: SeatId | undefined;
  /** The seat that had set the cookie of the key's last request, if its cookie is learned. */
  readonly home?: SeatId | undefined;
}

/** Plain data: what was counted, most frequent key first. */
export interface HotKeysReading {
  /** Requests with a key. */
  readonly total: number;
  readonly keys: readonly CountedKey[];
}

export class HotKeys {
  #total = 0;
  readonly #places = new Map<Key, number>();
  readonly #keys = new Float64Array(COUNTED_KEYS);
  readonly #counts = new Float64Array(COUNTED_KEYS);
  readonly #errors = new Float64Array(COUNTED_KEYS);
  // Where there is none, 0, which is no seat.
  readonly #homes = new Int32Array(COUNTED_KEYS);
  // No count is less than this, and the search for one that is as much goes on from there.
  #least = 0;
  #at = 0;

  /** @param home the seat that comes before those of the ring for this request, if there is one. */
  count(key: Key, home: SeatId = 0): void {
    this.#total += 1;
    const known = this.#places.get(key);
    const place = known ?? (this.#places.size < COUNTED_KEYS ? this.#places.size : this.#leastPlace());
    if (known === undefined) this.#begin(key, place);
    else this.#counts[place] = (this.#counts[place] as number) + 1;
    this.#homes[place] = home;
  }

  get reading(): HotKeysReading {
    const keys = Array.from(this.#places, ([key, place]) => ({
      key,
      count: this.#counts[place] as number,
      error: this.#errors[place] as number,
      ...(this.#homes[place] !== 0 && { home: this.#homes[place] as SeatId }),
    }));
    return { total: this.#total, keys: byCount(keys) };
  }

  #begin(key: Key, place: number): void {
    const before = this.#counts[place] as number;
    if (before > 0) this.#places.delete(this.#keys[place] as Key);
    this.#places.set(key, place);
    this.#keys[place] = key;
    this.#counts[place] = before + 1;
    this.#errors[place] = before;
  }

  // Counts only grow, so each round of all places ends with a larger least count.
  #leastPlace(): number {
    for (;;) {
      for (let steps = 0; steps < COUNTED_KEYS; steps++) {
        const place = this.#at;
        this.#at = (this.#at + 1) % COUNTED_KEYS;
        if ((this.#counts[place] as number) <= this.#least) return place;
      }
      this.#least = this.#counts.reduce((least, count) => Math.min(least, count));
    }
  }
}

const MINUTE_MS = 60_000;

/** Those of the last one to two periods in which there was traffic. */
export class RecentHotKeys {
  readonly #onOver: (reading: HotKeysReading) => void;
  readonly #periodMs: number;
  #now = new HotKeys();
  #before = new HotKeys();
  #sinceMs = 0;

  /** @param onOver is told what was counted in a period that is over. */
  constructor(onOver: (reading: HotKeysReading) => void = () => undefined, periodMs = MINUTE_MS) {
    this.#onOver = onOver;
    this.#periodMs = periodMs;
  }

  count(key: Key, home?: SeatId): void {
    this.#now.count(key, home);
  }

  /** To be called now and then. */
  onTick(nowMs: number): void {
    if (nowMs - this.#sinceMs < this.#periodMs) return;
    this.#sinceMs = nowMs;
    this.#onOver(this.#now.reading);
    this.#before = this.#now;
    this.#now = new HotKeys();
  }

  /** Those of the period that is not over. */
  get fresh(): HotKeysReading {
    return this.#now.reading;
  }

  get reading(): HotKeysReading {
    return mergeHotKeys(this.#before.reading, this.#now.reading);
  }
}

/** Both together. A key that one of them does not count any more may have come more often than its count says. */
export function mergeHotKeys(one: HotKeysReading, other: HotKeysReading): HotKeysReading {
  const keys = new Map(one.keys.map((counted) => [counted.key, counted]));
  for (const counted of other.keys) {
    const known = keys.get(counted.key);
    const count = counted.count + (known?.count ?? 0);
    keys.set(counted.key, { ...known, ...counted, count, error: counted.error + (known?.error ?? 0) });
  }
  return { total: one.total + other.total, keys: byCount([...keys.values()]).slice(0, COUNTED_KEYS) };
}

function byCount(keys: readonly CountedKey[]): CountedKey[] {
  return keys.toSorted((one, other) => other.count - one.count || one.key - other.key);
}
