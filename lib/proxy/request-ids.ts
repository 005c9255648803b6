// Deals out the ids of requests. The ids of requests without a key spread these over the ring. All other requests need
// an id for the log alone, and take it from a second sequence, so that they leave no holes in the first.

import { RequestDealer } from '../core/request/request-dealer.ts';
import { firstRequestId, nextRequestId } from '../core/ring/request-ids.ts';
import type { RoutingTable } from './replicas/routing-table.ts';

// How far apart the two sequences begin.
const HALF_OF_THE_IDS = 450_000;

export class RequestIds {
  readonly #dealer: RequestDealer;
  #last: number;

  /** @param seed where the ids begin: any whole number ≥ 0. */
  constructor(seed: number) {
    this.#dealer = new RequestDealer(seed);
    this.#last = firstRequestId(seed + HALF_OF_THE_IDS);
  }

  /** The id of a request that goes by its id: one whose seat has room for it. */
  deal(table: RoutingTable | undefined): number {
    return table === undefined ? this.next() : this.#dealer.deal(table.ownerOf, table.hasRoom);
  }

  /** The id of a request that goes by something else. */
  next(): number {
    this.#last = nextRequestId(this.#last);
    return this.#last;
  }
}
