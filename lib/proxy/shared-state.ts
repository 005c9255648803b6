// What the planes of several threads have in common.

import type { ReplicaRef } from '../core/ports.ts';
import type { Ledger } from '../core/request/ledger.ts';
import type { RowBook } from '../core/request/rows.ts';
import type { Tally } from '../core/traffic/traffic.ts';

/** What planes in several threads share. */
export interface SharedState {
  readonly ledger: Ledger;
  readonly rows: RowBook;
  /** Where the requests of a replica are counted, or all requests. */
  readonly tallyOf: (replica: ReplicaRef | undefined) => Tally;
}
