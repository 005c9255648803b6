// The data plane as the control plane sees it: what is told to it, and what it tells. It may run in this thread or in several.

import type { Explanation } from './ring/explain.ts';
import type { Key } from './ring/policy.ts';
import type { RoutingPlan } from './routing-plan.ts';
import type { Counters } from './traffic/counters.ts';
import type { Landings } from './traffic/landings.ts';

/** What a data plane tells unasked. */
export type PlaneNews =
  /** A request failed at that replica. */
  | { readonly type: 'suspected'; readonly incarnation: number }
  /** No request is left at that replica, which takes no more. Told at least once for each that a plan says is draining. */
  | { readonly type: 'drained'; readonly incarnation: number };

export interface DataPlane {
  /** Resolves with the port that it listens on. Rejects with the system's error. */
  listen(port: number, host: string): Promise<number>;
  /**
   * From now on requests go by that plan, unless a later one holds. Resolves when all do. What a replica had that is in none of the
   * plan's lists is tried elsewhere, or cut.
   */
  publish(plan: RoutingPlan): Promise<void>;
  /** Returns the function that ends the watch. */
  watch(listener: (news: PlaneNews) => void): () => void;
  /** Since the start. Reading them changes nothing for another reader. */
  counters(): Promise<Counters>;
  /** Where requests landed since the look that ended at `after`, 0 at first: some of them, spread over all. */
  landings(after: number): Promise<Landings>;
  /** Where a request with that key would go now, and why. `undefined` before there was a ring. */
  explain(key: Key): Promise<Explanation | undefined>;
  /** Accepts no more connections, ends event streams, lets open requests finish, and cuts what is left when `signal` is aborted. */
  close(signal: AbortSignal): Promise<void>;
}
