// What is known of the fleet: the wanted seats, each in one phase of its life, and the replicas on their way out; and the two
// views of it that others are shown. How it changes is fleet.ts.
//
//   vacant ──start──▶ starting ──it is up──▶ started ──first good probe──▶ serving ──convicted──▶ down
//      ▲                  │                     │                            │ ▲                    │
//      │                  │                     │                            │ └─── good probes ────┘
//      └──────────────────┴──── lost: failed, timed out, exited, convicted ──┘   (the old replica becomes `leaving`)
//
// A replica is given if somebody else runs it, at an address that we were told. Its seat begins as `started` and is
// never vacant, since nobody here could start another. Only such a replica can be `down`: it cannot be ended, and the
// requests that it has may still be answered.

import type { Address, ReplicaRef } from '../ports.ts';
import type { SeatId } from '../ring/ring.ts';
import type { Health, ProbeFailure } from './health.ts';

export type Seat = ServingSeat | DownSeat | WaitingSeat;

interface AnySeat {
  /** The replica that it has, or waits for. */
  readonly replica: ReplicaRef;
  /** Grows in the order in which hostnames joined: a start that is repeated under the same name does not change it. */
  readonly joined: number;
  /** When a replica first served in it; `undefined` until then. A seat of the first ones has served since ever. */
  readonly firstServedMs: number | undefined;
  readonly lapses: Lapses;
  /** It was asked for by that name, and is to have no other before it has served. */
  readonly insists: boolean;
  /** Somebody else runs the replica, at an address that was given: it is neither started, stopped nor replaced here. */
  readonly isGiven: boolean;
}

export type ServingSeat = AnySeat & {
  readonly phase: 'serving';
  readonly address: Address;
  readonly sinceMs: number;
  readonly health: Health;
};

export type WaitingSeat = AnySeat & {
  /** The seat as it was with a replica that was convicted, but is better than none: it is routed to until the next one serves. */
  readonly predecessor?: ServingSeat | undefined;
} & (
    | { readonly phase: 'vacant'; readonly startAtMs: number }
    | { readonly phase: 'starting'; readonly giveUpAtMs: number }
    | {
        readonly phase: 'started';
        readonly giveUpAtMs: number;
        readonly address: Address;
        readonly sinceMs: number;
        /** It has long been up: an earlier process left it. */
        readonly isOld?: boolean;
        /** Why it does not serve, once that is worth telling. */
        readonly complaint?: ProbeFailure | undefined;
      }
  );

/** Of a given replica, after its conviction. */
export type DownSeat = AnySeat & {
  readonly phase: 'down';
  readonly address: Address;
  readonly sinceMs: number;
  readonly complaint: ProbeFailure;
  /** Probes in a row since it went down that failed, and that succeeded. */
  readonly bad: number;
  readonly good: number;
};

/** How often a seat has lost its replica without a stable life between, and why it did the last time. */
export interface Lapses {
  readonly count: number;
  readonly reason: string;
  /** Trying again cannot help: the hostname is another's, say. */
  readonly final: boolean;
}

export const NO_LAPSES: Lapses = { count: 0, reason: '', final: false };

/** A replica on its way out. `drains`: it may finish its requests first. */
export interface Leaving {
  readonly replica: ReplicaRef;
  readonly drains: boolean;
  /** Somebody else runs it: it is let go, not stopped. */
  readonly isGiven: boolean;
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

/** @param lastIncarnation larger than any that an earlier process of this fleet may still bring up. */
export function emptyFleet(nameSeed: number, lastIncarnation = 0): FleetState {
  return { seats: [], leaving: [], lastIncarnation, nameSeed };
}

/** Places on the ring that a seat may have. */
export const MAX_WEIGHT = 16;

/** A replica that may be routed to. */
export interface Route {
  readonly replica: ReplicaRef;
  readonly address: Address;
  /** A request or a probe failed there and no probe has succeeded since: last choice. */
  readonly suspected: boolean;
  readonly weight: number;
}

/** Those that serve. `failOpen`: where none does, those whose heartbeats fail though somebody listens there, as last choice. */
export function routes(state: FleetState, failOpen = false): Route[] {
  const serving = state.seats.flatMap((seat) => {
    const held = seat.phase === 'serving' ? seat : predecessorOf(seat);
    return held === undefined ? [] : [routeTo(held, held.address, held.health.suspected)];
  });
  if (serving.length > 0 || !failOpen) return serving;
  return state.seats.flatMap((seat) =>
    seat.phase === 'down' && seat.complaint.kind !== 'refused' ? [routeTo(seat, seat.address, true)] : [],
  );
}

function routeTo({ replica }: Seat, address: Address, suspected: boolean): Route {
  return { replica, address, suspected, weight: placesOf(replica).length };
}

/** Replicas that get no requests for now, but finish what they have and may come back. */
export function resting(state: FleetState): ReplicaRef[] {
  return state.seats.flatMap((seat) => (seat.phase === 'down' ? [seat.replica] : []));
}

/** The seat as it was with the replica that is still routed to in it, though another is wanted there. */
export function predecessorOf(seat: Seat): ServingSeat | undefined {
  return seat.phase === 'serving' || seat.phase === 'down' ? undefined : seat.predecessor;
}

export function predecessors(state: FleetState): ServingSeat[] {
  return state.seats.flatMap((seat) => predecessorOf(seat) ?? []);
}

/** All replicas that are there or wanted, also those on their way out. */
export function allReplicas(state: FleetState): ReplicaRef[] {
  return [...state.seats, ...predecessors(state), ...state.leaving].map((one) => one.replica);
}

/** The replica of every wanted seat, there or on its way, in the order in which they joined. */
export function members(state: FleetState): ReplicaRef[] {
  return state.seats.toSorted((a, b) => a.joined - b.joined).map((seat) => seat.replica);
}

/** Replicas that may finish what they have. Of any other that is not routed to, nothing is to be expected. */
export function draining(state: FleetState): ReplicaRef[] {
  return state.leaving.filter((one) => one.drains).map((one) => one.replica);
}

/** The hostname of the replica in that seat, there or on its way. */
export function hostnameIn(state: FleetState, seat: SeatId): string | undefined {
  return state.seats.find((one) => one.replica.seat === seat)?.replica.hostname;
}

/** The places on the ring of all wanted seats, in ascending order, and the seats that hold them. */
export function placement(state: FleetState): Map<number, SeatId> {
  const pairs = state.seats.flatMap(({ replica }) => placesOf(replica).map((place) => [place, replica.seat] as const));
  return new Map(pairs.sort(([a], [b]) => a - b));
}

/** Its own number first. */
export function placesOf(replica: ReplicaRef): readonly number[] {
  return [replica.seat, ...(replica.extraPlaces ?? [])];
}

/** The weight of each wanted seat. */
export function weightsOf(state: FleetState): Map<SeatId, number> {
  return new Map(state.seats.map(({ replica }) => [replica.seat, placesOf(replica).length]));
}

/** Where the replica of that seat runs, if it is given. */
export function givenAddress(seat: Seat): Address | undefined {
  return seat.isGiven && 'address' in seat ? seat.address : undefined;
}
