// What it means for the seats that a source, such as a name service, lists these members now. Somebody else runs them
// and replaces them as he likes: one by one, the next before or after the last. A key moves only when a seat comes or
// goes, so a seat is kept for as long as it may find an heir. One that is listed again, at whatever address, has its
// seat; one that is new takes the seat of one that is gone; only a number that stays different changes the ring.

import { foldedAddress } from '../address.ts';
import { type FleetState, givenAddress, type Newcomer, NO_LAPSES, placement, type Seat } from '../fleet/fleet-state.ts';
import { foldedHostname } from '../fleet/replica-name.ts';
import { type FleetRules, leave, nextReplica, replaceSeat, withNewSeat, withoutSeats } from '../fleet/seats.ts';
import type { Address, Finding, FoundMember } from '../ports.ts';

type Reachable = FoundMember & { readonly address: Address };

/**
 * The state after a source has told what it lists; the same object if nothing changes. A list without members changes
 * nothing, since that is rather a mistake than the end of a service.
 */
export function withFinding(state: FleetState, finding: Finding, atMs: number, rules: FleetRules): FleetState {
  const { source, members, settleMs } = finding;
  if (members.length === 0) return state;
  const own = state.seats.filter((seat) => seat.source === source);
  const listed = new Map(members.map((member) => [foldedHostname(member.hostname), member]));
  const memberIn = ({ replica }: Seat) => listed.get(foldedHostname(replica.hostname));
  const kept = own.reduce((fleet, seat) => withListing(fleet, seat, memberIn(seat), source, atMs), state);
  const vacant = own
    .filter((seat) => memberIn(seat) === undefined)
    .toSorted((a, b) => absentMs(b, atMs) - absentMs(a, atMs));
  const fresh = newcomers(state, finding, atMs);
  const heirs = settleMs === 0 ? 0 : Math.min(vacant.length, fresh.length);
  const inherited = vacant
    .slice(0, heirs)
    .reduce((fleet, seat, index) => succeeded(fleet, seat, (fresh[index] as Waiting).member, source, atMs), kept);
  const gone = vacant.slice(heirs).filter((seat) => absentMs(seat, atMs) >= settleMs);
  const left = withoutSeats(
    inherited,
    gone.map(({ replica }) => replica.seat),
    atMs,
  );
  return joined(left, fresh.slice(heirs), { ...finding, isFirst: own.length === 0 }, atMs, rules);
}

function absentMs({ absentSinceMs = Number.POSITIVE_INFINITY }: Seat, atMs: number): number {
  return Math.max(0, atMs - absentSinceMs);
}

// A seat with what its source says of it now; `undefined` if it says nothing.
function withListing(
  state: FleetState,
  seat: Seat,
  member: FoundMember | undefined,
  source: string,
  atMs: number,
): FleetState {
  const address = givenAddress(seat);
  if (member?.address === undefined || address === undefined) {
    return seat.absentSinceMs === undefined
      ? replaceSeat(state, seat.replica.incarnation, () => ({ ...seat, absentSinceMs: atMs }))
      : state;
  }
  if (foldedAddress(member.address) !== foldedAddress(address)) {
    return succeeded(state, seat, { ...member, address: member.address }, source, atMs);
  }
  if (seat.absentSinceMs === undefined) return state;
  const { absentSinceMs: _, ...present } = seat;
  return replaceSeat(state, seat.replica.incarnation, () => present);
}

/** A member without a seat, and since when it is listed. */
interface Waiting {
  readonly member: Reachable;
  readonly sinceMs: number;
}

// Those that wait longest come first. Other sources may have found the same one, which has its seat then.
function newcomers({ seats, newcomers = [] }: FleetState, { source, members }: Finding, atMs: number): Waiting[] {
  const there = new Set(seats.map(({ replica }) => foldedHostname(replica.hostname)));
  return members
    .flatMap((member): Waiting[] => {
      const { hostname, address } = member;
      if (address === undefined || there.has(foldedHostname(hostname))) return [];
      const known = newcomers.find((one) => one.source === source && one.hostname === hostname);
      return [{ member: { ...member, address }, sinceMs: known?.sinceMs ?? atMs }];
    })
    .sort((a, b) => a.sinceMs - b.sinceMs);
}

// The next one in the seat, which the one before leaves when its requests are finished.
function succeeded(
  state: FleetState,
  before: Seat,
  { hostname, address }: Reachable,
  source: string,
  atMs: number,
): FleetState {
  const replica = nextReplica(state, before.replica, hostname);
  const { firstServedMs, replica: last } = before;
  const next: Seat = {
    ...{ phase: 'started', replica, address, sinceMs: atMs, giveUpAtMs: Number.POSITIVE_INFINITY },
    ...{ joined: hostname === last.hostname ? before.joined : replica.incarnation, firstServedMs },
    ...{ lapses: NO_LAPSES, insists: true, isGiven: true, source },
  };
  const rest = replaceSeat(state, last.incarnation, () => next);
  const leaving = [...rest.leaving, { ...leave(last, true, atMs), isGiven: true }];
  return { ...rest, lastIncarnation: replica.incarnation, leaving };
}

interface Joining extends Finding {
  /** The source had no seat before, so there is nothing to be kept. */
  readonly isFirst: boolean;
}

// Those that have been listed for long enough get seats, if the ring has room for them.
function joined(
  state: FleetState,
  fresh: readonly Waiting[],
  { source, weight, settleMs, isFirst }: Joining,
  atMs: number,
  { maxPlace }: FleetRules,
): FleetState {
  let fleet = state;
  const waiting: Newcomer[] = [];
  for (const { member, sinceMs } of fresh) {
    const hasRoom = placement(fleet).size + weight <= maxPlace;
    if (hasRoom && (isFirst || atMs - sinceMs >= settleMs)) {
      fleet = withNewSeat(fleet, wishFor(member, source, weight, maxPlace), !isFirst, atMs);
    } else waiting.push({ source, hostname: member.hostname, sinceMs });
  }
  return withNewcomers(fleet, source, waiting);
}

/** The wish for a member that a source has found. A seat beyond the last place is none. */
export function wishFor({ seat, ...member }: FoundMember, source: string, weight: number, maxPlace: number) {
  const { hostname, address } = member as Reachable;
  const own = seat === undefined || seat > maxPlace ? {} : { seat };
  return { hostname, address, weight, source, ...own };
}

function withNewcomers(state: FleetState, source: string, waiting: readonly Newcomer[]): FleetState {
  const { newcomers = [] } = state;
  const before = newcomers.filter((one) => one.source === source);
  const isSame =
    before.length === waiting.length &&
    before.every(({ hostname, sinceMs }, at) => waiting[at]?.hostname === hostname && waiting[at]?.sinceMs === sinceMs);
  if (isSame) return state;
  return { ...state, newcomers: [...newcomers.filter((one) => one.source !== source), ...waiting] };
}
