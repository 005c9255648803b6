// What a play has shown, as plain data.

import type { Key, RingPolicy } from '../ring/policy.ts';
import type { SeatId } from '../ring/ring.ts';
import { movesBetween } from '../ring/ring-view.ts';
import { HitCurve, type HitRatio } from './hit-curve.ts';
import type { Estimate } from './key-sample.ts';
import type { Agreement, Player } from './player.ts';
import type { FleetAt, Scenario } from './scenario.ts';

export interface SeatPrediction {
  readonly seat: SeatId;
  readonly requests: number;
  /** The part of all requests, 0 … 1. */
  readonly share: number;
  readonly bytes: number;
  /** In the busiest interval. */
  readonly peakPerSecond: number;
  readonly meanInFlight: number;
  readonly peakInFlight: number;
  /** Requests that belonged to it and went elsewhere, as it was full by the bound. */
  readonly spilled: number;
  /** For each asked cache size. */
  readonly hits: readonly HitRatio[];
}

export interface SituationPrediction {
  readonly name: string;
  readonly hash: string;
  /** `null` for no bound. */
  readonly factor: number | null;
  readonly floor: number;
  /** How many seats there are at last. */
  readonly replicas: number;
  readonly seats: readonly SeatPrediction[];
  /** Requests of the busiest seat over the mean. */
  readonly maxOverMean: number;
  readonly peakPerSecond: number;
  readonly peakInFlight: number;
  /** The part of the requests that went past their owners, 0 … 1. */
  readonly spill: number;
  /** Of all seats together, for each asked cache size of one seat. */
  readonly hits: readonly HitRatio[];
  /** Of all seats together, for many cache sizes of one seat. */
  readonly curve: readonly HitRatio[];
  /** Requests a second in each interval, and the part that missed the first asked cache; a row for each seat. */
  readonly perSecond: readonly (readonly number[])[];
  readonly missRatio: readonly (readonly number[])[];
}

/** What moves between two fleets. */
export interface Moved {
  readonly from: string;
  readonly to: string;
  /** The part of the ring's slots. */
  readonly ring: number;
  /** The part of the requests. */
  readonly requests: number;
  /** The part of the keys that came. */
  readonly keys: Estimate;
}

export interface HotKey {
  readonly key: Key;
  readonly label: string | undefined;
  /** The part of all requests, 0 … 1: at most, and at least. */
  readonly most: number;
  readonly least: number;
  /** More than a fair part of one replica: no ring can spread it, since a key has one owner. */
  readonly exceedsPart: boolean;
}

export interface Prediction {
  readonly requests: number;
  readonly keyed: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly intervalMs: number;
  readonly keys: Estimate;
  readonly sampleRate: number;
  readonly cutShort: number;
  readonly agreement: Agreement;
  readonly situations: readonly SituationPrediction[];
  /** At each change of the first situation, then from its last fleet to the second situation. */
  readonly moved: readonly Moved[];
  readonly hotKeys: readonly HotKey[];
}

export function predictionOf(player: Player, cacheBytes: readonly number[]): Prediction {
  const { timeline, keys } = player;
  const [now, then = now] = player.scenarios;
  const replicas = then === undefined ? 1 : replicasOf(then);
  return {
    requests: player.requests,
    keyed: player.keyed,
    fromMs: timeline.startMs,
    toMs: player.lastMs,
    intervalMs: timeline.widthMs,
    keys: keys.keys,
    sampleRate: player.rate,
    cutShort: player.cutShort,
    agreement: player.agreement,
    situations: player.scenarios.map((scenario) => situationOf(scenario, player, cacheBytes)),
    moved: movesOf(player, now, then),
    hotKeys: hotKeysOf(player, replicas),
  };
}

function replicasOf({ situation }: Scenario): number {
  return (situation.fleets.at(-1) as FleetAt).seats.length;
}

function situationOf(scenario: Scenario, player: Player, cacheBytes: readonly number[]): SituationPrediction {
  const { situation, work, series, misses } = scenario;
  const { intervals, widthMs } = player.timeline;
  const total = Math.max(
    1,
    work.reduce((sum, { requests }) => sum + requests, 0),
  );
  const spanMs = Math.max(1, player.lastMs - player.timeline.startMs);
  const asked = (ratios: readonly HitRatio[]) =>
    cacheBytes.map((size) => ratios[player.sizes.indexOf(size)] as HitRatio);
  const perSecond = series.rows.map((row) =>
    Array.from(row.subarray(0, intervals), (count) => (1000 * count) / widthMs),
  );
  const seats = work.map(
    ({ seat, requests, bytes, busyMs, peakInFlight, spilled, curve }, row): SeatPrediction => ({
      ...{ seat, requests, bytes, peakInFlight, spilled },
      share: requests / total,
      peakPerSecond: Math.max(0, ...(perSecond[row] as number[])),
      meanInFlight: busyMs / spanMs,
      hits: asked(curve.readings(player.rate)),
    }),
  );
  const curve = HitCurve.together(
    work.map((one) => one.curve),
    player.rate,
  );
  return {
    ...{ name: situation.name, hash: situation.hash.name, floor: situation.floor, seats, perSecond, curve },
    factor: situation.factor === Number.POSITIVE_INFINITY ? null : situation.factor,
    replicas: replicasOf(scenario),
    maxOverMean: Math.max(0, ...seats.map(({ share }) => share)) * seats.length,
    peakPerSecond: Math.max(0, ...seats.map((one) => one.peakPerSecond)),
    peakInFlight: Math.max(0, ...seats.map((one) => one.peakInFlight)),
    spill: seats.reduce((sum, { spilled }) => sum + spilled, 0) / total,
    hits: asked(curve),
    missRatio: misses.rows.map((row, at) =>
      Array.from(
        row.subarray(0, intervals),
        (missed, interval) => missed / Math.max(1, (series.rows[at] as Float64Array)[interval] as number),
      ),
    ),
  };
}

function movesOf(player: Player, now: Scenario | undefined, then: Scenario | undefined): Moved[] {
  if (now === undefined || then === undefined) return [];
  const fleets = [...namedPolicies(now), ...(then === now ? [] : namedPolicies(then).slice(0, 1))];
  return fleets.slice(1).map((to, index) => movedBetween(player, fleets[index] as NamedPolicy, to));
}

interface NamedPolicy {
  readonly name: string;
  readonly policy: RingPolicy;
}

function namedPolicies({ situation, policies }: Scenario): NamedPolicy[] {
  return policies.map((policy, at) => ({ name: seatsText((situation.fleets[at] as FleetAt).seats), policy }));
}

// Both go by the same hash, so a key has one slot.
function movedBetween({ slotRequests, keys }: Player, from: NamedPolicy, to: NamedPolicy): Moved {
  const moves = (slot: number) => from.policy.ring.owner(slot) !== to.policy.ring.owner(slot);
  const all = slotRequests.reduce((sum, count) => sum + count, 0);
  const moved = slotRequests.reduce((sum, count, slot) => sum + (moves(slot) ? count : 0), 0);
  return {
    from: from.name,
    to: to.name,
    ring: movesBetween(from.policy.ring, to.policy.ring).reduce((sum, { fraction }) => sum + fraction, 0),
    requests: moved / Math.max(1, all),
    keys: keys.part((key) => moves(from.policy.slotOf(key))),
  };
}

/** Seats as a person writes them: `1-4,7`. */
export function seatsText(seats: readonly SeatId[]): string {
  const runs: [SeatId, SeatId][] = [];
  for (const seat of seats) {
    const last = runs.at(-1);
    if (last !== undefined && seat === last[1] + 1) last[1] = seat;
    else runs.push([seat, seat]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}

function hotKeysOf(player: Player, replicas: number): HotKey[] {
  const all = Math.max(1, player.requests);
  return player.hotKeys.reading.keys
    .map(({ key, count, error }) => ({
      ...{ key, label: player.labelOf(key) },
      most: count / all,
      least: (count - error) / all,
      exceedsPart: (count - error) / all > 1 / Math.max(1, replicas),
    }))
    .filter(({ least }) => least > 0.25 / Math.max(1, replicas));
}
