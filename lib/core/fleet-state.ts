// What is known of the fleet: the wanted seats, each in one phase of its life, and the replicas on their way out; and the two
// views of it that others are shown. How it changes is fleet.ts.
//
//   vacant ──start──▶ starting ──it is up──▶ started ──first good probe──▶ serving
//      ▲                  │                     │                            │
//      └──────────────────┴──── lost: failed, timed out, exited, convicted ──┘   (the old replica becomes `leaving`)

import type { Health } from './health.ts';
import type { Address, ReplicaRef } from './ports.ts';
import type { SeatId } from './ring.ts';

export type Seat =
  | { readonly phase: 'vacant'; readonly replica: ReplicaRef; readonly startAtMs: number; readonly lapses: Lapses }
  | { readonly phase: 'starting'; readonly replica: ReplicaRef; readonly giveUpAtMs: number; readonly lapses: Lapses }
  | {
      readonly phase: 'started';
      readonly replica: ReplicaRef;
      readonly giveUpAtMs: number;
      readonly lapses: Lapses;
      readonly address: Address;
      readonly sinceMs: number;
    }
  | {
      readonly phase: 'serving';
      readonly replica: ReplicaRef;
      readonly lapses: Lapses;
      readonly address: Address;
      readonly sinceMs: number;
      readonly health: Health;
    };

/** How often a seat has lost its replica without a stable life between, and why it did the last time. */
export interface Lapses {
  readonly count: number;
  readonly reason: string;
}

/** A replica on its way out. `drains`: it may finish its requests first. */
export interface Leaving {
  readonly replica: ReplicaRef;
  readonly drains: boolean;
  readonly failedStops: number;
  readonly retryAtMs: number;
}

export interface FleetState {
  /** The wanted seats by ascending number. A vacant seat already knows the replica that it waits for. */
  readonly seats: readonly Seat[];
  readonly leaving: readonly Leaving[];
  readonly lastIncarnation: number;
  /** Seed of the random names. */
  readonly nameSeed: number;
}

export function emptyFleet(nameSeed: number): FleetState {
  return { seats: [], leaving: [], lastIncarnation: 0, nameSeed };
}

/** A replica that may be routed to. */
export interface Route {
  readonly replica: ReplicaRef;
  readonly address: Address;
  /** A request or a probe failed there and no probe has succeeded since: last choice. */
  readonly suspected: boolean;
}

export function routes(state: FleetState): Route[] {
  return state.seats.flatMap((seat) =>
    seat.phase === 'serving'
      ? [{ replica: seat.replica, address: seat.address, suspected: seat.health.suspected }]
      : [],
  );
}

/** The replica of every wanted seat, there or on its way, in the order in which they joined. */
export function members(state: FleetState): ReplicaRef[] {
  return state.seats.map((seat) => seat.replica).sort((a, b) => a.incarnation - b.incarnation);
}

export function wantedSeats(state: FleetState): SeatId[] {
  return state.seats.map((seat) => seat.replica.seat);
}
