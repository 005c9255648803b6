// The agents of all replicas, and the routing table that each request reads. Both follow the control plane's plans. A
// retired agent stays until nothing is in flight there.

import type { Clock } from '../../core/ports.ts';
import type { RowBook } from '../../core/request/rows.ts';
import type { RingPolicy } from '../../core/ring/policy.ts';
import type { RoutingPlan } from '../../core/routing-plan.ts';
import type { ProxyLimits } from '../proxy-limits.ts';
import { ReplicaAgent } from './agent.ts';
import { type Load, RoutingTable } from './routing-table.ts';

// A connection to a lost replica may still bring what it had sent before. When nothing has come for this long, the
// connection is cut, so that its request is tried elsewhere.
const LAST_WORDS_MS = 100;

export class ReplicaAgents {
  /** By incarnation. */
  readonly byIncarnation = new Map<number, ReplicaAgent>();
  /** `undefined` before there was a ring. */
  table: RoutingTable | undefined;
  readonly #limits: ProxyLimits;
  readonly #load: Load;
  readonly #rows: RowBook;
  readonly #clock: Clock;
  readonly #onDrained: (incarnation: number) => void;
  #draining: ReadonlySet<number> = new Set();

  /** @param onDrained called when nothing is left at a replica that takes no more requests. */
  constructor(limits: ProxyLimits, load: Load, rows: RowBook, clock: Clock, onDrained: (incarnation: number) => void) {
    this.#limits = limits;
    this.#load = load;
    this.#rows = rows;
    this.#clock = clock;
    this.#onDrained = onDrained;
  }

  /**
   * From now on requests go by this plan. If a replica is in none of its lists, requests in flight there for which
   * nothing comes any more are tried elsewhere, or cut.
   */
  route(
    { routes, resting, draining, eased }: Pick<RoutingPlan, 'routes' | 'resting' | 'draining' | 'eased'>,
    policy: RingPolicy,
  ): void {
    const agents = this.byIncarnation;
    const routed = new Set(routes.map(({ replica }) => replica.incarnation));
    const rests = new Set(resting.map(({ incarnation }) => incarnation));
    const hadTime = this.#draining;
    this.#draining = new Set(draining.map(({ incarnation }) => incarnation));
    for (const { replica, address } of routes) {
      if (agents.has(replica.incarnation)) continue;
      const row = this.#rows.rowOf(replica.incarnation);
      const agent = new ReplicaAgent(replica, address, this.#limits, this.#load, row, this.#clock);
      agents.set(replica.incarnation, agent);
    }
    const agentOf = (incarnation: number) => agents.get(incarnation) as ReplicaAgent;
    this.table = new RoutingTable(policy, routes, agentOf, this.#limits, this.#load, eased);
    // Only with the new table in place: an event stream that ends here lets the next request of its client begin.
    for (const [incarnation, agent] of agents) {
      if (routed.has(incarnation) || rests.has(incarnation)) continue;
      if (!agent.retired) this.#retire(agent);
      if (this.#draining.has(incarnation)) continue;
      // A draining replica has had its time, and somebody waits for its end.
      if (hadTime.has(incarnation)) agent.destroy();
      else agent.endOnceSilent(LAST_WORDS_MS);
    }
    // A replica that never had an agent here has nothing to finish.
    for (const { incarnation } of draining) if (!agents.has(incarnation)) this.#onDrained(incarnation);
  }

  /** Call it when the limits have changed. */
  settingsChanged(): void {
    for (const agent of this.byIncarnation.values()) agent.settingsChanged();
  }

  /** Ends the event streams of all replicas. */
  endStreams(): void {
    for (const agent of this.byIncarnation.values()) agent.endStreams();
  }

  /** No replica takes requests any more. Connections that are kept are closed. */
  retireAll(): void {
    for (const agent of this.byIncarnation.values()) if (!agent.retired) this.#retire(agent);
  }

  #retire(agent: ReplicaAgent): void {
    const { incarnation } = agent.replica;
    agent.retire();
    void agent.idle().then(() => {
      this.byIncarnation.delete(incarnation);
      this.#rows.free(incarnation);
      this.#onDrained(incarnation);
    });
  }
}
