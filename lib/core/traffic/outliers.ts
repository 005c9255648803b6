// Finds the replicas that are slower than the others, or fail more, and says which part of their requests they should
// get. Each is judged by one lot of requests after the other: as many seconds as it takes to have enough. Three bad
// lots in a row halve its share, each bad one after that halves it again, down to an eighth: it still has to show how
// it is. With good lots the share doubles until it is whole. Where all are slow together, nobody stands out.
// Sources: Envoy's outlier detection (a limit on the part of hosts, others as the measure); the share goes down and up
// like the effective weight of nginx.

import type { Route } from '../fleet/fleet-state.ts';
import type { ReplicaRef } from '../ports.ts';
import { type Eased, withinThird } from '../ring/easing.ts';
import type { SeatId } from '../ring/ring.ts';
import { badness, type Crowd, compare, crowdOf, type Finding, type Span, spanBetween } from './comparison.ts';

/** The cells of all seats at one look, as `PlaneReading` has them. */
type Seats = ReadonlyMap<SeatId, Float64Array>;

interface Record {
  readonly replica: ReplicaRef;
  /** The look from which on it may be judged: those that begin are slow at first. */
  readonly seasoned: number;
  /** The look at which its present lot began. */
  lotFrom: number;
  share: number;
  /** Bad lots in a row. */
  bad: number;
  /** Good lots in a row while it is eased, and how many it takes for the next step up. */
  good: number;
  patience: number;
  /** The share went up last, and at which look it was whole. */
  rose: boolean;
  wholeAt: number;
  why: Finding | undefined;
}

// In looks, which come once a second.
const SEASONED_AFTER = 5;
const LONGEST_LOT = 10;
const CALM_AFTER = 60;
// Requests that a lot takes. A replica that has stood out already shows by fewer, and has fewer.
const LEAST = 20;
const LEAST_EASED = 10;
const BAD_LOTS = 3;
const LEAST_SHARE = 1 / 8;
// A replica that is well only while it gets little is given more ever later, so that its keys do not go to and fro.
const LEAST_PATIENCE = 2;
const MOST_PATIENCE = 32;

export class Outliers {
  #looks = 0;
  // The cells at the last looks, the latest last.
  readonly #history: Seats[] = [];
  #records: readonly Record[] = [];

  /**
   * Takes a look, once a second.
   * @param routes the replicas that take requests. @param seats what was measured since the start.
   * @returns those that should get a part of their requests, the worst first.
   */
  look(routes: readonly Route[], seats: Seats): readonly Eased[] {
    this.#looks += 1;
    this.#history.push(seats);
    if (this.#history.length > LONGEST_LOT + 1) this.#history.shift();
    this.#match(routes);
    // All are compared before any is changed, so that their order makes no difference.
    const crowds = new Map<number, Crowd>();
    const compared = this.#records.map((record) => ({ record, found: this.#judge(record, crowds) }));
    for (const { record, found } of compared) if (found !== 'not-yet') this.#take(record, found);
    return this.#admit(routes);
  }

  #match(routes: readonly Route[]): void {
    const known = new Map(this.#records.map((record) => [record.replica.incarnation, record]));
    this.#records = routes.map(({ replica }) => known.get(replica.incarnation) ?? this.#recordOf(replica));
  }

  #recordOf(replica: ReplicaRef): Record {
    const seasoned = this.#looks + SEASONED_AFTER;
    const whole = { share: 1, bad: 0, good: 0, rose: false, wholeAt: this.#looks, why: undefined };
    return { replica, seasoned, lotFrom: seasoned, patience: LEAST_PATIENCE, ...whole };
  }

  // Compares the lot of a replica, if it has enough, or has lasted long enough.
  #judge(record: Record, crowds: Map<number, Crowd>): ReturnType<typeof compare> | 'not-yet' {
    const { lotFrom, replica, share } = record;
    if (this.#looks <= lotFrom) return 'not-yet';
    const isDue = this.#looks - lotFrom >= LONGEST_LOT;
    const isWhole = share === 1;
    const least = isWhole ? LEAST : isDue ? 1 : LEAST_EASED;
    const crowd = crowds.get(lotFrom) ?? this.#crowdSince(lotFrom);
    crowds.set(lotFrom, crowd);
    const found = compare(this.#spanOf(replica, lotFrom), crowd, least, isWhole);
    return found === 'unknown' && !isDue ? 'not-yet' : found;
  }

  // Those that are well, for all that is known.
  #crowdSince(look: number): Crowd {
    const well = this.#records.filter(({ share, seasoned }) => share === 1 && seasoned <= look);
    return crowdOf(well.map(({ replica }) => this.#spanOf(replica, look)));
  }

  #spanOf({ seat }: ReplicaRef, look: number): Span {
    const then = this.#history.at(look - this.#looks - 1) as Seats;
    const now = this.#history.at(-1) as Seats;
    return spanBetween(then.get(seat), now.get(seat));
  }

  #take(record: Record, found: ReturnType<typeof compare>): void {
    record.lotFrom = this.#looks;
    if (typeof found === 'object') {
      record.why = found;
      record.bad += 1;
      record.good = 0;
      if (record.share < 1) lower(record);
      return;
    }
    record.bad = 0;
    record.good += 1;
    if (record.share === 1) {
      if (this.#looks - record.wholeAt >= CALM_AFTER) Object.assign(record, { patience: LEAST_PATIENCE, rose: false });
    } else if (found === 'unknown' || record.good >= record.patience) this.#raise(record);
  }

  // Also where nothing is known: a replica without requests cannot show that it is well.
  #raise(record: Record): void {
    record.share = Math.min(1, 2 * record.share);
    record.good = 0;
    record.rose = true;
    record.wholeAt = this.#looks;
  }

  // Those that are eased stay so while there is room for them, then come those that have just been found.
  #admit(routes: readonly Route[]): readonly Eased[] {
    const eased = this.#records.filter(({ share }) => share < 1).sort(worstFirst);
    const found = this.#records.filter(({ share, bad }) => share === 1 && bad >= BAD_LOTS).sort(worstFirst);
    const admitted = new Set(withinThird([...eased, ...found], routes));
    for (const record of found) if (admitted.has(record)) lower(record);
    for (const record of eased) if (!admitted.has(record)) Object.assign(record, { share: 1, wholeAt: this.#looks });
    return [...admitted].sort(worstFirst).map(({ replica, share, why }) => ({ replica, share, why: why as Finding }));
  }
}

function lower(record: Record): void {
  if (record.rose) record.patience = Math.min(MOST_PATIENCE, 2 * record.patience);
  record.rose = false;
  record.good = 0;
  record.share = Math.max(LEAST_SHARE, record.share / 2);
}

// Only replicas with a finding are compared.
function worstFirst(one: Record, other: Record): number {
  return badness(other.why as Finding) - badness(one.why as Finding) || one.replica.seat - other.replica.seat;
}
