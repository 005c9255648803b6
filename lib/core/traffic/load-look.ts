// What autoscaling reads of the measures of a data plane: how much there was to do since its start.

import type { LoadLook } from '../fleet/autoscale.ts';
import { FRONT_LAYOUT, NO_SEAT, REASONS, SEAT_LAYOUT, TIME_CELLS } from './measures.ts';
import type { PlaneReading } from './plane-reading.ts';

// Of requests that no replica got, since there were too many.
const TOO_MANY = (['shed', 'overloaded'] as const).map((reason) => SEAT_LAYOUT.losses + REASONS.indexOf(reason));
const SUM = TIME_CELLS - 1;

/** @param atMs when that was read. */
export function loadLook({ seats, threads }: PlaneReading, atMs: number): LoadLook {
  const heldMs = 1000 * sum(threads.map(({ cells }) => cells[FRONT_LAYOUT.held] as number));
  const none = seats.get(NO_SEAT);
  const refused = none === undefined ? 0 : sum(TOO_MANY.map((cell) => none[cell] as number));
  const served = Array.from(seats).flatMap(([seat, cells]) => (seat === NO_SEAT ? [] : [cells]));
  return {
    atMs,
    heldMs,
    refused,
    served: sum(served.map((cells) => sum(cells.subarray(SEAT_LAYOUT.duration, SEAT_LAYOUT.duration + SUM)))),
    // Without the time in line.
    servedMs: 1000 * sum(served.map((cells) => at(cells, SEAT_LAYOUT.duration) - at(cells, SEAT_LAYOUT.queue))),
  };
}

function at(cells: Float64Array, histogram: number): number {
  return cells[histogram + SUM] as number;
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
