// Parts the time of a log into equal intervals, of which there are never more than a fixed number: when a log turns
// out to be longer, two and two become one. So nobody has to know before how long it is.

/** Counts of some rows in each interval. */
export class Series {
  readonly rows: readonly Float64Array[];

  constructor(rows: number, intervals: number) {
    this.rows = Array.from({ length: rows }, () => new Float64Array(intervals));
  }

  add(row: number, interval: number, amount: number): void {
    const counts = this.rows[row] as Float64Array;
    counts[interval] = (counts[interval] as number) + amount;
  }

  /** Two and two become one. */
  halve(): void {
    for (const counts of this.rows) {
      counts.forEach((_, at) => {
        counts[at] = (counts[2 * at] ?? 0) + (counts[2 * at + 1] ?? 0);
      });
    }
  }
}

export const MOST_INTERVALS = 120;

export class Timeline {
  readonly #series: Series[] = [];
  #startMs: number | undefined;
  #widthMs: number;
  #last = -1;

  /** @param widthMs of an interval, at first. */
  constructor(widthMs = 1000) {
    this.#widthMs = widthMs;
  }

  /** Counts along this timeline. */
  series(rows: number): Series {
    const series = new Series(rows, MOST_INTERVALS);
    this.#series.push(series);
    return series;
  }

  /** The interval of that time. What was before the first time that was asked for is in the first one. */
  intervalOf(atMs: number): number {
    this.#startMs ??= Math.floor(atMs / this.#widthMs) * this.#widthMs;
    let interval = Math.floor((atMs - this.#startMs) / this.#widthMs);
    while (interval >= MOST_INTERVALS) {
      for (const series of this.#series) series.halve();
      this.#widthMs *= 2;
      this.#last = Math.floor(this.#last / 2);
      interval = Math.floor((atMs - this.#startMs) / this.#widthMs);
    }
    const found = Math.max(0, interval);
    this.#last = Math.max(this.#last, found);
    return found;
  }

  get startMs(): number {
    return this.#startMs ?? 0;
  }

  get widthMs(): number {
    return this.#widthMs;
  }

  /** How many intervals there are so far. */
  get intervals(): number {
    return this.#last + 1;
  }
}
