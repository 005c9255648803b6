// What is run, as data: how many requests, replicas, connections and rounds, in full and with `--quick`. How it is run
// is up to spread.ts, recovery.ts and speed.ts.

import { HASH_NAMES } from '../lib/core/ring/hashes/table.ts';
import type { FaultKind } from './harness/faults.ts';

export interface SpreadPlan {
  /** The hash of. */
  readonly hash: string;
  /** The hashes of A-4. */
  readonly hashes: readonly string[];
  readonly replicas: readonly number[];
  readonly requests: number;
  /** The numbers of replicas for hashes that are only compared. */
  readonly comparedReplicas: readonly number[];
  readonly comparedRequests: number;
}

export interface RecoveryPlan {
  readonly hash: string;
  /** Also the number of connections, since each sends one request a second. */
  readonly perSecond: number;
  readonly replicas: number;
  readonly leadMs: number;
  readonly faults: readonly { readonly kind: FaultKind; readonly lastsMs: number }[];
}

export interface SpeedPlan {
  readonly rounds: number;
  readonly seconds: number;
  /** Seconds of warm-up for all contenders together. */
  readonly warmUpSeconds: number;
  readonly connections: number;
  /** Further trials besides the main one, with rounds of their own. */
  readonly bodies: readonly { readonly bytes: number; readonly connections: number }[];
  readonly manyConnections: readonly number[];
  readonly sideRounds: number;
  readonly sideSeconds: number;
  /** How many connections come at once beside as many busy ones, and in how many rounds. */
  readonly burstConnections: number;
  readonly burstRounds: number;
  /** What workers and many replicas cost: rounds with each, and how long one takes. */
  readonly scaleRounds: number;
  readonly scaleSeconds: number;
  readonly manyReplicas: number;
  /** How often one of many replicas leaves and joins. */
  readonly rejoins: number;
  /** The load under which latencies are measured. */
  readonly steadyPerSecond: number;
  /** How long latencies are measured; 0 leaves them out. */
  readonly steadySeconds: number;
}

export interface OverloadPlan {
  /** How long a replica works on one request; it works on one at a time. */
  readonly serviceMs: number;
  /** The loads, as multiples of what the replicas can do. */
  readonly bearableRatio: number;
  readonly overloadRatio: number;
  readonly beforeSeconds: number;
  readonly overloadSeconds: number;
  readonly afterSeconds: number;
}

export interface AutoscalePlan {
  /** How long a replica takes for a request, however many it has. */
  readonly serviceMs: number;
  /** Requests in flight: of each replica, and of the load in its stages. */
  readonly target: number;
  readonly low: number;
  readonly high: number;
  readonly spike: number;
  readonly least: number;
  readonly most: number;
  readonly windowMs: number;
  readonly downAfterMs: number;
  /** How long each stage lasts; both ramps take the same time, and `after` is the plateau after the spike. */
  readonly seconds: {
    readonly low: number;
    readonly ramp: number;
    readonly plateau: number;
    readonly spike: number;
    readonly after: number;
    readonly end: number;
  };
}

export interface AffinityPlan {
  readonly seed: number;
  readonly engines: number;
  /** What an engine remembers of prompts. */
  readonly cacheBytes: number;
  /** How fast an engine reads what it does not remember, and how long a token of an answer takes. */
  readonly bytesPerMs: number;
  readonly tokenMs: number;
  readonly tenants: number;
  readonly perSecond: number;
  /** How long it lasts, with the time before anything is measured. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

export interface Plan {
  readonly affinity: AffinityPlan;
  readonly spread: SpreadPlan;
  readonly recovery: RecoveryPlan;
  readonly speed: SpeedPlan;
  readonly overload: OverloadPlan;
  readonly autoscale: AutoscalePlan;
}

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const REQUESTS = 10_000;
const DEFAULT_HASH = 'even';

/** The number of replicas in A-1 and in the drawings of rings. */
export const SHOWN_REPLICAS = 3;

/** The connections of the trial by which all contenders are compared. */
export const MAIN_CONNECTIONS = 64;

/** The sizes of the backends' bodies. The smallest one names the backend. */
export const BODIES_BYTES = [KIB, 64 * KIB, 10 * MIB] as const;

/** @param hash is that of. A user's own hash also joins A-4. */
export function planOf(quick: boolean, hash: string = DEFAULT_HASH): Plan {
  const named: readonly string[] = HASH_NAMES;
  return {
    spread: {
      hash,
      hashes: named.includes(hash) ? named : [...named, hash],
      replicas: [2, 3, 4, 5, 6],
      requests: REQUESTS,
      comparedReplicas: quick ? [2, 3, 6] : [2, 3, 4, 5, 6],
      comparedRequests: quick ? 2000 : REQUESTS,
    },
    recovery: {
      hash,
      perSecond: 400,
      replicas: SHOWN_REPLICAS,
      leadMs: quick ? 500 : 1000,
      faults: [
        { kind: 'kill', lastsMs: quick ? 1500 : 2000 },
        { kind: 'hang', lastsMs: quick ? 3500 : 4500 },
        { kind: 'rm', lastsMs: quick ? 1500 : 2000 },
      ],
    },
    speed: {
      rounds: quick ? 1 : 3,
      seconds: quick ? 1 : 2,
      warmUpSeconds: quick ? 2 : 4,
      connections: MAIN_CONNECTIONS,
      // Few enough connections for slow contenders to finish several of the large bodies in a round.
      bodies: quick ? [] : BODIES_BYTES.map((bytes) => ({ bytes, connections: bytes < MIB ? 16 : 2 })),
      manyConnections: quick ? [] : [16, 1000],
      // The rounds are short, so that there is time for several: their spread says how far to trust them.
      sideRounds: 3,
      sideSeconds: 0.7,
      burstConnections: 300,
      burstRounds: quick ? 0 : 3,
      scaleRounds: quick ? 1 : 5,
      scaleSeconds: quick ? 0.7 : 2,
      // As many as --max-replicas allows.
      manyReplicas: 1000,
      rejoins: quick ? 3 : 20,
      steadyPerSecond: 300,
      steadySeconds: quick ? 0 : 2,
    },
    affinity: {
      seed: 7,
      engines: 8,
      // Together somewhat more than all conversations that are under way.
      cacheBytes: 800_000,
      // With round robin the engines are then busy for 70 % of the time.
      bytesPerMs: 88,
      tokenMs: 12,
      tenants: 20,
      perSecond: 120,
      seconds: quick ? 10 : 50,
      warmUpSeconds: quick ? 4 : 20,
    },
    autoscale: {
      serviceMs: 200,
      target: 8,
      low: 12,
      high: 48,
      spike: 96,
      least: 2,
      most: 14,
      // Shorter than the defaults, so that it all fits into some minutes.
      windowMs: quick ? 8000 : 20_000,
      downAfterMs: quick ? 6000 : 30_000,
      seconds: quick
        ? { low: 4, ramp: 6, plateau: 16, spike: 6, after: 10, end: 24 }
        : { low: 10, ramp: 30, plateau: 60, spike: 15, after: 60, end: 75 },
    },
    overload: {
      serviceMs: 10,
      bearableRatio: 0.8,
      overloadRatio: 3,
      // No overload begins within 10 s after the replicas have come.
      beforeSeconds: quick ? 12 : 15,
      overloadSeconds: quick ? 6 : 60,
      afterSeconds: quick ? 3 : 10,
    },
  };
}
