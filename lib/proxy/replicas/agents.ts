// The agents of all replicas, and the table that a request reads once. Both follow what the control plane publishes; retired agents stay
// until nothing is in flight there.

import type { ReplicaRef } from '../../core/ports.ts';
import type { ProxyLimits } from '../proxy-limits.ts';
import { ReplicaAgent } from './agent.ts';
import { type Load, type Routing, RoutingTable } from './routing-table.ts';

// What a lost replica had sent before is still read; then its connections are cut, so that the requests are tried elsewhere.
const LAST_WORDS_MS = 100;

export class ReplicaAgents {
  /** By incarnation. */
  readonly byIncarnation = new Map<number, ReplicaAgent>();
  /** `undefined` before there was a ring. */
  table: RoutingTable | undefined;
  readonly #limits: ProxyLimits;
  readonly #load: Load;

  constructor(limits: ProxyLimits, load: Load) {
    this.#limits = limits;
    this.#load = load;
  }

  /** From now on requests go by `routing`. What a replica had that is in neither list is tried elsewhere, or cut. */
  route(routing: Routing): void {
    const agents = this.byIncarnation;
    const routed = new Set(routing.routes.map((route) => route.replica.incarnation));
    const resting = new Set(routing.resting?.map((replica) => replica.incarnation));
    const draining = new Set(routing.draining.map((replica) => replica.incarnation));
    for (const [incarnation, agent] of agents) {
      if (routed.has(incarnation) || resting.has(incarnation)) continue;
      if (!agent.retired) void agent.idle().then(() => agents.delete(incarnation));
      agent.retire();
      if (!draining.has(incarnation)) setTimeout(() => agent.destroy(), LAST_WORDS_MS).unref();
    }
    for (const { replica, address } of routing.routes) {
      if (agents.has(replica.incarnation)) continue;
      agents.set(replica.incarnation, new ReplicaAgent(replica, address, this.#limits, this.#load));
    }
    const agentOf = (incarnation: number) => agents.get(incarnation) as ReplicaAgent;
    this.table = new RoutingTable(routing.policy, routing.routes, agentOf, this.#limits, this.#load);
  }

  /** Resolves when no request is left at that replica; when `signal` is aborted, what is left there is cut. */
  async drained(replica: ReplicaRef, signal: AbortSignal): Promise<void> {
    const agent = this.byIncarnation.get(replica.incarnation);
    if (agent === undefined) return;
    const cut = () => agent.destroy();
    signal.addEventListener('abort', cut, { once: true });
    if (signal.aborted) cut();
    await agent.idle();
    signal.removeEventListener('abort', cut);
  }

  /** Ends the event streams of all replicas. */
  endStreams(): void {
    for (const agent of this.byIncarnation.values()) agent.endStreams();
  }
}
