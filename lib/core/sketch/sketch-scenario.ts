// One fleet to which the visits of a sketch go, each to the owner of its key: what each seat would have had to do.
// Shares are put together of the keys that came most often, which are counted, and of the sample, which stands for all
// others. Without any request they are those of the ring.

import { buildRing } from '../ring/hashes/hash-pair.ts';
import { type Key, type RingPolicy, ringPolicy } from '../ring/policy.ts';
import { requestIdAt } from '../ring/request-ids.ts';
import type { SeatId } from '../ring/ring.ts';
import { HitCurve, type HitRatio } from '../what-if/hit-curve.ts';
import type { Estimate } from '../what-if/key-sample.ts';
import type { Bound } from '../what-if/placing.ts';
import { errorOfPart, errorOfSum, GROUPS, groupOf } from '../what-if/sampling.ts';
import type { NamedPair, RingSize } from '../what-if/scenario.ts';

/** A fleet that there could be. */
export interface Fleet extends Bound {
  readonly name: 'now' | 'then' | 'compared' | 'sized';
  readonly hash: NamedPair;
  /** Which seat holds each place; at least one. */
  readonly places: ReadonlyMap<number, SeatId>;
}

/** A visit, with what all fleets need of it. */
export interface PlayedVisit {
  readonly key: Key;
  readonly count: number;
  readonly sizeBytes: number;
  /** Bytes in the sample that came at all seats between its requests, in equally likely cases. */
  readonly between: readonly number[];
  /** Where its key lies in the sample, and the rate of that. */
  readonly point: number;
  readonly rate: number;
  /** In which it began, and which part of it was in the next one. */
  readonly interval: number;
  readonly nextPart: number;
  /** The key is counted apart. */
  readonly isHot: boolean;
}

/** What is known of all requests together. */
export interface Totals {
  readonly keyed: number;
  readonly others: number;
  readonly rate: number;
  readonly intervalMs: number;
  readonly spanMs: number;
  /** How often the keys that are counted apart came. */
  readonly hot: ReadonlyMap<Key, number>;
  /** Requests with a key that is not counted apart. */
  readonly rest: number;
  /** How many keys are in the sample and not counted apart. */
  readonly sampledKeys: number;
}

export interface SeatForecast {
  readonly seat: SeatId;
  readonly weight: number;
  /** The part of all requests, 0 … 1. */
  readonly share: Estimate;
  readonly perSecond: number;
  /** In the busiest interval. */
  readonly peakPerSecond: number;
  /** Of the requests with a key, for each asked cache size. */
  readonly hits: readonly HitRatio[];
}

export const INTERVALS = 120;
// So many ids are dealt to see whom requests without a key go to.
const DEALT_IDS = 4096;

export class SketchScenario {
  readonly fleet: Fleet;
  readonly policy: RingPolicy;
  readonly #seats: readonly SeatId[];
  readonly #rows: ReadonlyMap<SeatId, number>;
  readonly #curves: readonly HitCurve[];
  // Of all slots.
  readonly #parts: readonly number[];
  // Of keys that are not counted apart: requests in the sample, for each seat by groups.
  readonly #sampled: readonly Float64Array[];
  // Requests in the sample, for each seat by intervals.
  readonly #series: readonly Float64Array[];

  /** @param sizes of caches, ascending. */
  constructor(fleet: Fleet, { slots, virtualNodes }: RingSize, sizes: Float64Array) {
    this.fleet = fleet;
    const { pair } = fleet.hash;
    this.policy = ringPolicy(buildRing(fleet.places, pair, slots, virtualNodes), pair);
    this.#seats = [...new Set(fleet.places.values())].sort((a, b) => a - b);
    this.#rows = new Map(this.#seats.map((seat, row) => [seat, row]));
    const slotsOf = this.policy.ring.slotsPerSeat();
    this.#parts = this.#seats.map((seat) => (slotsOf.get(seat) ?? 0) / slots);
    this.#curves = this.#seats.map(() => new HitCurve(sizes));
    this.#sampled = this.#seats.map(() => new Float64Array(GROUPS));
    this.#series = this.#seats.map(() => new Float64Array(INTERVALS));
  }

  ownerOf(key: Key): SeatId {
    return this.policy.pick(key, anySeat) as SeatId;
  }

  play({ key, count, sizeBytes, between, point, rate, interval, nextPart, isHot }: PlayedVisit): void {
    const row = this.#rows.get(this.ownerOf(key)) as number;
    const curve = this.#curves[row] as HitCurve;
    curve.touch(key, point, sizeBytes, rate);
    if (count > 1) {
      const part = this.#parts[row] as number;
      const times = (count - 1) / between.length;
      for (const bytes of between) curve.again(times, point, sizeBytes + (bytes * part) / rate, rate);
    }
    if (!isHot) add(this.#sampled[row], groupOf(point), count);
    add(this.#series[row], interval, count * (1 - nextPart));
    if (nextPart > 0) add(this.#series[row], interval + 1, count * nextPart);
  }

  /** To be called once, at the end. */
  forecast(
    totals: Totals,
    cacheBytes: readonly number[],
  ): { readonly seats: SeatForecast[]; readonly hits: HitRatio[] } {
    const { rate } = totals;
    const all = totals.keyed + totals.others;
    const keyed = this.#keyedRequests(totals);
    const others = this.#otherRequests(totals);
    const weights = [...this.fleet.places.values()];
    const at = (ratios: readonly HitRatio[]) =>
      cacheBytes.map((size) => ratios.find((one) => one.cacheBytes === size) as HitRatio);
    for (const [row, curve] of this.#curves.entries()) curve.count((keyed[row] as Estimate).value);
    const seats = this.#seats.map((seat, row): SeatForecast => {
      const { value, error } = keyed[row] as Estimate;
      const requests = value + (others[row] as number);
      return {
        seat,
        weight: weights.filter((holder) => holder === seat).length,
        share:
          all === 0 ? { value: this.#parts[row] as number, error: 0 } : { value: requests / all, error: error / all },
        perSecond: (1000 * requests) / Math.max(1, totals.spanMs),
        peakPerSecond: this.#peakPerSecond(row, requests, totals),
        hits: at((this.#curves[row] as HitCurve).readings(rate)),
      };
    });
    return { seats, hits: at(HitCurve.together(this.#curves, rate)) };
  }

  #keyedRequests({ rest, hot, rate, sampledKeys }: Totals): Estimate[] {
    const counted = this.#seats.map(() => 0);
    for (const [key, count] of hot) {
      const row = this.#rows.get(this.ownerOf(key)) as number;
      counted[row] = (counted[row] as number) + count;
    }
    return partsOf(this.#sampled, rate, sampledKeys).map(({ value, error }, row) => ({
      value: (counted[row] as number) + rest * value,
      error: rest * error,
    }));
  }

  #otherRequests({ others }: Totals): number[] {
    const dealt = this.#seats.map(() => 0);
    if (others === 0) return dealt;
    for (let number = 0; number < DEALT_IDS; number++) {
      const row = this.#rows.get(this.ownerOf(requestIdAt(0, number))) as number;
      dealt[row] = (dealt[row] as number) + others / DEALT_IDS;
    }
    return dealt;
  }

  // The sample says when the requests of a seat came.
  #peakPerSecond(row: number, requests: number, { intervalMs }: Totals): number {
    const counts = this.#series[row] as Float64Array;
    const sampled = counts.reduce((sum, count) => sum + count, 0);
    return sampled === 0 ? 0 : (Math.max(...counts) / sampled) * requests * (1000 / intervalMs);
  }
}

/**
 * Which part of the sampled requests each row has, 0 … 1, given their counts by groups.
 * @param keys how many keys they were for: if few, groups may be equal by chance.
 */
export function partsOf(rows: readonly Float64Array[], rate: number, keys: number): Estimate[] {
  const groups = new Float64Array(GROUPS).map((_, group) => rows.reduce((sum, row) => sum + (row[group] as number), 0));
  const all = groups.reduce((sum, one) => sum + one, 0);
  if (all === 0) return rows.map(() => ({ value: 1 / rows.length, error: 1 - 1 / rows.length }));
  return rows.map((row) => {
    const value = row.reduce((sum, one) => sum + one, 0) / all;
    // Of a ratio: how far each group is from having that part of its own requests.
    const off = row.map((one, group) => one - value * (groups[group] as number));
    const error = Math.max(errorOfSum(off, rate) / all, errorOfPart(value * keys, keys, rate));
    return { value, error: Math.min(1, error) };
  });
}

function add(cells: Float64Array | undefined, at: number, amount: number): void {
  if (cells !== undefined) cells[at] = (cells[at] as number) + amount;
}

const anySeat = () => true;
