// What a pair of hash functions is, and how a ring is built from one: place by place, virtual node by virtual node.
// table.ts has the pairs that there are.

import { HashRing, type RingPoint, type SeatId } from '../ring.ts';

/** Two pure functions, chosen with `--hash`. Both may return any integer, which is taken modulo M. */
export interface HashPair {
  /** The slot of a request. `key` is the request id, or the 32-bit hash of a client, header, cookie, query or path. */
  requestSlot(key: number, slots: number): number;
  /**
   * The slot of virtual node `index` = 0 … K-1 of a place 1, 2, …, which some seat holds; `undefined` if the place gets
   * no more.
   */
  virtualNodeSlot(place: number, index: number, slots: number, virtualNodes: number): number | undefined;
  /**
   * If several places want a slot the highest one gets it. Otherwise the lowest one does, and the others take the next
   * free slot.
   */
  readonly takesOver?: boolean;
}

/**
 * The ring of a set of places, each with the seat that holds it. It is the same for the same places, in whatever order
 * they came. A seat of weight 1 holds one place, its own number; a seat of weight 2 holds another one beside it, and so
 * on.
 */
export function buildRing(
  places: ReadonlyMap<number, SeatId>,
  pair: HashPair,
  slots: number,
  virtualNodes: number,
): HashRing {
  const ordered = [...places].sort(([a], [b]) => a - b);
  const perPlace = pair.takesOver ? virtualNodes : nodesThatFit(ordered.at(-1)?.[0] ?? 1, slots, virtualNodes);
  // The seat on each slot. 0 means none, since there is no seat 0.
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

// Goes round at most once: a full ring has no free slot.
function freeSlot(holders: Uint32Array, wanted: number): number | undefined {
  for (let step = 0; step < holders.length; step++) {
    const slot = (wanted + step) % holders.length;
    if (holders[slot] === 0) return slot;
  }
  return undefined;
}

/**
 * K, or fewer if a place that probes would find no free slot. Then every place gets fewer, so that the last one is not
 * left without any. When the number of places crosses M / K, keys also move between seats that stay.
 */
function nodesThatFit(highestPlace: number, slots: number, virtualNodes: number): number {
  return Math.max(1, Math.min(virtualNodes, Math.floor(slots / highestPlace)));
}

/** `value` mod `slots` in 0 … slots-1, for negative values too. */
export function modulo(value: number, slots: number): number {
  const rest = value % slots;
  return rest < 0 ? rest + slots : rest;
}
