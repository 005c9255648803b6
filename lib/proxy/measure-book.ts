// What one thread of the data plane measures for monitoring: at each seat, from its first replica on for as long as the
// process runs, and at its front. What it is made of is in lib/core/traffic/measures.ts.

import type { SeatId } from '../core/ring/ring.ts';
import { FRONT_LAYOUT, FrontMeasures, SEAT_LAYOUT, SeatMeasures } from '../core/traffic/measures.ts';
import { addLoads, type PlaneReading, type SeatLoad } from '../core/traffic/plane-reading.ts';

/** A seat, or the front of a thread. */
export type MeasuredBlock = SeatId | 'front';

interface LoadedAgent {
  readonly replica: { readonly seat: SeatId };
  readonly seatLoad: SeatLoad;
}

/** Who knows the connections and the lines of a thread. */
interface Waits {
  readonly ledger: { readonly ownConnections: number; readonly ownWaiting: number };
  readonly returns: { readonly size: number };
}

/** How many numbers are kept there. */
export function cellsIn(block: MeasuredBlock): number {
  return block === 'front' ? FRONT_LAYOUT.size : SEAT_LAYOUT.size;
}

export class MeasureBook {
  readonly front: FrontMeasures;
  readonly #cellsOf: (block: MeasuredBlock) => Float64Array;
  readonly #seats = new Map<SeatId, SeatMeasures>();

  /** @param cellsOf gives memory of `cellsIn` numbers, all 0. */
  constructor(cellsOf = (block: MeasuredBlock): Float64Array => new Float64Array(cellsIn(block))) {
    this.#cellsOf = cellsOf;
    this.front = new FrontMeasures(cellsOf('front'));
  }

  /** Where what happens at that seat is measured. */
  at(seat: SeatId): SeatMeasures {
    const known = this.#seats.get(seat);
    if (known !== undefined) return known;
    const made = new SeatMeasures(this.#cellsOf(seat));
    this.#seats.set(seat, made);
    return made;
  }

  /** Copies of all that was measured in that thread, with what there is at the moment. */
  read(thread: string, { ledger, returns }: Waits, agents: Iterable<LoadedAgent>): PlaneReading {
    const loads = new Map<SeatId, SeatLoad>();
    for (const { replica, seatLoad } of agents) {
      const known = loads.get(replica.seat);
      loads.set(replica.seat, known === undefined ? seatLoad : addLoads(known, seatLoad));
    }
    return {
      seats: new Map(Array.from(this.#seats, ([seat, { cells }]) => [seat, cells.slice()])),
      loads,
      threads: [
        {
          thread,
          cells: this.front.cells.slice(),
          clients: ledger.ownConnections,
          waiting: ledger.ownWaiting,
          waitingForReturn: returns.size,
          activeSeconds: performance.eventLoopUtilization().active / 1000,
        },
      ],
    };
  }
}
