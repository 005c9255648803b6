// The raw samples that an experiment writes to results/*.json. No value is computed from others, so that statistics,
// doubts and charts can be computed again later without running anything.

import type { FaultKind } from './harness/faults.ts';
import type { TimedRequest } from './harness/load.ts';
import type { OpenRequest } from './harness/open-load.ts';
import type { HeapParts } from './heap.ts';
import type { AffinityPlan } from './scenarios.ts';

/** Where, when and with what a part was run. */
export interface Environment {
  /** In ISO 8601. */
  readonly startedAt: string;
  readonly commit: string;
  /** Whether the checkout had uncommitted changes other than samples and reports. */
  readonly changed: boolean;
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly versions: Readonly<Record<string, string>>;
  /** The part of the machine's processor time that others used just before, from 0 to 1. */
  readonly busyRatio: number;
  /** The same while the part was run; absent if the system does not tell. */
  readonly busyRatioMeanwhile?: number;
  readonly quick: boolean;
  readonly runtime: Runtime;
}

export type Runtime = 'process' | 'docker';

/** One count of requests through the real program with a number of replicas, by who answered them. */
export interface SpreadRun {
  readonly hash: string;
  readonly replicas: number;
  readonly requests: number;
  /** With the default bound on load; without it, the ring alone decides. */
  readonly bounded: boolean;
  /** Answers by hostname, in the order in which the replicas joined. */
  readonly counts: Readonly<Record<string, number>>;
  /** Requests without a good answer. */
  readonly failed: number;
  /** The part of the ring's slots that leads to each replica, from 0 to 1. */
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

/** All times are in ms since the load began. */
export interface Fault {
  readonly kind: FaultKind;
  readonly replica: string;
  readonly atMs: number;
  /** When the balancer reported that the replica is lost, or leaves. */
  readonly detectedMs?: number;
  readonly replacement?: string;
  readonly replacedMs?: number;
  /** Until when the fault was watched. */
  readonly endMs: number;
  /** Keys of the load that led to the replica when the fault began. */
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

/** One round with one contender, driven as hard as the generator can. */
export interface SpeedRound {
  readonly contender: string;
  readonly bodyBytes: number;
  readonly connections: number;
  readonly round: number;
  readonly requests: number;
  readonly seconds: number;
  /** User and system time of the contender's processes; absent if the system does not tell. */
  readonly cpuMs?: number;
  readonly errors: number;
}

/** One round with one contender, to which many connections came at once beside as many busy ones. */
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

/** One round with one contender that has so many workers, each with a core that it may use, and so many replicas. */
export interface ScaleRound extends Omit<SpeedRound, 'bodyBytes' | 'connections'> {
  readonly workers: number;
  readonly replicas: number;
  /** User and system time of its busiest thread; absent if the system does not tell. */
  readonly busiestMs?: number;
}

/** What clients notice while one replica leaves and joins again and again. */
export interface PlansRound {
  readonly workers: number;
  readonly replicas: number;
  /** Of each change: until it was answered, which is when all requests go by it. */
  readonly changesMs: readonly number[];
  /** The longest that a request took, before the changes and while they were made. */
  readonly quietMs: number;
  readonly longestMs: number;
  /** All of them. */
  readonly requests: number;
  readonly errors: number;
}

/** One round with one contender, under a load that it can bear. */
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
  /** The contender ran on one core, the generator and the backend on another. */
  readonly pinned: boolean;
  readonly rounds: readonly SpeedRound[];
  readonly latencies: readonly LatencyRound[];
  /** Absent in samples from before bursts were measured. */
  readonly bursts?: readonly BurstRound[];
  /** Absent in samples from before workers and many replicas were measured. */
  readonly scale?: readonly ScaleRound[];
  readonly plans?: readonly PlansRound[];
  /** Contenders that are not installed, and how to install them. */
  readonly missing: Readonly<Record<string, string>>;
  /** Contenders that gave a wrong answer, and which. */
  readonly wrong: Readonly<Record<string, string>>;
}

/** All times are in ms since the load began. */
export interface OverloadSamples {
  readonly environment: Environment;
  /** The most that the replicas can answer. */
  readonly perSecond: number;
  /** When the overload began and ended. */
  readonly beginMs: number;
  readonly endMs: number;
  /** Replicas that were lost. */
  readonly lost: number;
  readonly requests: readonly OpenRequest[];
}

/** A second of autoscaling: what the load was to have in flight, what was, the replicas, and requests that failed. */
export type AutoscaleSecond = readonly [atS: number, planned: number, held: number, replicas: number, failed: number];

export interface AutoscaleSamples {
  readonly environment: Environment;
  /** Requests in flight that each replica should have. */
  readonly target: number;
  readonly least: number;
  readonly most: number;
  /** The plateau, in s since the load began. */
  readonly plateauS: readonly [fromS: number, toS: number];
  readonly requests: number;
  /** Those without a 200. */
  readonly failed: number;
  /** Changes of the number of replicas. */
  readonly steps: number;
  readonly seconds: readonly AutoscaleSecond[];
}

/** What a look at the program found, and how requests fared since the one before. */
export interface SoakLook {
  /** Since the load began. */
  readonly atMs: number;
  readonly residentBytes: number;
  /** Of V8's heap after a collection, and what is outside of it. */
  readonly heapBytes: number;
  readonly externalBytes: number;
  readonly descriptors: number;
  readonly requests: number;
  /** Requests without a good answer. */
  readonly failed: number;
  /** Of good answers to clients that send and read at once, to the last byte. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** One cell of the fault matrix, over all rounds. */
export interface MatrixCell {
  readonly fault: string;
  readonly phase: string;
  readonly method: string;
  /** What clients got, each kind once. */
  readonly outcomes: readonly string[];
  /** How long it took at most, beyond the least that it must have taken. */
  readonly lateMs: number;
}

export interface MatrixSamples {
  readonly environment: Environment;
  readonly rounds: number;
  readonly cells: readonly MatrixCell[];
  /** The 99th percentiles of requests beside the faults, and in turn without any. */
  readonly besideMs: number;
  readonly withoutMs: number;
}

/** A long load with a fault every few seconds. */
export interface SoakSamples {
  readonly environment: Environment;
  readonly seed: number;
  readonly workers: number;
  readonly replicas: number;
  /** What was sent, and what the program, its replicas and these clients could do at most on this machine. */
  readonly perSecond: number;
  readonly mostPerSecond: number;
  readonly faults: readonly { readonly kind: string; readonly atMs: number }[];
  readonly looks: readonly SoakLook[];
  /** What the heap held when a fifth of the time was over, and near the end. */
  readonly heap: readonly HeapParts[];
  /** Whole replies that were not those to their requests. */
  readonly wrong: number;
}

/** Conversations as one contender answered them: a value for each turn. */
export interface AffinityRound {
  readonly contender: string;
  /** Until the first byte of the answer and until its end, from when the turn was due. */
  readonly firstMs: readonly number[];
  readonly tookMs: readonly number[];
  /** The number of the engine that answered, -1 if none did. */
  readonly engines: readonly number[];
  readonly cachedBytes: readonly number[];
}

export interface AffinitySamples {
  readonly environment: Environment;
  readonly plan: AffinityPlan;
  /** When each turn was due, since the load began, and how long its prompt is. */
  readonly turns: { readonly atMs: readonly number[]; readonly promptBytes: readonly number[] };
  /** What one engine with the memory of all would have had cached of each turn. */
  readonly bestCachedBytes: readonly number[];
  readonly rounds: readonly AffinityRound[];
  /** Contenders that are not installed, and how to install them. */
  readonly missing: Readonly<Record<string, string>>;
}

export interface Results {
  readonly affinity?: AffinitySamples;
  readonly soak?: SoakSamples;
  readonly matrix?: MatrixSamples;
  readonly spread?: SpreadSamples;
  readonly recovery?: RecoverySamples;
  readonly speed?: SpeedSamples;
  readonly overload?: OverloadSamples;
  readonly autoscale?: AutoscaleSamples;
}
