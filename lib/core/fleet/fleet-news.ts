// Finds what has changed between two states of the fleet, as the log tells it. Because two states are compared, nothing
// is told twice and no change is missed.

import type { ReplicaRef } from '../ports.ts';
import type { SeatId } from '../ring/ring.ts';
import { type FleetState, predecessorOf, type Seat } from './fleet-state.ts';
import { complaintOf } from './outage.ts';

/** One change of the fleet, as the log and the dashboard tell it. */
export interface FleetNews {
  /** Also the name of the log entry that tells it. */
  readonly type:
    | 'replica-starting'
    | 'replica-serving'
    /** The replica runs, or should, and its heartbeats fail. */
    | 'replica-down'
    | 'replica-suspected'
    | 'replica-cleared'
    | 'replica-lost'
    /** The replica takes no new requests, because somebody asked for that. */
    | 'replica-drained'
    | 'replica-undrained'
    /** The source that found the replica does not list it any more, so it takes no new requests. */
    | 'replica-unlisted'
    | 'replica-listed'
    | 'replica-leaving'
    | 'replica-stopped';
  readonly replica: ReplicaRef;
  /** Why the replica was lost or is down. */
  readonly reason?: string;
  /** When the next replica is started in its place, in ms of the clock. */
  readonly againAtMs?: number;
}

export function fleetNews(before: FleetState, after: FleetState): FleetNews[] {
  if (before === after) return [];
  const news: FleetNews[] = [];
  const earlier = new Map<SeatId, Seat>(before.seats.map((seat) => [seat.replica.seat, seat]));
  for (const seat of after.seats) {
    const was = earlier.get(seat.replica.seat);
    if (was !== seat) news.push(...seatNews(was, seat));
  }
  const wasLeaving = incarnations(before);
  for (const { replica, drains } of after.leaving) {
    if (drains && !wasLeaving.has(replica.incarnation)) news.push({ type: 'replica-leaving', replica });
  }
  const isLeaving = incarnations(after);
  for (const { replica } of before.leaving) {
    if (!isLeaving.has(replica.incarnation)) news.push({ type: 'replica-stopped', replica });
  }
  return news;
}

/**
 * Replicas that have ended, or hung, though nobody wanted that: they leave without being drained, or are convicted and
 * kept as the last choice. Given ones that go down count too.
 */
export function endedUnasked(before: FleetState, after: FleetState): number[] {
  if (before === after) return [];
  const wasLeaving = incarnations(before);
  const gone = after.leaving.filter(({ replica, drains }) => !drains && !wasLeaving.has(replica.incarnation));
  const earlier = new Map<SeatId, Seat>(before.seats.map((seat) => [seat.replica.seat, seat]));
  const convicted = after.seats.flatMap((seat) => {
    const was = earlier.get(seat.replica.seat);
    if (was?.phase !== 'serving') return [];
    const isConvicted = seat.phase === 'down' || (predecessorOf(seat) !== undefined && !isReplacement(seat));
    return isConvicted ? [was] : [];
  });
  return [...gone, ...convicted].map(({ replica }) => replica.incarnation);
}

function isReplacement(seat: Seat): boolean {
  return 'isReplacement' in seat && seat.isReplacement === true;
}

function seatNews(was: Seat | undefined, seat: Seat): FleetNews[] {
  const { replica } = seat;
  if (was !== undefined && predecessorOf(was)?.replica.incarnation === replica.incarnation) {
    return [{ type: 'replica-cleared', replica }];
  }
  // One that is to be replaced is not lost: it leaves when the next one serves.
  if (seat.phase === 'vacant' && seat.isReplacement === true) return [];
  if (was !== undefined && isReplacement(seat) && predecessorOf(seat) === was) return [];
  if (was !== undefined && was.replica.incarnation !== replica.incarnation) {
    // Of those that were looked up, the one that had the seat leaves, and is told as that.
    if (seat.source !== undefined) return [];
    // Of a given one nobody knows when the next will be there.
    const again = seat.phase === 'vacant' && !seat.isGiven ? { againAtMs: seat.startAtMs } : {};
    return [{ type: 'replica-lost', replica: was.replica, reason: seat.lapses.reason, ...again }];
  }
  if (was !== undefined && was.isDrained !== seat.isDrained) {
    return [{ type: seat.isDrained === true ? 'replica-drained' : 'replica-undrained', replica }];
  }
  if (was !== undefined && was.absentSinceMs !== seat.absentSinceMs) {
    return [{ type: seat.absentSinceMs === undefined ? 'replica-listed' : 'replica-unlisted', replica }];
  }
  if (seat.phase === 'starting') return [{ type: 'replica-starting', replica }];
  const complaint = complaintOf(seat);
  if (complaint !== undefined) {
    // A seat that stays down is told again only if the kind of failure changes: the text may differ with every probe.
    const isNews = was === undefined || complaintOf(was)?.kind !== complaint.kind;
    if (!isNews) return [];
    const type = was?.phase === 'serving' ? 'replica-lost' : 'replica-down';
    return [{ type, replica, reason: complaint.reason }];
  }
  if (seat.phase !== 'serving') return [];
  if (was?.phase !== 'serving') return [{ type: 'replica-serving', replica }];
  if (was.health.suspected === seat.health.suspected) return [];
  return [{ type: seat.health.suspected ? 'replica-suspected' : 'replica-cleared', replica }];
}

function incarnations(state: FleetState): Set<number> {
  return new Set(state.leaving.map((one) => one.replica.incarnation));
}
