// Where the virtual nodes of the even ring lie. The ring is made of arcs; an arc belongs to the virtual node at its
// end. Seat 1 has the whole ring in K equal arcs. Each further seat n cuts pieces off the fronts of at most K arcs of
// the seats that hold most, ⌊M / n⌋ slots in all, so that the shares come out equal:
//
//      before   ──────────────────●a        all of it goes to a
//      after    ───────●n─────────●a        the front goes to n, the rest to a as before
//
// A piece is followed by the arc that it was cut from, so when n is lost every slot goes back to where it came from. A
// virtual node never moves, so a join moves keys only to the joiner. The choice of arcs decides who inherits what when
// another seat is lost: each seat's arcs should be followed by arcs of as many different seats as possible. Where arcs
// have become too short to be cut, n takes whole ones. Two seats then want the same slot, and the higher one has it
// while it is there.

import type { SeatId } from '../ring.ts';

interface Arc {
  readonly seat: SeatId;
  /** The slot of its virtual node. */
  readonly end: number;
  length: number;
  previous: Arc;
  next: Arc;
}

/** What one seat gives to a joiner: how many slots, and in how many pieces. */
interface Gift {
  readonly from: SeatId;
  slots: number;
  pieces: number;
  /** Arcs that can give something, the longest first. */
  readonly arcs: Arc[];
  /** How many slots a piece must leave of its arc: the virtual node's own, or none if slots would not suffice. */
  leaves: 0 | 1;
}

export class EvenLayout {
  readonly #slots: number;
  readonly #virtualNodes: number;
  // Indexed by seat; there is no seat 0.
  readonly #arcs: Arc[][] = [[]];
  readonly #ends: number[][] = [[]];
  readonly #shares: number[] = [0];
  // By pair of seats: slots in arcs of the first that are followed by an arc of the second, which inherits them.
  readonly #inherited = new Map<number, number>();

  /** @param slots M, 1 or more. @param virtualNodes K, 1 or more; more than M count as M. */
  constructor(slots: number, virtualNodes: number) {
    this.#slots = slots;
    this.#virtualNodes = Math.min(slots, virtualNodes);
  }

  /** The slots of a seat's virtual nodes, at most K. If a higher seat wants one of them too, that seat has it. */
  virtualNodes(seat: SeatId): number[] {
    while (this.#arcs.length <= seat) this.#join(this.#arcs.length);
    return this.#ends[seat] as number[];
  }

  #join(seat: SeatId): void {
    this.#arcs.push([]);
    this.#shares.push(0);
    if (seat === 1) this.#divide();
    for (const gift of seat === 1 ? [] : this.#gifts(seat)) {
      while (gift.slots > 0 && gift.pieces > 0) this.#cut(seat, gift, ...this.#chooseArc(seat, gift));
    }
    this.#ends.push((this.#arcs[seat] as Arc[]).map((arc) => arc.end));
  }

  // Gives seat 1 its K arcs, as equal as whole slots allow.
  #divide(): void {
    const bound = (index: number) => Math.floor((index * this.#slots) / this.#virtualNodes);
    const arcs = Array.from(
      { length: this.#virtualNodes },
      (_, index) => ({ seat: 1, end: bound(index + 1) - 1, length: bound(index + 1) - bound(index) }) as Arc,
    );
    arcs.forEach((arc, index) => {
      arc.previous = arcs.at(index - 1) as Arc;
      arc.next = arcs[(index + 1) % arcs.length] as Arc;
    });
    this.#arcs[1] = arcs;
    this.#shares[1] = this.#slots;
    this.#inherit(1, 1, this.#slots);
  }

  // Takes slot by slot from whoever holds most at that moment, which levels the shares as far as K givers can.
  #gifts(seat: SeatId): Gift[] {
    const givers = Array.from({ length: seat - 1 }, (_, index) => index + 1)
      .sort((a, b) => this.#share(b) - this.#share(a) || a - b)
      .slice(0, this.#virtualNodes)
      .map((from): Gift => {
        const arcs = (this.#arcs[from] as Arc[]).toSorted((a, b) => b.length - a.length || a.end - b.end);
        return { from, slots: 0, pieces: 0, arcs, leaves: 1 };
      });
    const wanted = Math.floor(this.#slots / seat);
    const missing = this.#level(givers, wanted);
    for (const giver of givers) {
      if (missing > 0) giver.leaves = 0;
      else giver.arcs.splice(giver.arcs.findLastIndex((arc) => arc.length > 1) + 1);
    }
    this.#level(givers, missing);
    return dealPieces(
      givers.filter((giver) => giver.slots > 0),
      this.#virtualNodes,
    );
  }

  // Spreads `slots` that the joiner wants over the givers, each of which keeps some. Returns how many nobody can give.
  #level(givers: readonly Gift[], slots: number): number {
    const spares = givers.map(({ from, arcs, leaves }) => this.#share(from) - (leaves === 1 ? arcs.length : 1));
    for (let left = slots; left > 0; left--) {
      let most = -1;
      let richest: Gift | undefined;
      givers.forEach((giver, index) => {
        const holds = this.#share(giver.from) - giver.slots;
        if (giver.slots < (spares[index] as number) && holds > most) [most, richest] = [holds, giver];
      });
      if (richest === undefined) return left;
      (richest as Gift).slots += 1;
    }
    return 0;
  }

  // Chooses the arc to cut next, and the length of the piece. The other arcs must be able to give the rest; of the arcs
  // that fulfil this, it takes the one after which inheritances are spread best. The measure is the sum of v^2.5, which
  // falls fastest where the largest v falls.
  #chooseArc(seat: SeatId, gift: Gift): [arc: Arc, length: number] {
    const { arcs, pieces, slots, from, leaves } = gift;
    const others = arcs.slice(0, pieces).reduce((sum, arc) => sum + arc.length - leaves, 0);
    let best: [Arc, number] | undefined;
    let least = Number.POSITIVE_INFINITY;
    arcs.forEach((arc, index) => {
      // How much the longest `pieces - 1` other arcs can give.
      const elsewhere = others - ((index < pieces ? arc : (arcs[pieces - 1] as Arc)).length - leaves);
      const length = Math.min(arc.length - leaves, Math.max(Math.ceil(slots / pieces), slots - elsewhere));
      const missing = Math.max(0, slots - elsewhere - length);
      const cost = missing * 1e12 + this.#unevenness(seat, from, arc, length);
      if (cost < least) [least, best] = [cost, [arc, length]];
    });
    return best as [Arc, number];
  }

  #unevenness(seat: SeatId, from: SeatId, arc: Arc, length: number): number {
    const { previous, next } = arc;
    const change = (lost: SeatId, heir: SeatId, slots: number) => {
      const now = this.#inherited.get(pairOf(lost, heir)) ?? 0;
      return power(now + slots) - power(now);
    };
    return (
      change(previous.seat, from, -previous.length) +
      change(previous.seat, seat, previous.length) +
      change(from, next.seat, -length) +
      change(seat, length === arc.length ? next.seat : from, length)
    );
  }

  #cut(seat: SeatId, gift: Gift, arc: Arc, length: number): void {
    const { previous } = arc;
    const whole = length === arc.length;
    // If this seat is lost, a whole arc really goes back to its giver. So few slots are not worth keeping account of.
    const heir = whole ? arc.next : arc;
    const piece: Arc = { seat, end: arc.end - arc.length + length, length, previous, next: heir };
    this.#inherit(previous.seat, arc.seat, -previous.length);
    this.#inherit(previous.seat, seat, previous.length);
    this.#inherit(arc.seat, arc.next.seat, -length);
    this.#inherit(seat, heir.seat, length);
    previous.next = piece;
    piece.next.previous = piece;
    arc.length -= length;
    if (whole) this.#arcs[arc.seat] = (this.#arcs[arc.seat] as Arc[]).filter((one) => one !== arc);
    this.#shares[arc.seat] = this.#share(arc.seat) - length;
    this.#shares[seat] = this.#share(seat) + length;
    (this.#arcs[seat] as Arc[]).push(piece);
    gift.arcs.splice(gift.arcs.indexOf(arc), 1);
    gift.slots -= length;
    gift.pieces -= 1;
  }

  #inherit(lost: SeatId, heir: SeatId, slots: number): void {
    const pair = pairOf(lost, heir);
    this.#inherited.set(pair, (this.#inherited.get(pair) ?? 0) + slots);
  }

  #share(seat: SeatId): number {
    return this.#shares[seat] as number;
  }
}

// Gives each gift the fewest pieces that it can come in. Pieces left over go where pieces are largest.
function dealPieces(gifts: Gift[], pieces: number): Gift[] {
  let left = pieces;
  for (const gift of gifts) {
    let had = 0;
    while (had < gift.slots) {
      had += (gift.arcs[gift.pieces] as Arc).length - gift.leaves;
      gift.pieces += 1;
    }
    left -= gift.pieces;
  }
  // If arcs are too short for that, whoever needs most pieces gives less. One piece each is always possible, since
  // there are no more givers than pieces.
  for (; left < 0; left++) {
    const most = gifts.reduce((a, b) => (b.pieces > a.pieces ? b : a));
    most.pieces -= 1;
  }
  while (left > 0) {
    const open = gifts.filter((gift) => gift.pieces < Math.min(gift.slots, gift.arcs.length));
    if (open.length === 0) break;
    const largest = open.reduce((a, b) => (b.slots / b.pieces > a.slots / a.pieces ? b : a));
    largest.pieces += 1;
    left -= 1;
  }
  return gifts;
}

function pairOf(lost: SeatId, heir: SeatId): number {
  return lost * 2 ** 20 + heir;
}

// v^2.5 by operations that are exact everywhere, so that no two balancers differ in the last bit of a power.
function power(value: number): number {
  return value * value * Math.sqrt(value);
}
