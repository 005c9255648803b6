// Plays the last requests of a sketch, all of them, under the bound on load of some fleets: that depends on what is in
// flight at the same time, which a sample does not tell.

import type { SeatId } from '../ring/ring.ts';
import { Player } from '../what-if/player.ts';
import type { LoggedRequest, RingSize, Scenario, SeatWork, Situation } from '../what-if/scenario.ts';
import type { RecentReading } from './reading.ts';
import type { Fleet } from './sketch-scenario.ts';

/** What the last requests were to a seat. */
export interface SeatLoad {
  readonly meanInFlight: number;
  readonly peakInFlight: number;
  /** Requests that belonged to it and went elsewhere, as it was full by the bound; as a part of all, 0 … 1. */
  readonly spilled: number;
  /** By how much the bound changes its share of all requests, -1 … 1. */
  readonly shift: number;
}

export interface Loads {
  readonly requests: number;
  readonly spanMs: number;
  readonly bySeat: ReadonlyMap<Fleet, ReadonlyMap<SeatId, SeatLoad>>;
}

/** Requests that are played at most, over all fleets. */
const MOST_PLAYS = 131_072;
const STEP = 256;
const NO_SIZES = new Float64Array(0);

/** Yields after each step. */
export function* playRecent(recent: RecentReading, fleets: readonly Fleet[], size: RingSize): Generator<void, Loads> {
  const requests = inOrder(recent, Math.floor(MOST_PLAYS / (2 * fleets.length)));
  yield;
  // They are in order, and the first one was at 0.
  const spanMs = requests.at(-1)?.startMs ?? 0;
  const bySeat = new Map<Fleet, ReadonlyMap<SeatId, SeatLoad>>();
  // One after the other, since each ring takes a while and each fleet some memory.
  for (const fleet of fleets) {
    const free = yield* workOf(situationOf(fleet, Number.POSITIVE_INFINITY), requests, size);
    const isFree = fleet.factor === Number.POSITIVE_INFINITY;
    const bounded = isFree ? free : yield* workOf(situationOf(fleet, fleet.factor), requests, size);
    bySeat.set(fleet, loadsOf(bounded, free, requests.length, spanMs));
  }
  return { requests: requests.length, spanMs, bySeat };
}

// What each seat has to do. Of hits nothing is asked here.
function* workOf(
  situation: Situation,
  requests: readonly LoggedRequest[],
  size: RingSize,
): Generator<void, readonly SeatWork[]> {
  const player = new Player([situation], { ...size, cacheBytes: [], sizes: NO_SIZES, mostEntries: 4096 });
  yield;
  for (const [at, request] of requests.entries()) {
    player.play(request);
    if (at % STEP === 0) yield;
  }
  return (player.scenarios[0] as Scenario).work;
}

function situationOf({ name, hash, floor, places }: Fleet, factor: number): Situation {
  const seats = [...new Set(places.values())].sort((a, b) => a - b);
  return { name, hash, factor, floor, fleets: [{ fromMs: Number.NEGATIVE_INFINITY, seats, places }] };
}

/** @param free what there is to do without a bound. */
function loadsOf(
  bounded: readonly SeatWork[],
  free: readonly SeatWork[],
  requests: number,
  spanMs: number,
): Map<SeatId, SeatLoad> {
  const all = Math.max(1, requests);
  return new Map(
    bounded.map((work, row) => [
      work.seat,
      {
        ...{ meanInFlight: work.busyMs / Math.max(1, spanMs), peakInFlight: work.peakInFlight },
        ...{ spilled: work.spilled / all, shift: (work.requests - (free[row] as SeatWork).requests) / all },
      },
    ]),
  );
}

// The last ones, in the order in which they began. Before a time, some of them are not there.
function inOrder({ keys, keyed, agoMs, tookMs, wholeMs }: RecentReading, most: number): LoggedRequest[] {
  const rows = Uint32Array.from(agoMs.keys()).filter((row) => (agoMs[row] as number) <= wholeMs);
  const last = [...rows.sort((a, b) => (agoMs[b] as number) - (agoMs[a] as number)).subarray(-most)];
  const firstMs = agoMs[last[0] ?? 0] ?? 0;
  return last.map((row) => {
    const startMs = firstMs - (agoMs[row] as number);
    return {
      ...{ startMs, endMs: startMs + (tookMs[row] as number), key: keys[row] as number, isKeyed: keyed[row] === 1 },
      ...{ object: keys[row] as number, sizeBytes: 1, seat: undefined, label: '' },
    };
  });
}
