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

/** Yields after each step. */
export function* playRecent(recent: RecentReading, fleets: readonly Fleet[], size: RingSize): Generator<void, Loads> {
  // Each under its bound, and without one.
  const situations = fleets.flatMap((fleet) => [situationOf(fleet, fleet.factor), situationOf(fleet, Infinity)]);
  // Of hits nothing is asked here.
  const player = new Player(situations, { ...size, cacheBytes: [1], mostEntries: 4096 });
  yield;
  const requests = inOrder(recent, Math.floor(MOST_PLAYS / situations.length));
  for (const [at, request] of requests.entries()) {
    player.play(request);
    if ((at * situations.length) % STEP < situations.length) yield;
  }
  const spanMs = player.lastMs - player.timeline.startMs;
  const workOf = (at: number) => (player.scenarios[at] as Scenario).work;
  return {
    requests: player.requests,
    spanMs: player.requests === 0 ? 0 : spanMs,
    bySeat: new Map(
      fleets.map((fleet, at) => [fleet, loadsOf(workOf(2 * at), workOf(2 * at + 1), player.requests, spanMs)]),
    ),
  };
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
