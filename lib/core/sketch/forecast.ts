// What a sketch of the last hour says of fleets that there could be: it is played in steps, so that whoever has other
// things to do may do them in between, and in bounded work however large the sketch is.

import type { Key } from '../ring/policy.ts';
import type { SeatId } from '../ring/ring.ts';
import { movesBetween } from '../ring/ring-view.ts';
import type { HitRatio } from '../what-if/hit-curve.ts';
import type { Estimate } from '../what-if/key-sample.ts';
import { errorOfPart, GROUPS, groupOf, samplePoint } from '../what-if/sampling.ts';
import type { RingSize } from '../what-if/scenario.ts';
import { playRecent, type SeatLoad } from './load-forecast.ts';
import { mergeSketches, type SketchReading } from './reading.ts';
import { Repeats } from './repeats.ts';
import { type Fleet, INTERVALS, partsOf, type SeatForecast, SketchScenario, type Totals } from './sketch-scenario.ts';

/** Visits that are played at most, over all fleets. */
export const MOST_PLAYS = 2 ** 19;
/** So many are played in a step: about a millisecond. */
const STEP = 512;
// Keys with less than this part of the requests are left to the sample.
const COUNTED_PART = 1 / 512;
// For each seat, that the fullest one may be told from one that is full by chance.
const LEAST_KEYS = 30;

export interface ForecastSettings extends RingSize {
  readonly cacheBytes: readonly number[];
  /** How large everything is that is cached; `undefined`: as large as the replies. */
  readonly objectBytes: number | undefined;
}

export interface SituationForecast {
  readonly name: Fleet['name'];
  readonly hash: string;
  /** `null` for no bound. */
  readonly factor: number | null;
  readonly floor: number;
  readonly replicas: number;
  /** The largest ratio of a share to what it should be; `null` if too few keys are in the sample to tell. */
  readonly maxOverMean: number | null;
  readonly peakPerSecond: number;
  /** The part of the last requests that went past their owners; `null` if that was not played. */
  readonly spill: number | null;
  readonly hits: readonly HitRatio[];
  readonly seats: readonly (SeatForecast & { readonly load: SeatLoad | null })[];
}

export interface Forecast {
  readonly keyed: number;
  readonly others: number;
  readonly spanMs: number;
  readonly sampleRate: number;
  readonly keys: Estimate;
  /** How many of them are in the sample. */
  readonly sampledKeys: number;
  /** The last requests, on which load is played. */
  readonly recent: { readonly requests: number; readonly spanMs: number };
  readonly situations: readonly SituationForecast[];
  /** From the first fleet to the second. */
  readonly moved: {
    /** The part of the slots; `null` if the hash is another. */
    readonly ring: number | null;
    /** Parts of the requests with a key, and of the keys; `null` if none came. */
    readonly requests: Estimate | null;
    readonly keys: Estimate | null;
  };
  readonly hotKeys: readonly HotKey[];
}

export interface HotKey {
  readonly key: Key;
  /** The part of the requests with a key: at most, and at least. */
  readonly most: number;
  readonly least: number;
  /** Whose it is in the first fleet, and in the second. */
  readonly owner: SeatId;
  readonly next: SeatId;
  /** More than a fair part of one replica of the second fleet: no ring can spread it, since a key has one owner. */
  readonly exceedsPart: boolean;
}

/** @param fleets the fleet as it is, the one to compare with, and others. Yields after each step. */
export function* forecast(
  whole: SketchReading,
  fleets: readonly [Fleet, Fleet, ...Fleet[]],
  settings: ForecastSettings,
): Generator<void, Forecast> {
  const sketch = mergeSketches([whole], Math.floor(MOST_PLAYS / fleets.length));
  const totals = totalsOf(sketch);
  const sizes = sizesAround(settings.cacheBytes);
  const scenarios: SketchScenario[] = [];
  for (const fleet of fleets) {
    scenarios.push(new SketchScenario(fleet, settings, sizes));
    yield;
  }
  const [now, then] = scenarios as [SketchScenario, SketchScenario];
  const moves = new MovedKeys(now, then);
  const { keys, agoMs, lastsMs, counts, sizes: replies } = sketch.visits;
  const unknown = meanSize(replies);
  const sizeAt = (at: number) => settings.objectBytes ?? Math.round((replies[at] as number) || unknown);
  const repeats = new Repeats(sketch.visits, sizeAt);
  yield;
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at] as number;
    const count = counts[at] as number;
    const visit = {
      ...{ key, count, sizeBytes: sizeAt(at), between: repeats.between(agoMs[at] as number, count) },
      ...{ point: samplePoint(key, sketch.seed), rate: sketch.rate },
      ...timesOf(agoMs[at] as number, lastsMs[at] as number, totals),
      isHot: totals.hot.has(key),
    };
    for (const scenario of scenarios) scenario.play(visit);
    moves.count(key, visit.point, visit.isHot ? 0 : count);
    if ((at * scenarios.length) % STEP < scenarios.length) yield;
  }
  const played = fleets.filter(({ name }) => name !== 'sized');
  const loads = yield* playRecent(sketch.recent, played, settings);
  const known = { ...totals, sampledKeys: moves.sampledKeys(totals) };
  const situations: SituationForecast[] = [];
  for (const scenario of scenarios) {
    situations.push(situationOf(scenario, known, settings.cacheBytes, loads.bySeat.get(scenario.fleet)));
    yield;
  }
  return {
    ...{ keyed: sketch.total, others: sketch.others, spanMs: sketch.spanMs, sampleRate: sketch.rate },
    ...{ keys: moves.keys(sketch.rate), sampledKeys: moves.sampled },
    recent: { requests: loads.requests, spanMs: loads.spanMs },
    situations,
    moved: moves.moved(known),
    hotKeys: hotKeysOf(sketch, now, then),
  };
}

type TotalsBefore = Omit<Totals, 'sampledKeys'>;

function totalsOf({ total, others, rate, spanMs, hot, visits }: SketchReading): TotalsBefore {
  const least = hot.keys.map(({ key, count, error }) => [key, count - error] as const);
  // If all keys are in the sample there is nothing to be made good.
  const longest = visits.lastsMs.reduce((most, one) => Math.max(most, one), 0);
  const counted = rate === 1 ? [] : least.filter(([, count]) => count > COUNTED_PART * total);
  return {
    ...{ keyed: total, others, rate, spanMs, hot: new Map(counted) },
    // Attempts are counted with the hot keys, so these may be more than all requests.
    rest: Math.max(0, total - counted.reduce((sum, [, count]) => sum + count, 0)),
    // No visit is in more than two of them.
    intervalMs: Math.max(1000, spanMs / INTERVALS, longest),
  };
}

function timesOf(agoMs: number, lastsMs: number, { spanMs, intervalMs }: TotalsBefore) {
  const began = Math.max(0, spanMs - agoMs) / intervalMs;
  const interval = Math.min(INTERVALS - 1, Math.floor(began));
  const beyond = began + lastsMs / intervalMs - (interval + 1);
  const isLast = interval === INTERVALS - 1 || lastsMs === 0;
  return { interval, nextPart: isLast ? 0 : Math.min(1, Math.max(0, (beyond * intervalMs) / lastsMs)) };
}

// Those that are asked for, and half an octave to both sides, which say how fast hits rise there.
function sizesAround(asked: readonly number[]): Float64Array {
  return Float64Array.from(new Set(asked.flatMap((size) => [size / Math.SQRT2, size, size * Math.SQRT2]))).sort();
}

function meanSize(sizes: Float64Array): number {
  const known = sizes.filter((size) => size > 0);
  return known.length === 0 ? 1 : Math.max(1, known.reduce((sum, size) => sum + size, 0) / known.length);
}

function situationOf(
  scenario: SketchScenario,
  totals: Totals,
  cacheBytes: readonly number[],
  loads: ReadonlyMap<SeatId, SeatLoad> | undefined,
): SituationForecast {
  const { name, hash, factor, floor } = scenario.fleet;
  const { seats: owned, hits } = scenario.forecast(totals, cacheBytes);
  const seats = owned.map((one) => {
    const load = loads?.get(one.seat) ?? null;
    // What the bound does to the last requests, it does to all.
    const value = Math.min(1, Math.max(0, one.share.value + (load?.shift ?? 0)));
    return { ...one, share: { ...one.share, value }, load };
  });
  const weights = seats.reduce((sum, { weight }) => sum + weight, 0);
  const isKnown = totals.rate === 1 || totals.sampledKeys >= LEAST_KEYS * seats.length;
  return {
    ...{ name, hash: hash.name, floor, hits, seats, replicas: seats.length },
    factor: factor === Number.POSITIVE_INFINITY ? null : factor,
    maxOverMean: isKnown ? Math.max(...seats.map(({ share, weight }) => (share.value * weights) / weight)) : null,
    peakPerSecond: Math.max(...seats.map((one) => one.peakPerSecond)),
    spill: loads === undefined ? null : seats.reduce((sum, { load }) => sum + (load as SeatLoad).spilled, 0),
  };
}

// Which keys have another owner in the second fleet.
class MovedKeys {
  readonly #now: SketchScenario;
  readonly #then: SketchScenario;
  readonly #seen = new Map<Key, boolean>();
  readonly #stay = new Float64Array(GROUPS);
  readonly #move = new Float64Array(GROUPS);

  constructor(now: SketchScenario, then: SketchScenario) {
    this.#now = now;
    this.#then = then;
  }

  count(key: Key, point: number, requests: number): void {
    let moves = this.#seen.get(key);
    if (moves === undefined) {
      moves = this.#moves(key);
      this.#seen.set(key, moves);
    }
    const counts = moves ? this.#move : this.#stay;
    counts[groupOf(point)] = (counts[groupOf(point)] as number) + requests;
  }

  get sampled(): number {
    return this.#seen.size;
  }

  /** Those that are not counted apart. */
  sampledKeys({ hot }: TotalsBefore): number {
    return this.#seen.size - [...hot.keys()].filter((key) => this.#seen.has(key)).length;
  }

  keys(rate: number): Estimate {
    const value = this.#seen.size / rate;
    return { value, error: 1.96 * Math.sqrt((value * (1 - rate)) / rate) };
  }

  moved({ keyed, rest, rate, hot, sampledKeys }: Totals): Forecast['moved'] {
    const [part] = partsOf([this.#move, this.#stay], rate, sampledKeys) as [Estimate, Estimate];
    const ofHot = [...hot].reduce((sum, [key, count]) => sum + Number(this.#moves(key)) * count, 0);
    const of = (amount: number) => Math.min(1, amount / Math.max(1, keyed));
    const { size } = this.#seen;
    const found = [...this.#seen.values()].filter((moves) => moves).length;
    const isSame = this.#now.fleet.hash.pair === this.#then.fleet.hash.pair;
    return {
      ring: isSame ? movesBetween(this.#now.policy.ring, this.#then.policy.ring).reduce(sumOfFractions, 0) : null,
      requests: size === 0 ? null : { value: of(ofHot + rest * part.value), error: of(rest * part.error) },
      keys: size === 0 ? null : { value: found / size, error: errorOfPart(found, size, rate) },
    };
  }

  #moves(key: Key): boolean {
    return this.#now.ownerOf(key) !== this.#then.ownerOf(key);
  }
}

function sumOfFractions(sum: number, { fraction }: { readonly fraction: number }): number {
  return sum + fraction;
}

function hotKeysOf({ hot, total }: SketchReading, now: SketchScenario, then: SketchScenario): HotKey[] {
  const all = Math.max(1, total);
  const fair = 1 / new Set(then.fleet.places.values()).size;
  return hot.keys
    .map(({ key, count, error }) => ({
      ...{ key, most: Math.min(1, count / all), least: Math.min(1, (count - error) / all) },
      ...{ owner: now.ownerOf(key), next: then.ownerOf(key), exceedsPart: (count - error) / all > fair },
    }))
    .filter(({ least }) => least > 0.25 * fair)
    .slice(0, 20);
}
