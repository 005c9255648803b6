// The ids of requests. Those of requests without a key spread them over the ring; all others only need a name for the log, and must
// not make holes among the ids that spread.

import type { Ledger } from '../core/request/ledger.ts';
import { RequestDealer } from '../core/request/request-dealer.ts';
import { requestIdAt } from '../core/ring/request-ids.ts';
import type { RoutingTable } from './replicas/routing-table.ts';

// The two sequences are so far apart.
const HALF_OF_THE_IDS = 450_000;

export class RequestNames {
  readonly #seed: number;
  readonly #ledger: Ledger;
  readonly #dealer: RequestDealer;

  /** @param seed where the ids begin: any whole number from 0 to 2^32. @param ledger counts those that were given. */
  constructor(seed: number, ledger: Ledger) {
    this.#seed = seed;
    this.#ledger = ledger;
    this.#dealer = new RequestDealer(() => requestIdAt(seed, ledger.nextDealt()));
  }

  /** For a request that goes by its id: one whose seat has room for it. */
  deal(table: RoutingTable | undefined): number {
    return table === undefined ? this.next() : this.#dealer.deal(table.ownerOf, table.hasRoom);
  }

  /** For one that does not. */
  next(): number {
    return requestIdAt(this.#seed + HALF_OF_THE_IDS, this.#ledger.nextNamed());
  }
}
