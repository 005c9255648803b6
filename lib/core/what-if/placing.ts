// Which seat a request gets when all replicas are well: the decision of the routing table, on counts instead of agents
// (test/proxy/what-if-placing.test.ts holds it to the table).

import { mostInFlight } from '../ring/bounded-load.ts';
import type { Key, RingPolicy } from '../ring/policy.ts';
import type { SeatId } from '../ring/ring.ts';

/** The bound on load. */
export interface Bound {
  /** 1 or more; Infinity for none. */
  readonly factor: number;
  /** So many at a seat are never too many. */
  readonly floor: number;
}

/** How many requests each seat has. */
export class SeatLoads {
  readonly #bound: Bound;
  readonly #counts = new Map<SeatId, number>();
  #inFlight = 0;
  #seats: readonly SeatId[];

  constructor(bound: Bound, seats: readonly SeatId[]) {
    this.#bound = bound;
    this.#seats = seats;
  }

  /** Those seats are there from now on. What others have goes on to its end. */
  change(seats: readonly SeatId[]): void {
    this.#seats = seats;
  }

  inFlightAt(seat: SeatId): number {
    return this.#counts.get(seat) ?? 0;
  }

  begin(seat: SeatId): void {
    this.#counts.set(seat, this.inFlightAt(seat) + 1);
    this.#inFlight += 1;
  }

  end(seat: SeatId): void {
    this.#counts.set(seat, this.inFlightAt(seat) - 1);
    this.#inFlight -= 1;
  }

  /** May a seat get one more request by the bound? */
  readonly hasRoom = (seat: SeatId): boolean => {
    const { factor, floor } = this.#bound;
    if (factor === Number.POSITIVE_INFINITY) return true;
    return this.inFlightAt(seat) < mostInFlight(factor, this.#inFlight, 1 / this.#seats.length, floor);
  };
}

/** The first seat of the key's order that has room; its owner if none has. `undefined` on an empty ring. */
export function placeOf(policy: RingPolicy, key: Key, { hasRoom }: Pick<SeatLoads, 'hasRoom'>): SeatId | undefined {
  return policy.pick(key, hasRoom) ?? policy.pick(key, anySeat);
}

const anySeat = () => true;
