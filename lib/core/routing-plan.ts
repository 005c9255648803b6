// What the control plane tells the data plane, as one value: plain data that survives `structuredClone`, so that it can be given to
// another thread. A change of anything in it is a new plan. Nothing else of the control plane is known to a request.

import type { Route } from './fleet/fleet-state.ts';
import type { ReplicaRef } from './ports.ts';
import type { HashPair } from './ring/hashes/hash-pair.ts';
import type { HashName } from './ring/hashes/table.ts';
import { type RingPolicy, ringPolicy } from './ring/policy.ts';
import { HashRing, type SeatId } from './ring/ring.ts';
import type { TrafficSettings } from './traffic-settings.ts';

export interface RoutingPlan {
  /** Grows from plan to plan: the highest one holds. */
  readonly version: number;
  /** The hash pair: a name of the table, or the path of a module. */
  readonly hash: { readonly name: HashName } | { readonly path: string };
  /** M. */
  readonly slots: number;
  /** K. */
  readonly virtualNodes: number;
  readonly ring: PlannedRing;
  /** Replicas that may be routed to. */
  readonly routes: readonly Route[];
  /** Replicas that take no more requests but finish what they have. */
  readonly draining: readonly ReplicaRef[];
  /** Replicas that get no requests for now and may again; what they have goes on as if they did. */
  readonly resting: readonly ReplicaRef[];
  readonly outage: Outage;
  /** Of all seats, by what an explanation names them, also where no replica serves. */
  readonly hostnames: ReadonlyMap<SeatId, string>;
  readonly explain: ExplainRules;
  readonly traffic: TrafficSettings;
}

export interface PlannedRing {
  /** The same number, the same ring: nothing is to be made anew. */
  readonly version: number;
  /** Slot and seat of each virtual node in turn, by ascending slot. */
  readonly points: Uint32Array;
}

/** What keeps the other replicas from taking requests. */
export interface Outage {
  /** Why none takes requests; `undefined` if one does. */
  readonly whyNone: string | undefined;
  /** It may be over soon: worth a wait. */
  readonly mayEnd: boolean;
}

/** Who may be told of the fleet by `X-Ringmaster-Explain`. */
export interface ExplainRules {
  /** Without the token nothing is told. */
  readonly needsToken: boolean;
  /** `undefined` if there is none. */
  readonly token: string | undefined;
  readonly refusesProxied: boolean;
}

/** The policy that requests go by under that plan. @param pair the one that its `hash` names, loaded. */
export function compile({ ring, slots }: Pick<RoutingPlan, 'ring' | 'slots'>, pair: HashPair): RingPolicy {
  const points = Array.from({ length: ring.points.length / 2 }, (_, index) => ({
    slot: ring.points[2 * index] as number,
    seat: ring.points[2 * index + 1] as SeatId,
  }));
  return ringPolicy(new HashRing(points, slots), pair);
}

/** A ring as a plan has it. */
export function planned(ring: HashRing, version: number): PlannedRing {
  return { version, points: Uint32Array.from(ring.points.flatMap(({ slot, seat }) => [slot, seat])) };
}
