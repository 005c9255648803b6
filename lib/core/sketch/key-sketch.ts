// What is kept of the keys of the last hour, in memory of a fixed size however many requests and keys there are: a
// sample of the keys with their visits (./sample-period.ts), the keys that came most often, and the last requests as
// they were (./recent-requests.ts). What-if plays it. It costs a request a hash of its key and, if the key is in the
// sample, a look into a map.

import type { Key } from '../ring/policy.ts';
import type { SeatId } from '../ring/ring.ts';
import type { HotKeysReading } from '../traffic/hot-keys.ts';
import { mergeSketches, NO_RECENT, NO_SKETCH, type SketchReading } from './reading.ts';
import { RecentRequests } from './recent-requests.ts';
import { SamplePeriod } from './sample-period.ts';

export const HOUR_MS = 3_600_000;
const PERIOD_MS = 300_000;
const MOST_PERIODS = HOUR_MS / PERIOD_MS;

export class KeySketch {
  /** Nothing is noted otherwise. */
  isOn = false;
  readonly #seed: number;
  #source = '';
  // The one that requests go to is the last.
  #periods: SamplePeriod[] = [];
  #recent: RecentRequests | undefined;

  /**
   * @param seed the same in all threads. The attack: who could tell which keys are in the sample could fill it with a
   * few thousand of their own, and all others would be forgotten (test/core/key-sketch.test.ts).
   */
  constructor(seed = 0) {
    this.#seed = seed;
  }

  /** @param source `--key` as it is written; `undefined` for none. Keys of another source mean something else. */
  use(source: string | undefined): void {
    this.isOn = source !== undefined;
    if (source === this.#source) return;
    this.#source = source ?? '';
    this.#periods = [];
    this.#recent = this.isOn ? new RecentRequests() : undefined;
  }

  /** A request goes to that seat. @param key `undefined` if it goes by its id. */
  place(key: Key | undefined, seat: SeatId, nowMs: number): void {
    const period = this.#periodAt(nowMs);
    if (key === undefined) period.others += 1;
    else period.place(key, seat, nowMs);
  }

  /** A request is over whose replica had it from `startMs` on. */
  end(key: Key, isKeyed: boolean, startMs: number, tookMs: number, sizeBytes: number): void {
    if (isKeyed) this.#periods.at(-1)?.reply(key, sizeBytes);
    this.#recent?.end(key, isKeyed, startMs, tookMs);
  }

  /** The keys that came most often in a minute that is over. */
  addHot(reading: HotKeysReading): void {
    this.#periods.at(-1)?.addHot(reading);
  }

  /** @param hot the keys that came most often in the minute that is not over. */
  reading(nowMs: number, hot = NO_SKETCH.hot): SketchReading {
    const periods = this.#periods.filter(({ beganMs }) => nowMs - beganMs <= HOUR_MS);
    const recent = this.#recent?.reading(nowMs, HOUR_MS) ?? NO_RECENT;
    return mergeSketches([
      { ...NO_SKETCH, seed: this.#seed, hot, recent },
      ...periods.map((period) => ({
        ...{ total: period.total, others: period.others, spanMs: nowMs - period.beganMs },
        ...{ rate: period.rate, seed: this.#seed, hot: period.hot, visits: period.visits(nowMs), recent: NO_RECENT },
      })),
    ]);
  }

  #periodAt(nowMs: number): SamplePeriod {
    const last = this.#periods.at(-1);
    if (last !== undefined && nowMs - last.beganMs < PERIOD_MS) return last;
    last?.end();
    const next = new SamplePeriod(nowMs, last?.nextRate ?? 1, this.#seed);
    this.#periods = [...this.#periods.slice(1 - MOST_PERIODS), next];
    return next;
  }
}
