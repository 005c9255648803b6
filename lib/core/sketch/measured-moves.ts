// What a change of the fleet has moved in fact: at which seats the keys of the sample were before it, and after.

import type { Key } from '../ring/policy.ts';
import type { SeatId } from '../ring/ring.ts';
import type { Estimate } from '../what-if/key-sample.ts';
import { errorOfPart, GROUPS, groupOf, samplePoint } from '../what-if/sampling.ts';
import type { SketchReading } from './reading.ts';
import { partsOf } from './sketch-scenario.ts';

export interface MeasuredMoves {
  /** Keys of the sample that came both before the change and after it, and those of them that moved. */
  readonly seen: number;
  readonly moved: number;
  /** The part of the keys that are at another seat now than before; `null` if none came before and after. */
  readonly keys: Estimate | null;
  /** The part of the requests since then, for keys that had come before, that went to another seat than before. */
  readonly requests: Estimate | null;
}

/** @param agoMs how long ago the change was made. What came in the visits during which it was made is left out. */
export function measuredMoves({ visits, rate, seed }: SketchReading, agoMs: number): MeasuredMoves {
  const before = new Map<Key, SeatId>();
  const after = new Map<Key, SeatId>();
  const [stayed, moved] = [new Float64Array(GROUPS), new Float64Array(GROUPS)];
  for (const [row, key] of visits.keys.entries()) {
    const [beganMs, seat] = [visits.agoMs[row] as number, visits.seats[row] as SeatId];
    if (beganMs - (visits.lastsMs[row] as number) >= agoMs) before.set(key, seat);
    const known = before.get(key);
    if (beganMs > agoMs || known === undefined) continue;
    after.set(key, seat);
    const counts = known === seat ? stayed : moved;
    const group = groupOf(samplePoint(key, seed));
    counts[group] = (counts[group] as number) + (visits.counts[row] as number);
  }
  const seen = after.size;
  const others = [...after].filter(([key, seat]) => before.get(key) !== seat).length;
  if (seen === 0) return { seen, moved: 0, keys: null, requests: null };
  const value = others / seen;
  const [requests] = partsOf([moved, stayed], rate, seen) as [Estimate, Estimate];
  return { seen, moved: others, keys: { value, error: errorOfPart(others, seen, rate) }, requests };
}
