// What came between the requests of one visit. A sketch does not keep it if visits are long, but how many keys and
// requests there were in the same time is known. A cache must have room for what came in between, so without this
// every repeat within half a minute would be taken for a hit. Keys are taken for equally frequent and their requests
// for independent, which is the model of Fagin, "Asymptotic Miss Ratios over Independent References", 1977, at its
// simplest.

import type { VisitColumns } from './reading.ts';

/** Up to that, nothing is taken to come in between, in ms. */
const SHORT_MS = 1000;
/** Repeats of a visit are parted into so many cases that are equally likely. */
const CASES = 8;
const NOTHING: readonly number[] = [0];

/** What came in the sample while the visits lasted that began at one time. */
interface Span {
  bytes: number;
  keys: number;
  requests: number;
}

export class Repeats {
  // By when they began.
  readonly #spans = new Map<number, Span>();

  /** @param sizeAt of the object of each visit, in bytes. */
  constructor({ agoMs, lastsMs, counts }: VisitColumns, sizeAt: (row: number) => number) {
    for (let row = 0; row < agoMs.length; row++) {
      if ((lastsMs[row] as number) <= SHORT_MS) continue;
      const beganMs = agoMs[row] as number;
      const span = this.#spans.get(beganMs) ?? { bytes: 0, keys: 0, requests: 0 };
      this.#spans.set(beganMs, span);
      span.bytes += sizeAt(row);
      span.keys += 1;
      span.requests += counts[row] as number;
    }
  }

  /**
   * Bytes of the sample that come at all seats between two requests of a visit that began then and has so many, in
   * equally likely cases. After g of its mean gaps, exp(-g × others' rate / its rate) of the others have not come, and
   * g is exponentially distributed.
   */
  between(agoMs: number, count: number): readonly number[] {
    const span = this.#spans.get(agoMs);
    if (span === undefined) return NOTHING;
    const perRepeat = span.requests / (span.keys * count);
    return Array.from({ length: CASES }, (_, at) => span.bytes * (1 - (1 - (at + 0.5) / CASES) ** perRepeat));
  }
}
