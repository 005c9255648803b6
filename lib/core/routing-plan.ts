// A plan is everything that the control plane tells the data plane, as one value. It is plain data that survives
// `structuredClone`, so that it can be given to another thread. Any change makes a new plan. Requests know nothing else
// of the control plane.

import type { Route } from './fleet/fleet-state.ts';
import type { ReplicaRef } from './ports.ts';
import type { Eased } from './ring/easing.ts';
import type { HashPair } from './ring/hashes/hash-pair.ts';
import type { HashName } from './ring/hashes/table.ts';
import { type RingPolicy, ringPolicy } from './ring/policy.ts';
import { HashRing, type SeatId } from './ring/ring.ts';
import type { TrafficSettings } from './traffic-settings.ts';

export interface RoutingPlan {
  /** Grows from plan to plan: the plan with the highest version holds. */
  readonly version: number;
  /**
   * The hash pair: a name of the table, the path of a module, or the functions of a program, which are in its thread.
   */
  readonly hash: { readonly name: HashName } | { readonly path: string } | { readonly own: true };
  /** M, the number of slots. */
  readonly slots: number;
  /** K, the number of virtual nodes of each place. */
  readonly virtualNodes: number;
  readonly ring: PlannedRing;
  /** Replicas that may be routed to. */
  readonly routes: readonly Route[];
  /** Replicas that take no more requests, but finish what they have. */
  readonly draining: readonly ReplicaRef[];
  /** Replicas that get no requests for now, and may again. What they have goes on undisturbed. */
  readonly resting: readonly ReplicaRef[];
  /** Incarnations of replicas that ended, or hung, though nobody wanted that: the last ones, the oldest first. */
  readonly ended?: readonly number[];
  /** Replicas that get a part of their requests only, the worst first; none if this is missing. */
  readonly eased?: readonly Eased[];
  readonly outage: Outage;
  /** Requests that no replica has yet are held back: each waits in its line. */
  readonly isPaused?: boolean;
  /** Hostnames of all seats, for explanations; also of seats where no replica serves. */
  readonly hostnames: ReadonlyMap<SeatId, string>;
  readonly explain: ExplainRules;
  readonly traffic: TrafficSettings;
}

export interface PlannedRing {
  /** If two plans have the same version here, their rings are equal and nothing need be built anew. */
  readonly version: number;
  /** Slot and seat of each virtual node in turn, by ascending slot. */
  readonly points: Uint32Array;
}

/** Whether no replica takes requests, and what to expect. */
export interface Outage {
  /** Why no replica takes requests; `undefined` if one does. */
  readonly whyNone: string | undefined;
  /** The outage may be over soon, so that it is worth waiting. */
  readonly mayEnd: boolean;
}

/** Who may get an explanation by `X-Ringmaster-Explain`. */
export interface ExplainRules {
  /** Nobody gets one without the token. */
  readonly needsToken: boolean;
  /** The token; `undefined` if there is none. */
  readonly token: string | undefined;
  readonly refusesProxied: boolean;
}

/** Makes the policy that requests go by under this plan. @param pair the loaded pair that the plan's `hash` names. */
export function compile({ ring, slots }: Pick<RoutingPlan, 'ring' | 'slots'>, pair: HashPair): RingPolicy {
  return ringPolicy(new HashRing(ring.points, slots), pair);
}

/** Makes a ring into the form that plans have it in. */
export function planned(ring: HashRing, version: number): PlannedRing {
  return { version, points: ring.packed };
}
