// What a request reads once: the order of seats, the agents of those that take requests, and how loaded they are. Made anew for
// each plan.

import type { Route } from '../../core/fleet/fleet-state.ts';
import { mostInFlight } from '../../core/ring/bounded-load.ts';
import type { Objection } from '../../core/ring/explain.ts';
import type { Key, RingPolicy } from '../../core/ring/policy.ts';
import type { SeatId } from '../../core/ring/ring.ts';
import type { AgentLoad, ReplicaAgent } from './agent.ts';

/** Requests in flight at all replicas, and how often the bound on them has sent one past its owner. */
export interface Load extends AgentLoad {
  diverted: number;
}

export interface RoutingLimits {
  /** Of bounded load; Infinity for no bound. */
  readonly balanceFactor: number;
  /** At one replica. */
  readonly maxInFlight: number;
  readonly maxTunnels: number;
}

interface Entry {
  readonly agent: ReplicaAgent;
  readonly suspected: boolean;
  /** The seat's weight over that of all that take requests. */
  readonly part: number;
}

export class RoutingTable {
  readonly policy: RingPolicy;
  readonly #entries: (Entry | undefined)[] = [];
  readonly #limits: RoutingLimits;
  readonly #load: Load;
  // Nothing was tried, which is how nearly every request begins: made once per table, not per request.
  readonly #ready = (seat: SeatId) => {
    const entry = this.#entries[seat];
    return entry !== undefined && !entry.suspected && entry.agent.inFlightInAll < this.#limits.maxInFlight;
  };

  constructor(
    policy: RingPolicy,
    routes: readonly Route[],
    agentOf: (incarnation: number) => ReplicaAgent,
    limits: RoutingLimits,
    load: Load,
  ) {
    this.policy = policy;
    this.#limits = limits;
    this.#load = load;
    const total = routes.reduce((sum, route) => sum + route.weight, 0);
    for (const { replica, suspected, weight } of routes) {
      this.#entries[replica.seat] = { agent: agentOf(replica.incarnation), suspected, part: weight / total };
    }
  }

  /**
   * The agent for a key, at which a place is taken: of the first seat with the least objection that was not tried. `undefined`: none, or
   * all are full. A seat that looked as if it had room may have lost it to another thread: then the next one is asked.
   */
  take(key: Key, tried: readonly SeatId[]): ReplicaAgent | undefined {
    const untried = tried.length === 0 ? this.#ready : (seat: SeatId) => this.#ready(seat) && !tried.includes(seat);
    const { balanceFactor } = this.#limits;
    const owner = this.policy.pick(key, untried);
    if (owner !== undefined) {
      if (this.#take(owner, balanceFactor)) return this.#agentOf(owner);
      // All over the bound is no reason to refuse: it spreads load, `maxInFlight` limits it.
      const seat =
        this.policy.pick(key, (one) => one !== owner && untried(one) && this.#take(one, balanceFactor)) ??
        this.policy.pick(key, (one) => untried(one) && this.#take(one, Number.POSITIVE_INFINITY));
      if (seat !== undefined && seat !== owner) this.#load.diverted += 1;
      if (seat !== undefined) return this.#agentOf(seat);
    }
    // A suspected replica is better than none.
    const seat = this.policy.pick(key, (one) => !tried.includes(one) && this.#take(one, Number.POSITIVE_INFINITY));
    return seat === undefined ? undefined : this.#agentOf(seat);
  }

  /** The seat where a request with that key belongs now: the first that is ready. */
  readonly ownerOf = (key: Key): SeatId | undefined => this.policy.pick(key, this.#ready);

  /** May a seat that is ready get one more, by the bound on load? False for one that was ready in an earlier table. */
  readonly hasRoom = (seat: SeatId): boolean => {
    const entry = this.#entries[seat];
    return (
      entry !== undefined &&
      entry.agent.inFlightInAll < mostInFlight(this.#limits.balanceFactor, this.#load.ledger.inFlight, entry.part)
    );
  };

  /** Is there any that was not tried? Without one that `pick` gives, those are full. */
  hasUntried(tried: readonly SeatId[]): boolean {
    return this.#entries.some((entry, seat) => entry !== undefined && !tried.includes(seat));
  }

  /** `tried`, and the seats that have as many tunnels as they may. */
  barredFromTunnels(tried: readonly SeatId[]): readonly SeatId[] {
    const barred = [...tried];
    this.#entries.forEach((entry, seat) => {
      const isFull = entry !== undefined && entry.agent.tunnels >= this.#limits.maxTunnels;
      if (isFull && !tried.includes(seat)) barred.push(seat);
    });
    return barred;
  }

  objection(seat: SeatId): Objection {
    const entry = this.#entries[seat];
    if (entry === undefined) return 'absent';
    if (entry.suspected) return 'suspected';
    return this.#isOpen(seat) && this.hasRoom(seat) ? 'none' : 'busy';
  }

  #isOpen(seat: SeatId): boolean {
    const entry = this.#entries[seat];
    return entry !== undefined && entry.agent.inFlightInAll < this.#limits.maxInFlight;
  }

  #take(seat: SeatId, factor: number): boolean {
    const entry = this.#entries[seat];
    return entry?.agent.take(factor, entry.part) === true;
  }

  #agentOf(seat: SeatId): ReplicaAgent | undefined {
    return this.#entries[seat]?.agent;
  }
}
