// What a request reads to find its replica: the order of seats, the agents of those that take requests, and their load.
// Each plan makes a new table.

import type { Route } from '../../core/fleet/fleet-state.ts';
import type { ReplicaRef } from '../../core/ports.ts';
import { mostInFlight } from '../../core/ring/bounded-load.ts';
import { type Eased, pointOf } from '../../core/ring/easing.ts';
import type { Objection, SeatWeight } from '../../core/ring/explain.ts';
import { homeFirst, type Key, type RingPolicy } from '../../core/ring/policy.ts';
import type { SeatId } from '../../core/ring/ring.ts';
import type { SpillReason } from '../../core/traffic/measures.ts';
import type { AgentLoad, ReplicaAgent } from './agent.ts';

/** Requests in flight at all replicas, and how often the bound on load sent a request past its owner. */
export interface Load extends AgentLoad {
  diverted: number;
}

export interface RoutingLimits {
  /** Factor of bounded load; Infinity for no bound. */
  readonly balanceFactor: number;
  /** So many at a seat are within that bound, however few there are in all. */
  readonly balanceFloor: number;
  /** That bound is on what requests weigh, not on their number. */
  readonly weighsBytes?: boolean;
  /** Limit at one replica. */
  readonly maxInFlight: number;
  readonly maxTunnels: number;
}

/** Seats that a request may have for itself, as far as requests of its kind go. */
export interface SeatClaims {
  claimSeat(replica: ReplicaRef): boolean;
  releaseSeat(seat: SeatId): void;
}

interface Entry {
  readonly agent: ReplicaAgent;
  readonly suspected: boolean;
  /** Of the keys that belong there, it gets those with a point below this. */
  readonly share: number;
  /** The seat's weight, or its share of that, over the sum of all seats that take requests. */
  readonly part: number;
}

export class RoutingTable {
  readonly policy: RingPolicy;
  readonly #entries: (Entry | undefined)[] = [];
  readonly #limits: RoutingLimits;
  readonly #load: Load;
  readonly #hasEased: boolean;
  // Of the key under way; 0, which is in every share, while nobody is eased.
  #point = 0;
  // The first seat that the pick under way was not content with, and why.
  #passed: SeatId | undefined;
  #passedFor: SpillReason = 'absent';
  // Accepts any seat that is ready. Made once per table, since nearly all requests begin with nothing tried.
  readonly #ready = (seat: SeatId) => {
    const entry = this.#entries[seat];
    if (entry === undefined || entry.suspected || this.#point >= entry.share) return false;
    return entry.agent.inFlightInAll < this.#limits.maxInFlight;
  };

  // As `#ready`, and remembers whom it has refused first.
  readonly #suits = (seat: SeatId): boolean => {
    const entry = this.#entries[seat];
    if (entry === undefined) return this.#pass(seat, 'absent');
    if (entry.suspected) return this.#pass(seat, 'suspected');
    if (this.#point >= entry.share) return this.#pass(seat, 'eased');
    return entry.agent.inFlightInAll < this.#limits.maxInFlight || this.#pass(seat, 'busy');
  };

  constructor(
    policy: RingPolicy,
    routes: readonly Route[],
    agentOf: (incarnation: number) => ReplicaAgent,
    limits: RoutingLimits,
    load: Load,
    eased: readonly Eased[] = [],
  ) {
    this.policy = policy;
    this.#limits = limits;
    this.#load = load;
    this.#hasEased = eased.length > 0;
    const shares = new Map(eased.map(({ replica, share }) => [replica.incarnation, share]));
    const shareOf = ({ replica }: Route) => shares.get(replica.incarnation) ?? 1;
    const total = routes.reduce((sum, route) => sum + route.weight * shareOf(route), 0);
    for (const route of routes) {
      const { replica, suspected, weight } = route;
      const share = shareOf(route);
      const agent = agentOf(replica.incarnation);
      this.#entries[replica.seat] = { agent, suspected, share, part: (weight * share) / total };
    }
  }

  /**
   * Takes a place for a request with that key, at the first untried seat with the least objection. `undefined` if there
   * is none, or all are full. A seat that seemed to have room may have lost it to another thread; then the next is
   * asked.
   * @param offers the request offers to switch protocols, so it takes a place among the tunnels too.
   * @param home the seat that comes before those of the ring, if there is one.
   * @param claims the seat must be claimed there as well.
   * @param weight of the request, if the bound is on weights; else 0.
   */
  take(
    key: Key,
    tried: readonly SeatId[],
    offers: boolean,
    home?: SeatId,
    claims?: SeatClaims,
    weight = 0,
  ): ReplicaAgent | undefined {
    this.#passed = undefined;
    this.#look(key);
    const policy = home === undefined ? this.policy : homeFirst(this.policy, home);
    const taken = this.#takeOf(policy, key, tried, offers, claims, weight);
    if (taken !== undefined && this.#passed !== undefined) {
      // It was passed over first, and taken after all.
      if (this.#passed === taken.replica.seat) this.#passed = undefined;
      else this.#load.measuresOf(this.#passed).spill(this.#passedFor);
    }
    return taken;
  }

  #takeOf(
    policy: RingPolicy,
    key: Key,
    tried: readonly SeatId[],
    offers: boolean,
    claims: SeatClaims | undefined,
    weight: number,
  ): ReplicaAgent | undefined {
    const untried =
      tried.length === 0
        ? this.#suits
        : (seat: SeatId) => (tried.includes(seat) ? this.#pass(seat, 'tried') : this.#suits(seat));
    const { balanceFactor } = this.#limits;
    const owner = policy.pick(key, untried);
    if (owner !== undefined) {
      if (this.#take(owner, balanceFactor, offers, claims, weight)) return this.#agentOf(owner);
      this.#pass(owner, 'busy');
      // If all seats are over the bound the owner takes the request: the bound spreads load, `maxInFlight` limits it.
      const seat =
        policy.pick(
          key,
          (one) => one !== owner && untried(one) && this.#take(one, balanceFactor, offers, claims, weight),
        ) ??
        policy.pick(key, (one) => untried(one) && this.#take(one, Number.POSITIVE_INFINITY, offers, claims, weight));
      if (seat !== undefined && seat !== owner) this.#load.diverted += 1;
      if (seat !== undefined) return this.#agentOf(seat);
    }
    // An eased replica is better than a suspected one, and that is better than none.
    const any = (one: SeatId) =>
      !tried.includes(one) && this.#take(one, Number.POSITIVE_INFINITY, offers, claims, weight);
    const eased = this.#hasEased
      ? policy.pick(key, (one) => this.#entries[one]?.suspected === false && any(one))
      : undefined;
    const seat = eased ?? policy.pick(key, any);
    return seat === undefined ? undefined : this.#agentOf(seat);
  }

  /** Why the seat that comes first was not taken at the last `take`; `undefined` if it was. */
  get passedFor(): SpillReason | undefined {
    return this.#passed === undefined ? undefined : this.#passedFor;
  }

  /** The seat where a request with this key belongs now: the first that is ready. */
  readonly ownerOf = (key: Key): SeatId | undefined => {
    this.#look(key);
    return this.policy.pick(key, this.#ready);
  };

  /** May a ready seat get one more request by the bound on load? False if it was ready in an earlier table only. */
  readonly hasRoom = (seat: SeatId): boolean => {
    const entry = this.#entries[seat];
    if (entry === undefined) return false;
    const { agent } = entry;
    const held = this.#limits.weighsBytes === true ? agent.weightInAll : agent.inFlightInAll;
    return held < this.#mostAt(entry);
  };

  /** What weighs there, and the bound on it, for a request without a body. Only where requests have weights. */
  readonly weightsAt = (seat: SeatId): SeatWeight | undefined => {
    const entry = this.#entries[seat];
    if (entry === undefined || this.#limits.weighsBytes !== true) return undefined;
    return { seat, weight: entry.agent.weightInAll, most: this.#mostAt(entry) };
  };

  /** Is there an untried seat? If `pick` gives none all the same, those are full. */
  hasUntried(tried: readonly SeatId[]): boolean {
    return this.#entries.some((entry, seat) => entry !== undefined && !tried.includes(seat));
  }

  /** `tried`, and the seats that have as many tunnels as they may. */
  barredFromTunnels(tried: readonly SeatId[]): readonly SeatId[] {
    const barred = [...tried];
    this.#entries.forEach((entry, seat) => {
      const isFull = entry !== undefined && entry.agent.tunnelsInAll >= this.#limits.maxTunnels;
      if (isFull && !tried.includes(seat)) barred.push(seat);
    });
    return barred;
  }

  /**
   * The first seat of the order of that key that takes a new tunnel now; `at` counts as one that has room for the
   * tunnel that is there. `undefined` if there is none.
   */
  tunnelSeatOf(key: Key, at: SeatId, home: SeatId | undefined): SeatId | undefined {
    const policy = home === undefined ? this.policy : homeFirst(this.policy, home);
    const isFull = (seat: SeatId) => (this.#entries[seat]?.agent.tunnelsInAll ?? 0) >= this.#limits.maxTunnels;
    return policy.pick(key, (seat) => {
      const why = this.objection(seat, key);
      return seat === at ? why === 'none' || why === 'busy' : why === 'none' && !isFull(seat);
    });
  }

  objection(seat: SeatId, key: Key): Objection {
    const entry = this.#entries[seat];
    if (entry === undefined) return 'absent';
    if (entry.suspected) return 'suspected';
    this.#look(key);
    if (this.#point >= entry.share) return 'eased';
    return this.#ready(seat) && this.hasRoom(seat) ? 'none' : 'busy';
  }

  // In requests or in weights, as the bound on load is.
  #mostAt({ part }: Entry): number {
    const { balanceFactor, balanceFloor, weighsBytes } = this.#limits;
    const { ledger } = this.#load;
    return mostInFlight(balanceFactor, weighsBytes === true ? ledger.weight : ledger.inFlight, part, balanceFloor);
  }

  // Before seats are asked about that key.
  #look(key: Key): void {
    if (this.#hasEased) this.#point = pointOf(key);
  }

  // Always false, for the one that picks.
  #pass(seat: SeatId, reason: SpillReason): false {
    if (this.#passed === undefined) {
      this.#passed = seat;
      this.#passedFor = reason;
    }
    return false;
  }

  #take(seat: SeatId, factor: number, offers: boolean, claims: SeatClaims | undefined, weight: number): boolean {
    const entry = this.#entries[seat];
    if (entry === undefined || claims?.claimSeat(entry.agent.replica) === false) return false;
    const isTaken = entry.agent.take(factor, entry.part, offers, weight);
    if (!isTaken) claims?.releaseSeat(seat);
    return isTaken;
  }

  #agentOf(seat: SeatId): ReplicaAgent | undefined {
    return this.#entries[seat]?.agent;
  }
}
