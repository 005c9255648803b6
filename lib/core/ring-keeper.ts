// The ring for a fleet as it is: built anew when the wanted seats change, and in steps while a seat starts slowly, and otherwise
// the same object. Health never changes it.

import { type FleetState, placement } from './fleet-state.ts';
import { buildRing, type HashPair } from './hashes/hash-pair.ts';
import { type RingPolicy, ringPolicy } from './policy.ts';
import type { HashRing, SeatId } from './ring.ts';
import { withSlowStart } from './slow-start.ts';

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
  /** What requests go by: the same but for slow starts. */
  readonly policy: RingPolicy;
  /** When the policy will be another, if nothing happens before; Infinity if never. */
  readonly nextChangeMs: number;
}

// In how many steps a slow start is made.
const STEPS = 50;

export class RingKeeper {
  readonly #settings: RingSettings;
  #seats = '';
  #ring: HashRing;
  #progress = '';
  #policy: RingPolicy;

  constructor(settings: RingSettings) {
    this.#settings = settings;
    this.#ring = this.build(new Map());
    this.#policy = ringPolicy(this.#ring, settings.pair);
  }

  /** The ring of any set of places, and the seats that hold them. */
  build(places: ReadonlyMap<number, SeatId>): HashRing {
    const { pair, slots, virtualNodes } = this.#settings;
    return buildRing(places, pair, slots, virtualNodes);
  }

  keep(state: FleetState, nowMs: number): KeptRing {
    const places = placement(state);
    const seats = [...places].join(';');
    const taken = this.#slowStarts(state, nowMs);
    const progress = [...taken].join(';');
    if (seats !== this.#seats) this.#ring = this.build(places);
    if (seats !== this.#seats || progress !== this.#progress) {
      const warm = this.build(new Map([...places].filter(([, seat]) => !taken.has(seat))));
      this.#policy = ringPolicy(withSlowStart(this.#ring, warm, taken), this.#settings.pair);
    }
    this.#seats = seats;
    this.#progress = progress;
    const stepMs = this.#settings.slowStartMs / STEPS;
    const running = state.seats.some((seat) => taken.has(seat.replica.seat) && seat.firstServedMs !== undefined);
    return {
      ring: this.#ring,
      policy: this.#policy,
      nextChangeMs: running ? nowMs + stepMs : Number.POSITIVE_INFINITY,
    };
  }

  #slowStarts(state: FleetState, nowMs: number): Map<SeatId, number> {
    const { slowStartMs } = this.#settings;
    const taken = new Map<SeatId, number>();
    if (slowStartMs === 0) return taken;
    for (const { replica, firstServedMs } of state.seats) {
      const part = firstServedMs === undefined ? 0 : (nowMs - firstServedMs) / slowStartMs;
      if (part < 1) taken.set(replica.seat, Math.floor(part * STEPS) / STEPS);
    }
    return taken;
  }
}
