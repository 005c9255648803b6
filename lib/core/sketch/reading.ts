// What a sketch of the keys has, as plain data that survives structuredClone. Readings of several periods or of several
// threads are put together, at the lowest rate of their samples.

import { type HotKeysReading, mergeHotKeys } from '../traffic/hot-keys.ts';
import { SampleRate, samplePoint } from '../what-if/sampling.ts';

/** Times are told by how long ago they were, since threads have clocks of their own. */
export interface SketchReading {
  /** Requests with a key, and those without one, of the last hour. */
  readonly total: number;
  readonly others: number;
  /** How long ago the first of them was; 0 if there was none. */
  readonly spanMs: number;
  /** The part of all keys that are in the sample, and by which points. */
  readonly rate: number;
  readonly seed: number;
  readonly hot: HotKeysReading;
  /** In the order in which they came. */
  readonly visits: VisitColumns;
  readonly recent: RecentReading;
}

/** A row for each visit: the requests for one key that one seat got within a second, or some. */
export interface VisitColumns {
  readonly keys: Uint32Array;
  /** When it began. */
  readonly agoMs: Float64Array;
  /** How long it is, whether or not requests came all the time. */
  readonly lastsMs: Uint16Array;
  readonly seats: Uint16Array;
  readonly counts: Uint32Array;
  /** The largest reply for the key, 0 if none is known. */
  readonly sizes: Float64Array;
}

/** A row for each request, in the order in which they ended. */
export interface RecentReading {
  readonly keys: Uint32Array;
  /** 1: it had a key; 0: it went by its id. */
  readonly keyed: Uint8Array;
  /** How long ago its replica got it, and how long it had it. */
  readonly agoMs: Float64Array;
  readonly tookMs: Float32Array;
  /** Every request that began no longer ago than this, and is over, is there; Infinity if there was none. */
  readonly wholeMs: number;
}

/** Visits that are put together at most. */
export const MOST_TOGETHER = 65_536;

export const NO_VISITS: VisitColumns = {
  keys: new Uint32Array(0),
  agoMs: new Float64Array(0),
  lastsMs: new Uint16Array(0),
  seats: new Uint16Array(0),
  counts: new Uint32Array(0),
  sizes: new Float64Array(0),
};

export const NO_RECENT: RecentReading = {
  keys: new Uint32Array(0),
  keyed: new Uint8Array(0),
  agoMs: new Float64Array(0),
  tookMs: new Float32Array(0),
  wholeMs: Number.POSITIVE_INFINITY,
};

export const NO_SKETCH: SketchReading = {
  ...{ total: 0, others: 0, spanMs: 0, rate: 1, seed: 0 },
  ...{ hot: { total: 0, keys: [] }, visits: NO_VISITS, recent: NO_RECENT },
};

/** All of one seed. */
export function mergeSketches(readings: readonly SketchReading[], most = MOST_TOGETHER): SketchReading {
  const [only, second] = readings;
  if (only !== undefined && second === undefined && only.visits.keys.length <= most) return only;
  const sample = new SampleRate(Math.min(1, ...readings.map(({ rate }) => rate)));
  const seed = only?.seed ?? 0;
  const kept = () => readings.map(({ visits }) => rowsWithin(visits, sample, seed));
  const sizeOf = (rows: readonly Uint32Array[]) => rows.reduce((sum, { length }) => sum + length, 0);
  let rows = kept();
  while (sizeOf(rows) > most) {
    sample.halve();
    rows = kept();
  }
  return {
    total: readings.reduce((sum, { total }) => sum + total, 0),
    others: readings.reduce((sum, { others }) => sum + others, 0),
    spanMs: Math.max(0, ...readings.map(({ spanMs }) => spanMs)),
    ...{ rate: sample.rate, seed },
    hot: readings.map(({ hot }) => hot).reduce(mergeHotKeys, NO_SKETCH.hot),
    visits: readings.map(({ visits }, at) => pick(visits, rows[at] as Uint32Array)).reduce(inOrder, NO_VISITS),
    recent: readings.map(({ recent }) => recent).reduce(together, NO_RECENT),
  };
}

function rowsWithin({ keys }: VisitColumns, sample: SampleRate, seed: number): Uint32Array {
  const rows = new Uint32Array(keys.length);
  let size = 0;
  for (let row = 0; row < keys.length; row++) {
    if (sample.has(samplePoint(keys[row] as number, seed))) rows[size++] = row;
  }
  return rows.subarray(0, size);
}

function pick({ keys, agoMs, lastsMs, seats, counts, sizes }: VisitColumns, rows: Uint32Array): VisitColumns {
  const { length } = rows;
  return {
    keys: gather(new Uint32Array(length), keys, rows),
    agoMs: gather(new Float64Array(length), agoMs, rows),
    lastsMs: gather(new Uint16Array(length), lastsMs, rows),
    seats: gather(new Uint16Array(length), seats, rows),
    counts: gather(new Uint32Array(length), counts, rows),
    sizes: gather(new Float64Array(length), sizes, rows),
  };
}

/** The values of those rows. A loop, since that is ten times as fast as an iterator, and requests wait meanwhile. */
export function gather<T extends NumberCells>(into: T, from: T, rows: Uint32Array | Uint16Array): T {
  for (let at = 0; at < rows.length; at++) into[at] = from[rows[at] as number] as number;
  return into;
}

interface NumberCells {
  [at: number]: number;
}

// Both are in order.
function inOrder(one: VisitColumns, other: VisitColumns): VisitColumns {
  const both = joined(one, other);
  const { length } = one.keys;
  // So are most, which are periods of one sketch.
  if ((one.agoMs[length - 1] ?? Number.POSITIVE_INFINITY) >= (other.agoMs[0] ?? Number.NEGATIVE_INFINITY)) return both;
  const order = new Uint32Array(both.keys.length);
  let [left, right] = [0, length];
  for (let at = 0; at < order.length; at++) {
    const isLeft =
      right === order.length || (left < length && (both.agoMs[left] as number) >= (both.agoMs[right] as number));
    order[at] = isLeft ? left++ : right++;
  }
  return pick(both, order);
}

function joined(one: VisitColumns, other: VisitColumns): VisitColumns {
  return {
    keys: join(Uint32Array, one.keys, other.keys),
    agoMs: join(Float64Array, one.agoMs, other.agoMs),
    lastsMs: join(Uint16Array, one.lastsMs, other.lastsMs),
    seats: join(Uint16Array, one.seats, other.seats),
    counts: join(Uint32Array, one.counts, other.counts),
    sizes: join(Float64Array, one.sizes, other.sizes),
  };
}

function together(one: RecentReading, other: RecentReading): RecentReading {
  return {
    keys: join(Uint32Array, one.keys, other.keys),
    keyed: join(Uint8Array, one.keyed, other.keyed),
    agoMs: join(Float64Array, one.agoMs, other.agoMs),
    tookMs: join(Float32Array, one.tookMs, other.tookMs),
    wholeMs: Math.min(one.wholeMs, other.wholeMs),
  };
}

interface Column {
  readonly length: number;
  set(from: ArrayLike<number>, at: number): void;
}

function join<T extends Column & ArrayLike<number>>(Kind: new (length: number) => T, one: T, other: T): T {
  const both = new Kind(one.length + other.length);
  both.set(one, 0);
  both.set(other, one.length);
  return both;
}
