// What is shown of autoscaling: on the dashboard, in the metrics and at an endpoint. Types only.

import type { AutoscaleRules, Decision } from './fleet/autoscale.ts';

/** A step that was decided, with what led to it. */
export interface AutoscaleStep extends Omit<Decision, 'atMs' | 'frozenBy'> {
  /** Time of day, in ms since 1970. */
  readonly atMs: number;
  /** The part of the keys that moved. */
  readonly moved: number;
  /** How long it took, in ms; `null` while it is under way. */
  readonly tookMs: number | null;
  /** Why it failed, and nothing changed; `null` if it has not. */
  readonly failure: string | null;
}

/** What is shown of it. */
export interface AutoscaleView {
  readonly rules: AutoscaleRules;
  /** The last look; `null` before the first. */
  readonly now: Decision | null;
  /** The last steps, the latest last. */
  readonly steps: readonly AutoscaleStep[];
  /** Since the start. */
  readonly counts: AutoscaleCounts;
}

export interface AutoscaleCounts {
  /** Steps of each direction, and those that failed. */
  readonly up: number;
  readonly down: number;
  readonly failed: number;
  /** Requests came while there was no replica: how often, and how long the first one took, in ms, added up. */
  readonly coldStarts: number;
  readonly coldStartMs: number;
}
