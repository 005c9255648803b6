// Deals out the ids of requests. The ids of requests without a key spread these over the ring. All other requests need
// an id for the log alone, and take it from a second sequence, so that they leave no holes in the first.

import type { Ledger } from '../core/request/ledger.ts';
import { RequestDealer } from '../core/request/request-dealer.ts';
import { requestIdAt } from '../core/ring/request-ids.ts';
import type { RoutingTable } from './replicas/routing-table.ts';

// How far apart the two sequences begin.
const HALF_OF_THE_IDS = 450_000;

export class RequestIds {
  readonly #seed: number;
  readonly #ledger: Ledger;
  readonly #dealer: RequestDealer;

  /** @param seed where the ids begin: any whole number from 0 to 2^32. @param ledger counts those that were given. */
  constructor(seed: number, ledger: Ledger) {
    this.#seed = seed;
    this.#ledger = ledger;
    this.#dealer = new RequestDealer(() => requestIdAt(seed, ledger.nextDealt()));
  }

  /** The id of a request that goes by its id: one whose seat has room for it. */
  deal(table: RoutingTable | undefined): number {
    return table === undefined ? this.next() : this.#dealer.deal(table.ownerOf, table.hasRoom);
  }

  /** The id of a request that goes by something else. */
  next(): number {
    return requestIdAt(this.#seed + HALF_OF_THE_IDS, this.#ledger.nextNamed());
  }
}
