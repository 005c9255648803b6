// Who is in the fleet, as programs and people see it: one entry for each replica, with what may be known of it. Pure.

import { addressText } from '../core/address.ts';
import { type FleetState, placesOf, type Seat, type SeatState, stateOf } from '../core/fleet/fleet-state.ts';
import type { ReplicaRef } from '../core/ports.ts';

export interface Replica {
  readonly hostname: string;
  /** Its numbered place in the fleet and on the ring, from 1 up. Whoever replaces it takes the same one. */
  readonly seat: number;
  /** How many places on the ring it has, 1 to 16. */
  readonly weight: number;
  /** Where it listens, as `host:port` or `unix:/path`; `undefined` while it starts. */
  readonly address: string | undefined;
  readonly state: SeatState;
  /** The id of its process, if it is one that this balancer has started on this machine. */
  readonly pid: number | undefined;
}

/** Gives the id of a replica's process, if it has one here. */
export type PidOf = (replica: ReplicaRef) => number | undefined;

/** The wanted replicas in the order in which they joined. */
export function rosterOf({ seats }: FleetState, pidOf: PidOf): readonly Replica[] {
  return seats.toSorted((a, b) => a.joined - b.joined).map((seat) => entryOf(seat, pidOf));
}

/** The replica of that seat. */
export function entryOf(seat: Seat, pidOf: PidOf): Replica {
  const { replica } = seat;
  return {
    hostname: replica.hostname,
    seat: replica.seat,
    weight: placesOf(replica).length,
    address: 'address' in seat ? addressText(seat.address) : undefined,
    state: stateOf(seat),
    pid: pidOf(replica),
  };
}
