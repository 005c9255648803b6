// What is known of the fleet: the wanted seats, each in one phase of its life, and the replicas that are leaving. The
// functions below are views of that state; fleet.ts changes it.
//
//   vacant ──start──▶ starting ──it is up──▶ started ──first good probe──▶ serving ──convicted──▶ down
//      ▲                  │                     │                            │ ▲                    │
//      │                  │                     │                            │ └─── good probes ────┘
//      └──────────────────┴──── lost: failed, timed out, exited, convicted ──┘   (the old replica becomes `leaving`)
//
// A replica is given if somebody else runs it, at an address that we were told. Its seat begins as `started`, since we
// cannot start another one; it is vacant only while a list of members knows no address for it. Only a given replica can
// be `down`: we cannot end it, and it may still answer the requests that it has.

import type { Address, ReplicaRef } from '../ports.ts';
import type { SeatId } from '../ring/ring.ts';
import type { Health, ProbeFailure } from './health.ts';

export type Seat = ServingSeat | DownSeat | WaitingSeat;

interface AnySeat {
  /** The replica that holds the seat, or the one that the seat waits for. */
  readonly replica: ReplicaRef;
  /** Grows in the order in which hostnames joined. A start repeated under the same hostname does not change it. */
  readonly joined: number;
  /**
   * When a replica first served in this seat; `undefined` until then, -Infinity for the seats that the fleet began
   * with.
   */
  readonly firstServedMs: number | undefined;
  readonly lapses: Lapses;
  /** The hostname was asked for by name, so no other may be used before a replica has served here. */
  readonly insists: boolean;
  /** Somebody else runs the replica at a given address, so it is neither started, stopped nor replaced here. */
  readonly isGiven: boolean;
  /** The replica takes no new requests, because somebody asked for that. The next one in the seat does. */
  readonly isDrained?: boolean;
  /** The source that has found the given replica, which says too when it is gone. */
  readonly source?: string;
  /** Since when that source does not list it, or lists it without an address. It takes no new requests then. */
  readonly absentSinceMs?: number;
}

export type ServingSeat = AnySeat & {
  readonly phase: 'serving';
  readonly address: Address;
  readonly sinceMs: number;
  readonly health: Health;
};

export type WaitingSeat = AnySeat & {
  /** The seat with its convicted replica, which is better than none: it gets requests until the next one serves. */
  readonly predecessor?: ServingSeat | undefined;
  /** The predecessor is well, and is to be replaced all the same. */
  readonly isReplacement?: boolean;
} & (
    | { readonly phase: 'vacant'; readonly startAtMs: number }
    | { readonly phase: 'starting'; readonly giveUpAtMs: number }
    | {
        readonly phase: 'started';
        readonly giveUpAtMs: number;
        readonly address: Address;
        readonly sinceMs: number;
        /** An earlier process started the replica, so long ago that it should be up. */
        readonly isOld?: boolean;
        /** Since when each of its answers would not change by waiting; `undefined` if the last one was no such. */
        readonly unfitSinceMs?: number | undefined;
        /** Why the replica does not serve, once that is worth telling. */
        readonly complaint?: ProbeFailure | undefined;
      }
  );

/** The seat of a given replica after its conviction. */
export type DownSeat = AnySeat & {
  readonly phase: 'down';
  readonly address: Address;
  readonly sinceMs: number;
  readonly complaint: ProbeFailure;
  /** Failed and successful probes in a row since the replica went down. */
  readonly bad: number;
  readonly good: number;
};

/** How often a seat has lost its replica without a stable life in between, and why it lost the last one. */
export interface Lapses {
  readonly count: number;
  readonly reason: string;
  /** Trying again cannot help, for example because the hostname belongs to something else. */
  readonly final: boolean;
  /** It is final because of what the replica answers to heartbeats. */
  readonly isUnfit?: boolean;
}

export const NO_LAPSES: Lapses = { count: 0, reason: '', final: false };

/** A replica that is leaving. If it `drains`, it may finish its requests first. */
export interface Leaving {
  readonly replica: ReplicaRef;
  readonly drains: boolean;
  /** Somebody else runs the replica, so it is released instead of stopped. */
  readonly isGiven: boolean;
  readonly failedStops: number;
  readonly retryAtMs: number;
}

export interface FleetState {
  /** The wanted seats by ascending number. A vacant seat already names the replica that it waits for. */
  readonly seats: readonly Seat[];
  readonly leaving: readonly Leaving[];
  readonly lastIncarnation: number;
  /** Seed of the random hostnames. */
  readonly nameSeed: number;
  /** Those that sources have found and that have no seat yet. */
  readonly newcomers?: readonly Newcomer[];
}

/** A service that a source has found beyond the seats that there are. */
export interface Newcomer {
  readonly source: string;
  readonly hostname: string;
  readonly sinceMs: number;
}

/** @param lastIncarnation is larger than any that an earlier process of this fleet may still start. */
export function emptyFleet(nameSeed: number, lastIncarnation = 0): FleetState {
  return { seats: [], leaving: [], lastIncarnation, nameSeed };
}

/** The most places on the ring that one seat may have. */
export const MAX_WEIGHT = 16;

/** A replica that may get requests. */
export interface Route {
  readonly replica: ReplicaRef;
  readonly address: Address;
  /** A request or a probe failed there and no probe has succeeded since, so it is the last choice. */
  readonly suspected: boolean;
  readonly weight: number;
}

/**
 * The replicas that serve and are not drained. If none does and `failOpen` is set: those that accept connections though
 * their heartbeats fail.
 */
export function routes(state: FleetState, failOpen = false): Route[] {
  const serving = state.seats.flatMap((seat) => {
    const held = seat.phase === 'serving' ? seat : predecessorOf(seat);
    return held === undefined || isResting(held) ? [] : [routeTo(held, held.address, held.health.suspected)];
  });
  if (serving.length > 0 || !failOpen) return serving;
  return state.seats.flatMap((seat) =>
    seat.phase === 'down' && !isResting(seat) && seat.complaint.kind !== 'refused'
      ? [routeTo(seat, seat.address, true)]
      : [],
  );
}

function routeTo({ replica }: Seat, address: Address, suspected: boolean): Route {
  return { replica, address, suspected, weight: placesOf(replica).length };
}

/** Replicas that get no new requests for now, but finish those that they have and may come back. */
export function resting(state: FleetState): ReplicaRef[] {
  return upSeats(state).flatMap((seat) => (seat.phase === 'down' || isResting(seat) ? [seat.replica] : []));
}

/** The replica takes no new requests, however well it is. */
export function isResting({ isDrained, absentSinceMs }: Seat): boolean {
  return isDrained === true || absentSinceMs !== undefined;
}

/** The seat with the convicted replica that still gets requests until its successor serves. */
export function predecessorOf(seat: Seat): ServingSeat | undefined {
  return seat.phase === 'serving' || seat.phase === 'down' ? undefined : seat.predecessor;
}

export function predecessors(state: FleetState): ServingSeat[] {
  return state.seats.flatMap((seat) => predecessorOf(seat) ?? []);
}

/** Replicas that are up, and convicted ones that still get requests until their successors serve. */
export function upSeats(state: FleetState) {
  const up = state.seats.filter((seat) => seat.phase !== 'vacant' && seat.phase !== 'starting');
  return [...up, ...predecessors(state)];
}

/** Nothing is being started or stopped, so the state says all that there is to know. */
export function isAtRest({ seats, leaving }: FleetState): boolean {
  return leaving.length === 0 && seats.every(({ phase }) => phase !== 'starting');
}

/** All replicas that run or are wanted, including those that are leaving. */
export function allReplicas(state: FleetState): ReplicaRef[] {
  return [...state.seats, ...predecessors(state), ...state.leaving].map((one) => one.replica);
}

/** The replica of every wanted seat, whether it serves yet or not, in the order in which they joined. */
export function members(state: FleetState): ReplicaRef[] {
  return state.seats.toSorted((a, b) => a.joined - b.joined).map((seat) => seat.replica);
}

/** Replicas that are leaving but may finish their requests. */
export function draining(state: FleetState): ReplicaRef[] {
  return state.leaving.filter((one) => one.drains).map((one) => one.replica);
}

/** The hostname of the replica in that seat, whether it serves yet or not. */
export function hostnameIn(state: FleetState, seat: SeatId): string | undefined {
  return state.seats.find((one) => one.replica.seat === seat)?.replica.hostname;
}

/** Every place on the ring, in ascending order, with the seat that holds it. */
export function placement(state: FleetState): Map<number, SeatId> {
  const pairs = state.seats.flatMap(({ replica }) => placesOf(replica).map((place) => [place, replica.seat] as const));
  return new Map(pairs.sort(([a], [b]) => a - b));
}

/** The places of a replica, its seat number first. */
export function placesOf(replica: ReplicaRef): readonly number[] {
  return [replica.seat, ...(replica.extraPlaces ?? [])];
}

/** The weight of each wanted seat. */
export function weightsOf(state: FleetState): Map<SeatId, number> {
  return new Map(state.seats.map(({ replica }) => [replica.seat, placesOf(replica).length]));
}

/** The address of the seat's replica, if the replica is given. */
export function givenAddress(seat: Seat): Address | undefined {
  return seat.isGiven && 'address' in seat ? seat.address : undefined;
}

/**
 * `waiting`: for its start. `suspected`: something failed there, and it has not answered since; it is the last choice.
 * `drained`: it takes no new requests, as somebody asked for. `down`: its heartbeats fail, or its source
 * does not list it, so it takes no requests.
 */
export type SeatState = 'waiting' | 'starting' | 'serving' | 'suspected' | 'drained' | 'down';

/** How the seat's replica is, in a word for people and programs. */
export function stateOf(seat: Seat): SeatState {
  switch (seat.phase) {
    case 'vacant':
      return 'waiting';
    case 'starting':
      return 'starting';
    case 'started':
      return seat.complaint === undefined ? 'starting' : 'down';
    case 'down':
      return 'down';
    case 'serving':
      if (seat.isDrained === true) return 'drained';
      if (seat.absentSinceMs !== undefined) return 'down';
      return seat.health.suspected ? 'suspected' : 'serving';
  }
}
