// What planes in several threads share: what they hold together, and memory in which each counts for others to read.

import type { ReplicaRef } from '../core/ports.ts';
import type { Ledger } from '../core/request/ledger.ts';
import type { RowBook } from '../core/request/rows.ts';
import type { Tally } from '../core/traffic/traffic.ts';
import type { MeasuredBlock } from './measure-book.ts';

/** What planes in several threads share. */
export interface SharedState {
  readonly ledger: Ledger;
  readonly rows: RowBook;
  /** Memory for what is measured, which is told to whoever reads it. */
  readonly cellsOf: (block: MeasuredBlock) => Float64Array;
  /** Where the requests of a replica are counted, or all requests. */
  readonly tallyOf: (replica: ReplicaRef | undefined) => Tally;
}
