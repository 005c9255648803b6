// Makes the fleet what a list of members says, whatever it was before, so that all balancers with the same list have
// the same seats and the same ring. Who stands in the list under the same seat, name and address is the same life, and
// nothing happens to it; another address or name is the next life in that seat. How well each one is, is not in the
// list: every balancer finds that out by itself, and it never touches the ring.

import { foldedAddress } from '../address.ts';
import {
  type FleetState,
  NO_LAPSES,
  placesOf,
  predecessorOf,
  type Seat,
  type ServingSeat,
} from '../fleet/fleet-state.ts';
import { sameHostname } from '../fleet/replica-name.ts';
import { leave, nextReplica, replaceSeat, withoutSeats } from '../fleet/seats.ts';
import type { Member, ReplicaRef } from '../ports.ts';

const NO_ADDRESS = { ...NO_LAPSES, reason: 'the list of members has no address for it' };

/**
 * The state with these members in their seats and no others.
 * @param slowly new seats take over their slots by a slow start.
 */
export function withMembers(state: FleetState, members: readonly Member[], slowly: boolean, atMs: number): FleetState {
  const wanted = new Set(members.map(seatOf));
  const gone = state.seats.map(({ replica }) => replica.seat).filter((seat) => !wanted.has(seat));
  return members.reduce(
    (fleet, member, index) => withMember(fleet, member, index + 1, slowly, atMs),
    withoutSeats(state, gone, atMs),
  );
}

function withMember(state: FleetState, member: Member, joined: number, slowly: boolean, atMs: number): FleetState {
  const seat = state.seats.find(({ replica }) => replica.seat === seatOf(member));
  if (seat === undefined) {
    const firstServedMs = slowly ? undefined : Number.NEGATIVE_INFINITY;
    return withLife(state, member, { joined, firstServedMs, predecessor: undefined }, atMs);
  }
  if (isSameLife(seat, member)) return replaceSeat(state, seat.replica.incarnation, (one) => told(one, member, joined));
  const before = seat.phase === 'serving' ? seat : predecessorOf(seat);
  // The one before gets requests until the next one has passed a heartbeat, as in a roll. Where there is no next one
  // yet, it has ended or is about to.
  const predecessor = member.address === undefined ? undefined : before;
  const leaving = [before === seat ? undefined : seat, predecessor === undefined ? before : undefined]
    .filter((one) => one !== undefined && one.phase !== 'vacant')
    .map((one) => ({ ...leave((one as Seat).replica, true, atMs), isGiven: true }));
  const rest = {
    ...state,
    seats: state.seats.filter((one) => one !== seat),
    leaving: [...state.leaving, ...leaving],
  };
  return withLife(rest, member, { joined, firstServedMs: seat.firstServedMs, predecessor }, atMs);
}

interface Kept {
  readonly joined: number;
  readonly firstServedMs: number | undefined;
  readonly predecessor: ServingSeat | undefined;
}

function withLife(state: FleetState, member: Member, { predecessor, ...kept }: Kept, atMs: number): FleetState {
  const replica = nextReplica(state, placed(member), member.hostname);
  const common = {
    ...{ ...kept, replica, insists: true, isGiven: true },
    ...(member.isDrained ? { isDrained: true } : {}),
    ...(predecessor === undefined ? {} : { predecessor, isReplacement: true }),
  };
  const never = Number.POSITIVE_INFINITY;
  const { address } = member;
  const added: Seat =
    address === undefined
      ? { ...common, lapses: NO_ADDRESS, phase: 'vacant', startAtMs: never }
      : { ...common, lapses: NO_LAPSES, phase: 'started', address, sinceMs: atMs, giveUpAtMs: never };
  return {
    ...state,
    lastIncarnation: replica.incarnation,
    seats: [...state.seats, added].sort((a, b) => a.replica.seat - b.replica.seat),
  };
}

function isSameLife(seat: Seat, { hostname, address }: Member): boolean {
  const has = 'address' in seat ? seat.address : undefined;
  if (!seat.isGiven || !sameHostname(seat.replica.hostname, hostname)) return false;
  return has === undefined || address === undefined ? has === address : foldedAddress(has) === foldedAddress(address);
}

// The same life, with what the list says of it now.
function told(seat: Seat, member: Member, joined: number): Seat {
  const samePlaces = placesOf(seat.replica).join() === member.places.join();
  if (samePlaces && (seat.isDrained === true) === member.isDrained && seat.joined === joined) return seat;
  const { isDrained: _, ...rest } = seat;
  const { incarnation, hostname } = seat.replica;
  const replica: ReplicaRef = samePlaces ? seat.replica : { ...placed(member), incarnation, hostname };
  return { ...rest, replica, joined, ...(member.isDrained ? { isDrained: true } : {}) };
}

function seatOf({ places }: Member): number {
  return places[0] as number;
}

function placed(member: Member): Pick<ReplicaRef, 'seat' | 'extraPlaces'> {
  const [, ...extraPlaces] = member.places;
  return extraPlaces.length === 0 ? { seat: seatOf(member) } : { seat: seatOf(member), extraPlaces };
}
