// What the metrics are made of, read at one moment. Types only.

import type { AutoscaleView } from '../../core/autoscale-view.ts';
import type { FleetState } from '../../core/fleet/fleet-state.ts';
import type { Poison } from '../../core/request/poison.ts';
import type { Eased } from '../../core/ring/easing.ts';
import type { SeatId } from '../../core/ring/ring.ts';
import type { Shares } from '../../core/ring/ring-view.ts';
import type { PlaneReading } from '../../core/traffic/plane-reading.ts';
import type { SeatEvents } from './fleet-counts.ts';

export interface MetricsFacts {
  readonly reading: PlaneReading;
  /** The part of the requests with a key that the most frequent key had lately; `undefined` if there were none. */
  readonly hottestPart: number | undefined;
  readonly state: FleetState;
  readonly shares: Shares;
  readonly events: ReadonlyMap<SeatId, SeatEvents>;
  readonly probes: Readonly<Record<string, number>>;
  /** Replicas that get a part of their requests only. */
  readonly eased: readonly Eased[];
  /** `undefined` while it is off. */
  readonly autoscale: AutoscaleView | undefined;
  readonly takesRequests: boolean;
  readonly isPaused: boolean;
  readonly poison: Poison;
  /** Other balancers of the same service. */
  readonly peers: readonly {
    readonly url: string;
    readonly isReachable: boolean;
    /** In what it differs from this one, and has for a while. */
    readonly differs: readonly string[];
  }[];
  /** Of the access log. */
  readonly droppedLines: number;
  readonly planVersion: number;
  readonly build: { readonly version: string; readonly node: string };
  readonly process: ProcessFacts;
}

/** Of this process, as the conventional metrics of a process have it. */
export interface ProcessFacts {
  readonly cpuSeconds: number;
  readonly startTimeSeconds: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
  /** `undefined` where the system does not tell. */
  readonly openDescriptors: number | undefined;
  readonly maxDescriptors: number;
}
