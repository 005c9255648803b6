// The ids of requests. Those of requests without a key spread them over the ring; all others only need a name for the log, and must
// not make holes among the ids that spread.

import { RequestDealer } from '../core/request/request-dealer.ts';
import { firstRequestId, nextRequestId } from '../core/ring/request-ids.ts';
import type { RoutingTable } from './replicas/routing-table.ts';

// The two sequences are so far apart.
const HALF_OF_THE_IDS = 450_000;

export class RequestNames {
  readonly #dealer: RequestDealer;
  #last: number;

  /** @param seed where the ids begin: any whole number ≥ 0. */
  constructor(seed: number) {
    this.#dealer = new RequestDealer(seed);
    this.#last = firstRequestId(seed + HALF_OF_THE_IDS);
  }

  /** For a request that goes by its id: one whose seat has room for it. */
  deal(table: RoutingTable | undefined): number {
    return table === undefined ? this.next() : this.#dealer.deal(table.ownerOf, table.hasRoom);
  }

  /** For one that does not. */
  next(): number {
    this.#last = nextRequestId(this.#last);
    return this.#last;
  }
}
