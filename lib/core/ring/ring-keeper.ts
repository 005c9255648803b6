// Keeps the ring of a fleet. It is built anew when the wanted seats change, and in steps while a seat starts slowly;
// otherwise the same object is given again. Health never changes it.

import { type FleetState, placement } from '../fleet/fleet-state.ts';
import { buildRing, type HashPair } from './hashes/hash-pair.ts';
import { type RingPolicy, ringPolicy } from './policy.ts';
import type { HashRing, SeatId } from './ring.ts';
import { type Starter, withSlowStart } from './slow-start.ts';

export interface RingSettings {
  readonly pair: HashPair;
  readonly slots: number;
  readonly virtualNodes: number;
  /** Time over which a seat that joins takes its slots, in ms; 0 for at once. */
  readonly slowStartMs: number;
}

export interface KeptRing {
  /** The ring of the wanted seats. */
  readonly ring: HashRing;
  /** What requests go by: the same ring, but for slow starts. */
  readonly policy: RingPolicy;
  /** When the policy changes next if nothing else happens; Infinity if it does not. */
  readonly nextChangeMs: number;
}

// In how many steps a slow start is made.
const STEPS = 50;

export class RingKeeper {
  #settings: RingSettings;
  // Rings that were made are of another pair.
  #isStale = false;
  #seats = '';
  #ring: HashRing;
  #starting = '';
  #starters: readonly Starter[] = [];
  #progress = '';
  #policy: RingPolicy;

  constructor(settings: RingSettings) {
    this.#settings = settings;
    this.#ring = this.build(new Map());
    this.#policy = ringPolicy(this.#ring, settings.pair);
  }

  /** Makes rings by these from now on: the next `keep` gives one. */
  change(settings: Pick<RingSettings, 'pair' | 'slowStartMs'>): void {
    this.#isStale ||= settings.pair !== this.#settings.pair;
    this.#settings = { ...this.#settings, ...settings };
  }

  /**
   * Does in advance what the first ring with this many places would have to do. For a large ring that takes too long
   * while traffic waits.
   */
  prepare(places: number): void {
    const { pair, slots, virtualNodes } = this.#settings;
    if (pair.takesOver) pair.virtualNodeSlot(places, 0, slots, virtualNodes);
  }

  /** The ring of any set of places, each with the seat that holds it. */
  build(places: ReadonlyMap<number, SeatId>): HashRing {
    const { pair, slots, virtualNodes } = this.#settings;
    return buildRing(places, pair, slots, virtualNodes);
  }

  keep(state: FleetState, nowMs: number): KeptRing {
    const places = placement(state);
    const seats = [...places].join(';');
    const taken = this.#slowStarts(state, nowMs);
    const starting = [...taken.keys()].join(';');
    const progress = [...taken].join(';');
    const sameSeats = seats === this.#seats && !this.#isStale;
    this.#isStale = false;
    if (!sameSeats) this.#ring = this.build(places);
    if (!sameSeats || starting !== this.#starting) this.#starters = this.#chain(places, [...taken.keys()]);
    if (!sameSeats || progress !== this.#progress) {
      this.#policy = ringPolicy(withSlowStart(this.#ring, this.#starters, taken), this.#settings.pair);
    }
    this.#seats = seats;
    this.#starting = starting;
    this.#progress = progress;
    const stepMs = this.#settings.slowStartMs / STEPS;
    const running = state.seats.some((seat) => taken.has(seat.replica.seat) && seat.firstServedMs !== undefined);
    return {
      ring: this.#ring,
      policy: this.#policy,
      nextChangeMs: running ? nowMs + stepMs : Number.POSITIVE_INFINITY,
    };
  }

  // Seats that start slowly, the youngest first: those that do not serve yet, then by the time since which they serve.
  #slowStarts(state: FleetState, nowMs: number): Map<SeatId, number> {
    const { slowStartMs } = this.#settings;
    if (slowStartMs === 0) return new Map();
    const since = ({ firstServedMs }: { firstServedMs: number | undefined }) =>
      firstServedMs ?? Number.POSITIVE_INFINITY;
    const starting = state.seats.filter((seat) => nowMs - since(seat) < slowStartMs);
    // Not compared by difference: Infinity - Infinity is NaN for two seats that do not serve yet.
    const youngestFirst = starting.toSorted((a, b) =>
      since(a) === since(b) ? b.replica.seat - a.replica.seat : since(a) < since(b) ? 1 : -1,
    );
    return new Map(
      youngestFirst.map((seat) => {
        const part = Math.max(0, (nowMs - since(seat)) / slowStartMs);
        return [seat.replica.seat, Math.floor(part * STEPS) / STEPS];
      }),
    );
  }

  #chain(places: ReadonlyMap<number, SeatId>, youngestFirst: readonly SeatId[]): Starter[] {
    const left = new Map(places);
    return youngestFirst.map((seat) => {
      for (const [place, holder] of left) if (holder === seat) left.delete(place);
      return { seat, without: this.build(left) };
    });
  }
}
