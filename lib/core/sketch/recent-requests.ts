// The last requests that ended, all of them, with how long their replica had them: what the bound on load is played on,
// since that depends on what is in flight at the same time. A ring of a fixed size.

import type { Key } from '../ring/policy.ts';
import { gather, type RecentReading } from './reading.ts';

export const MOST_RECENT = 8192;

export class RecentRequests {
  readonly #keys = new Uint32Array(MOST_RECENT);
  readonly #keyed = new Uint8Array(MOST_RECENT);
  readonly #startMs = new Float64Array(MOST_RECENT);
  readonly #tookMs = new Float32Array(MOST_RECENT);
  #ended = 0;
  #sinceMs = Number.NEGATIVE_INFINITY;

  /** To be called in the order in which they end. */
  end(key: Key, isKeyed: boolean, startMs: number, tookMs: number): void {
    const at = this.#ended % MOST_RECENT;
    // What ended before this one began before it ended, too.
    if (this.#ended >= MOST_RECENT) this.#sinceMs = (this.#startMs[at] as number) + (this.#tookMs[at] as number);
    this.#ended += 1;
    this.#keys[at] = key;
    this.#keyed[at] = Number(isKeyed);
    this.#startMs[at] = startMs;
    this.#tookMs[at] = tookMs;
  }

  /** Of those that began no longer ago than that. */
  reading(nowMs: number, mostAgoMs: number): RecentReading {
    const rows = this.#rowsSince(nowMs - mostAgoMs);
    const size = rows.length;
    return {
      keys: gather(new Uint32Array(size), this.#keys, rows),
      keyed: gather(new Uint8Array(size), this.#keyed, rows),
      agoMs: gather(new Float64Array(size), this.#startMs, rows).map((startMs) => nowMs - startMs),
      tookMs: gather(new Float32Array(size), this.#tookMs, rows),
      wholeMs: Math.min(mostAgoMs, nowMs - this.#sinceMs),
    };
  }

  // In the order in which they ended.
  #rowsSince(sinceMs: number): Uint32Array {
    const kept = Math.min(this.#ended, MOST_RECENT);
    const rows = new Uint32Array(kept);
    let size = 0;
    for (let number = this.#ended - kept; number < this.#ended; number++) {
      const row = number % MOST_RECENT;
      if ((this.#startMs[row] as number) >= sinceMs) rows[size++] = row;
    }
    return rows.subarray(0, size);
  }
}
