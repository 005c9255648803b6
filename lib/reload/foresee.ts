// What a reload would do to the fleet and to the keys, without doing it.

import { isDeepStrictEqual } from 'node:util';
import { type FleetState, hostnameIn, placement } from '../core/fleet/fleet-state.ts';
import { goesByRequestId } from '../core/request/key-source.ts';
import { buildRing, type HashPair } from '../core/ring/hashes/hash-pair.ts';
import { type RingPolicy, ringPolicy } from '../core/ring/policy.ts';
import type { SeatId } from '../core/ring/ring.ts';
import { movesBetween } from '../core/ring/ring-view.ts';
import { loadHashPair } from '../settings/hash-source.ts';
import type { Options } from '../settings/options.ts';
import { fleetChange, type MemberPorts } from './members.ts';
import type { Current } from './taker.ts';

export interface Foreseen {
  /** The part of the keys that would go elsewhere; `null` if requests would have other keys. */
  readonly moved: number | null;
  /** Hostnames of replicas that would be started, or services that would be added. */
  readonly joins: readonly string[];
  /** Hostnames of those that would leave. */
  readonly leaves: readonly string[];
  /** New weights by hostname. */
  readonly weights: Readonly<Record<string, number>>;
}

// As many as tell a part to within about a hundredth.
const SAMPLED_KEYS = 8192;

export function foreseer(ports: MemberPorts, current: Current): (next: Options, before: Options) => Promise<Foreseen> {
  return async (next, before) => {
    const pair = next.hash === before.hash ? current.pair : await loadHashPair(next);
    const change = fleetChange(ports, next, before);
    const [state, after] = [ports.state(), ports.imagine.changed(change)];
    const there = new Set(state.seats.map(({ replica }) => replica.seat));
    const name = (seat: SeatId) => hostnameIn(after, seat) ?? hostnameIn(state, seat) ?? '';
    const left = new Set(after.seats.map(({ replica }) => replica.seat));
    return {
      moved: isDeepStrictEqual(next.key, before.key)
        ? movedPart(policyOf(state, current.pair, before), policyOf(after, pair, next), pair === current.pair, next)
        : null,
      joins: [...left].filter((seat) => !there.has(seat)).map(name),
      leaves: [...there].filter((seat) => !left.has(seat)).map(name),
      weights: Object.fromEntries([...change.weights].map(([seat, weight]) => [name(seat), weight])),
    };
  };
}

function policyOf(state: FleetState, pair: HashPair, { slots, virtualNodes }: Options): RingPolicy {
  return ringPolicy(buildRing(placement(state), pair, slots, virtualNodes), pair);
}

// Of one pair exactly, by slots. Another pair has keys in other slots too, so keys are tried.
function movedPart(before: RingPolicy, after: RingPolicy, isSamePair: boolean, { key }: Options): number {
  if (isSamePair) return movesBetween(before.ring, after.ring).reduce((sum, { fraction }) => sum + fraction, 0);
  const byId = goesByRequestId(key);
  const keys = Array.from({ length: SAMPLED_KEYS }, (_, index) =>
    byId ? 100_000 + Math.floor((index * 900_000) / SAMPLED_KEYS) : Math.imul(index, 0x9e3779b1) >>> 0,
  );
  const anyone = () => true;
  return keys.filter((one) => before.pick(one, anyone) !== after.pick(one, anyone)).length / SAMPLED_KEYS;
}
