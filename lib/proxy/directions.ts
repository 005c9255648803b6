// Says where a key leads: which seat comes first, on the ring or because it has set the request's cookie, and why.

import { type Explanation, explain } from '../core/ring/explain.ts';
import { homeFirst, type Key } from '../core/ring/policy.ts';
import type { SeatId } from '../core/ring/ring.ts';
import type { RoutingPlan } from '../core/routing-plan.ts';
import type { CountedKey, HotKeysReading } from '../core/traffic/hot-keys.ts';
import type { SpillReason } from '../core/traffic/measures.ts';
import type { Keys } from './keys/keys.ts';
import type { RoutingTable } from './replicas/routing-table.ts';

/** A slot of the ring, and the seat that comes first for a key there. */
export interface Spot {
  readonly slot: number;
  readonly owner: SeatId | undefined;
}

export class Directions {
  readonly #routes: { readonly table: RoutingTable | undefined };
  readonly #keys: Pick<Keys, 'learner'>;
  readonly #plan: () => RoutingPlan | undefined;

  /** @param routes has the table that is in force. */
  constructor(
    routes: { readonly table: RoutingTable | undefined },
    keys: Pick<Keys, 'learner'>,
    plan: () => RoutingPlan | undefined,
  ) {
    this.#routes = routes;
    this.#keys = keys;
    this.#plan = plan;
  }

  /** The seat that has set a cookie of that value, as far as it is learned and still in the fleet. */
  setterOf(cookie: string | undefined): SeatId | undefined {
    const seat = cookie === undefined ? undefined : this.#keys.learner?.setterOf(cookie);
    return seat !== undefined && this.#plan()?.hostnames.has(seat) ? seat : undefined;
  }

  /** Takes note of the cookies that a reply sets. */
  hear(fields: readonly string[], seat: SeatId): void {
    this.#keys.learner?.hear(fields, seat);
  }

  /**
   * `undefined` before there was a ring.
   * @param home the seat that comes before those of the ring, if there is one.
   */
  spotOf(key: Key, home: SeatId | undefined): Spot | undefined {
    const policy = this.#routes.table?.policy;
    return policy === undefined ? undefined : { slot: policy.slotOf(key), owner: home ?? policy.pick(key, anySeat) };
  }

  /** The same keys, with where they are on the ring. */
  placed({ total, keys }: HotKeysReading): HotKeysReading {
    return { total, keys: keys.map((one) => ({ ...one, ...this.spotOf(one.key, undefined), home: this.#home(one) })) };
  }

  // A seat that has left the fleet is nobody's home.
  #home({ home }: CountedKey): SeatId | undefined {
    return home !== undefined && this.#plan()?.hostnames.has(home) ? home : undefined;
  }

  /** Why a request goes where it goes; `undefined` before there was a ring. */
  explanationOf(key: Key, home: SeatId | undefined): Explanation | undefined {
    const { table } = this.#routes;
    if (table === undefined) return undefined;
    const policy = home === undefined ? table.policy : homeFirst(table.policy, home);
    const explanation = explain(policy, key, (seat) => table.objection(seat, key), this.#plan()?.eased);
    const weights = explanation.order.map(table.weightsAt).filter((one) => one !== undefined);
    return weights.length === 0 ? explanation : { ...explanation, weights };
  }

  /**
   * Would a new tunnel with that key go to a seat that comes before that one, or instead of it? Not if those before it
   * have too much to do, or as many tunnels as they may: then it is where it must be.
   */
  leadsPast(key: Key, learned: string | undefined, seat: SeatId): boolean {
    const { table } = this.#routes;
    return table !== undefined && (table.tunnelSeatOf(key, seat, this.setterOf(learned)) ?? seat) !== seat;
  }

  /** Why the seat that comes first did not get the last request that took a place; `undefined` if it did. */
  get passedFor(): SpillReason | undefined {
    return this.#routes.table?.passedFor;
  }
}

function anySeat(): true {
  return true;
}
