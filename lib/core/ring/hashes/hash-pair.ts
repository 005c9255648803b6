// What a named pair of hash functions is, and how a ring is built from one: place by place, virtual node by virtual node.
// Which pairs there are is the table's business (table.ts).

import { HashRing, type RingPoint, type SeatId } from '../ring.ts';

/** Two pure functions, chosen by name with `--hash`. Both may return any integer: it is taken modulo M. */
export interface HashPair {
  /** The slot of a request. `key` is the request id, or the 32-bit hash of a client, header, cookie, query or path. */
  requestSlot(key: number, slots: number): number;
  /** The slot of virtual node `index` = 0 … K-1 of place = 1, 2, … (of a seat); `undefined` if it is to have no more. */
  virtualNodeSlot(place: number, index: number, slots: number, virtualNodes: number): number | undefined;
  /** Of the places that want the same slot, the highest has it. Otherwise the lowest, and the others probe: the next free one. */
  readonly takesOver?: boolean;
}

/**
 * The ring of a set of places, and the seats that hold them: the same for the same places, whatever the order in which they
 * came. A seat of weight 1 has one place, its own number; one of weight 2 has another beside it, and so on.
 */
export function buildRing(
  places: ReadonlyMap<number, SeatId>,
  pair: HashPair,
  slots: number,
  virtualNodes: number,
): HashRing {
  const ordered = [...places].sort(([a], [b]) => a - b);
  const perPlace = pair.takesOver ? virtualNodes : nodesThatFit(ordered.at(-1)?.[0] ?? 1, slots, virtualNodes);
  // By slot; seat 0 does not exist.
  const holders = new Uint32Array(slots);
  for (const [place, seat] of ordered) {
    for (let index = 0; index < perPlace; index++) {
      const wanted = pair.virtualNodeSlot(place, index, slots, perPlace);
      if (wanted === undefined) break;
      const slot = pair.takesOver ? modulo(wanted, slots) : freeSlot(holders, modulo(wanted, slots));
      if (slot === undefined) break;
      holders[slot] = seat;
    }
  }
  const points: RingPoint[] = [];
  holders.forEach((seat, slot) => {
    if (seat !== 0) points.push({ slot, seat });
  });
  return new HashRing(points, slots);
}

// Once round at most: a full ring has none.
function freeSlot(holders: Uint32Array, wanted: number): number | undefined {
  for (let step = 0; step < holders.length; step++) {
    const slot = (wanted + step) % holders.length;
    if (holders[slot] === 0) return slot;
  }
  return undefined;
}

/**
 * K, or fewer where a place that probes would find no free slot: then every place gets fewer, so that the last is not left
 * without any. Crossing that line, M / K places, moves keys between seats that stay.
 */
function nodesThatFit(highestPlace: number, slots: number, virtualNodes: number): number {
  return Math.max(1, Math.min(virtualNodes, Math.floor(slots / highestPlace)));
}

/** `value` mod `slots` in 0 … slots-1, for negative values too. */
export function modulo(value: number, slots: number): number {
  const rest = value % slots;
  return rest < 0 ? rest + slots : rest;
}
