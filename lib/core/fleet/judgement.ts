// What a probe means for a seat: its replica begins to serve, is suspected, is convicted, or is well again. A convicted
// replica of ours loses its seat. A given one cannot be ended, so it is down until it is well again.

import type { Address } from '../ports.ts';
import { type DownSeat, type FleetState, predecessorOf, type Seat, type ServingSeat } from './fleet-state.ts';
import { afterProbe, HEALTHY, type Health, isConvicted, type ProbeFailure } from './health.ts';
import { afterProbeOfPredecessor, convict, relievePredecessor } from './predecessors.ts';
import { type FleetRules, lasting, loseReplica, replaceSeat } from './seats.ts';

// A wrong answer that comes again for this long, in ms, is one that will not change. The probes of a replica that has
// just begun to listen come so close that this is found out within a second.
const UNFIT_AFTER_MS = 700;
// A program that does not listen this long after its start, in ms, is worth a message.
const COMPLAIN_AFTER_MS = 800;
// Failures of a replica that is down are counted up to this number; more of them change nothing.
const MOST_COUNTED = 100;

/** The state after a probe of the replica with that incarnation. `failure` is `undefined` if the probe succeeded. */
export function afterProbeOf(
  state: FleetState,
  incarnation: number,
  failure: ProbeFailure | undefined,
  atMs: number,
  rules: FleetRules,
): FleetState {
  const seat = state.seats.find((one) => one.replica.incarnation === incarnation);
  switch (seat?.phase) {
    case 'started':
      if (failure === undefined) {
        const relieved = replaceSeat(state, incarnation, () => serving(seat, atMs));
        return relievePredecessor(relieved, seat.predecessor, atMs);
      }
      if (atMs >= seat.giveUpAtMs) {
        return loseReplica(state, incarnation, { reason: failure.reason }, atMs, rules);
      }
      if (isFoundUnfit(state, seat, failure, atMs)) {
        return loseReplica(state, incarnation, { reason: failure.reason, isUnfit: true }, atMs, rules);
      }
      return replaceSeat(state, incarnation, () => complaining(seat, failure, atMs));
    case 'serving': {
      const health = afterProbe(seat.health, failure === undefined);
      if (failure === undefined || !isConvicted(health, rules.failuresToConvict)) {
        return replaceSeat(state, incarnation, () => withHealth(seat, health));
      }
      if (seat.isGiven) return replaceSeat(state, incarnation, () => down(seat, failure, atMs));
      return convict(state, { ...seat, health }, failure.reason, atMs, rules);
    }
    case 'down':
      return replaceSeat(state, incarnation, () => afterProbeOfDown(seat, failure, atMs, rules));
    case 'vacant':
    case 'starting':
    case undefined:
      return afterProbeOfPredecessor(state, incarnation, failure === undefined);
  }
}

export function withHealth(seat: ServingSeat, health: Health): Seat {
  return health === seat.health ? seat : { ...seat, health };
}

function serving(seat: Extract<Seat, { address: Address }>, atMs: number): Seat {
  const { address, firstServedMs } = seat;
  return {
    ...lasting(seat),
    firstServedMs: firstServedMs ?? atMs,
    phase: 'serving',
    address,
    sinceMs: atMs,
    health: HEALTHY,
  };
}

type StartedSeat = Extract<Seat, { phase: 'started' }>;

// A replica of ours that answers 404 again and again will not pass its heartbeats, however long it is waited for. There
// are two exceptions. If another replica passes, or passed until it hung, the heartbeats ask for what the program has
// once it is ready. And one that an earlier process left may serve well by other options than those of today.
function isFoundUnfit(state: FleetState, seat: StartedSeat, { kind }: ProbeFailure, atMs: number): boolean {
  if (seat.isGiven || seat.isOld || kind !== 'unfit' || !isUnfitForLong(seat, atMs)) return false;
  return !state.seats.some((one) => !one.isGiven && (one.phase === 'serving' || predecessorOf(one) !== undefined));
}

function isUnfitForLong({ unfitSinceMs }: StartedSeat, atMs: number): boolean {
  return unfitSinceMs !== undefined && atMs - unfitSinceMs >= UNFIT_AFTER_MS;
}

// A replica of ours that does not listen yet, or not as it will, may be about to, so this is not told at once. Any
// failure of a given replica is, since nobody here is starting it.
function complaining(seat: StartedSeat, failure: ProbeFailure, atMs: number): Seat {
  const isUnfit = failure.kind === 'unfit';
  const unfitSinceMs = isUnfit ? (seat.unfitSinceMs ?? atMs) : undefined;
  const known = unfitSinceMs === seat.unfitSinceMs ? seat : { ...seat, unfitSinceMs };
  const isOverdue = isUnfit ? isUnfitForLong(known, atMs) : atMs - seat.sinceMs >= COMPLAIN_AFTER_MS;
  const isNews = (seat.isGiven || isOverdue) && seat.complaint?.reason !== failure.reason;
  return isNews ? { ...known, complaint: failure } : known;
}

function down(seat: ServingSeat, complaint: ProbeFailure, atMs: number): Seat {
  return { ...lasting(seat), phase: 'down', address: seat.address, sinceMs: atMs, complaint, bad: 0, good: 0 };
}

function afterProbeOfDown(seat: DownSeat, failure: ProbeFailure | undefined, atMs: number, rules: FleetRules): Seat {
  if (failure !== undefined) {
    const bad = Math.min(MOST_COUNTED, seat.bad + 1);
    const isNews = bad !== seat.bad || seat.good > 0 || failure.kind !== seat.complaint.kind;
    return isNews ? { ...seat, complaint: failure, bad, good: 0 } : seat;
  }
  const good = seat.good + 1;
  return good >= rules.riseToReturn ? serving(seat, atMs) : { ...seat, good };
}
