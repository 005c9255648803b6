// What an experiment writes down: raw samples, as they are kept in results/*.json. Nothing here is computed from other samples,
// so that whatever is computed later (statistics, doubts, charts) can be computed anew without running.

import type { FaultKind } from './harness/faults.ts';
import type { TimedRequest } from './harness/load.ts';

/** Where, when and with what a part was run. */
export interface Environment {
  /** ISO 8601. */
  readonly startedAt: string;
  readonly commit: string;
  /** The checkout had changes that were not committed, beside samples and reports. */
  readonly changed: boolean;
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly versions: Readonly<Record<string, string>>;
  /** Part of the machine's processor time that others used just before, 0 … 1. */
  readonly busyRatio: number;
  /** The same while the part was run; absent where the system does not tell. */
  readonly busyRatioMeanwhile?: number;
  readonly quick: boolean;
  readonly runtime: Runtime;
}

export type Runtime = 'process' | 'docker';

/** So many requests through the real program with so many replicas, and who answered them. */
export interface SpreadRun {
  readonly hash: string;
  readonly replicas: number;
  readonly requests: number;
  /** With the bound on load that the options have by default; without it, the ring alone decides. */
  readonly bounded: boolean;
  /** Answers by hostname, in the order in which the replicas joined. */
  readonly counts: Readonly<Record<string, number>>;
  /** Requests without a good answer. */
  readonly failed: number;
  /** Part of the ring's slots that leads to each replica, 0 … 1. */
  readonly slotShares: Readonly<Record<string, number>>;
  readonly slots: number;
  readonly points: readonly { readonly slot: number; readonly replica: string }[];
}

export interface SpreadSamples {
  readonly environment: Environment;
  /** The hash of. */
  readonly hash: string;
  readonly runs: readonly SpreadRun[];
}

/** Times are ms since the load began. */
export interface Fault {
  readonly kind: FaultKind;
  readonly replica: string;
  readonly atMs: number;
  /** The balancer said that the replica is lost, or leaves. */
  readonly detectedMs?: number;
  readonly replacement?: string;
  readonly replacedMs?: number;
  /** Until when it was watched. */
  readonly endMs: number;
  /** Keys of the load that led to the replica when it was struck. */
  readonly keys: readonly number[];
}

export interface EndpointCall {
  readonly request: string;
  readonly status: number;
  readonly answer: string;
}

export interface RecoverySamples {
  readonly environment: Environment;
  readonly hash: string;
  readonly perSecond: number;
  readonly replicas: readonly string[];
  readonly faults: readonly Fault[];
  readonly requests: readonly TimedRequest[];
  readonly endpoints: readonly EndpointCall[];
}

/** One contender driven as hard as the generator can, once. */
export interface SpeedRound {
  readonly contender: string;
  readonly bodyBytes: number;
  readonly connections: number;
  readonly round: number;
  readonly requests: number;
  readonly seconds: number;
  /** User and system time of the contender's processes; absent where the system does not tell. */
  readonly cpuMs?: number;
  readonly errors: number;
}

/** One contender to which so many connections came at once, beside as many busy ones, once. */
export interface BurstRound {
  readonly contender: string;
  readonly connections: number;
  readonly round: number;
  /** Until the first byte of the answer on each of the new ones. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly mostMs: number;
  readonly errors: number;
}

/** One contender under a load that it can bear, once. */
export interface LatencyRound {
  readonly contender: string;
  readonly perSecond: number;
  readonly requests: number;
  readonly errors: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
}

export interface SpeedSamples {
  readonly environment: Environment;
  readonly generator: string;
  readonly backend: string;
  /** Contender on one core, generator and backend on another. */
  readonly pinned: boolean;
  readonly rounds: readonly SpeedRound[];
  readonly latencies: readonly LatencyRound[];
  /** Absent in samples of before they were measured. */
  readonly bursts?: readonly BurstRound[];
  /** Contenders that are not installed, and how to get them. */
  readonly missing: Readonly<Record<string, string>>;
  /** Contenders that gave a wrong answer, and which. */
  readonly wrong: Readonly<Record<string, string>>;
}

export interface Results {
  readonly spread?: SpreadSamples;
  readonly recovery?: RecoverySamples;
  readonly speed?: SpeedSamples;
}
