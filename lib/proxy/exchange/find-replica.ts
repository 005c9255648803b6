// Finds where a request goes next: a replica from the routing table, a place in a line to wait for one, or the error
// that there is none.

import type { KeyFinding } from '../../core/keys/key-finding.ts';
import { weightOf } from '../../core/request/weight.ts';
import type { Explanation } from '../../core/ring/explain.ts';
import type { Key } from '../../core/ring/policy.ts';
import type { SeatId } from '../../core/ring/ring.ts';
import type { SpillReason } from '../../core/traffic/measures.ts';
import { asBalancerError, BalancerError } from '../../errors.ts';
import type { RequestHead } from '../../http/headers.ts';
import type { Risk } from '../poison/guard.ts';
import type { Lessor } from '../replicas/lease.ts';
import type { SeatClaims } from '../replicas/routing-table.ts';
import type { ExchangeContext } from './exchange-context.ts';
import type { OutgoingBody } from './request-body.ts';
import { place, type Times } from './times.ts';
import type { Waiting } from './waiting-line.ts';

/** A request that needs a replica. */
export interface Seeker extends Waiting, Risk {
  readonly request: Risk['request'];
  readonly body: Risk['body'] & Pick<OutgoingBody, 'kept' | 'receivedBytes' | 'ended'>;
  requestId: number;
  readonly times: Times;
  found: KeyFinding;
  key: Key;
  /** If the bound on load is on weights; else 0. */
  weight: number;
  readonly head: RequestHead;
  /** Seats that have failed this request. */
  readonly tried: SeatId[];
  /** The error of the seat that failed last. */
  readonly lastError: BalancerError | undefined;
  /** The request has its place in a line. */
  readonly isWaiting: boolean;
  /** No replica was left at the last attempt, and none has been found since. */
  awaitsReturn: boolean;
  /** Why the request goes where it goes, if its client asks. */
  explanation: Explanation | undefined;
  /** Why the first seat of its order did not get it, where that is told or counted. */
  passedFor: SpillReason | undefined;
}

/** Gives `undefined` if the request now waits in a line. */
export function findReplica(seeker: Seeker, context: ExchangeContext): Lessor | BalancerError | undefined {
  const found = takePlace(seeker, context, false);
  if (found !== undefined) return found;
  if (context.isPaused) return waitForEnd(seeker, context);
  // Looked up again: another thread may have taken the last place for a tunnel.
  const barred = barredSeats(seeker, context);
  // All replicas that the request could go to are full. It keeps its place in the line, or gets one.
  if ((seeker.isWaiting && !seeker.awaitsReturn) || context.wait(seeker, barred)) return undefined;
  const foundAtLast = context.guard.isQuiet ? undefined : takePlace(seeker, context, true);
  if (foundAtLast !== undefined) return foundAtLast;
  const { tried } = seeker;
  if (seeker.attempts === 0 && context.overload.isShedding) return context.overload.refusal();
  if (barred.length === tried.length) return waitForReturn(seeker, context) ? undefined : noReplica(seeker, context);
  if (seeker.lastError !== undefined) return seeker.lastError;
  const { maxTunnels } = context.limits;
  return new BalancerError('overloaded', `each replica has ${maxTunnels} upgraded connections already`);
}

// @param cannotWait it could not wait for its turn, as one that may kill replicas should.
function takePlace(seeker: Seeker, context: ExchangeContext, cannotWait: boolean): Lessor | BalancerError | undefined {
  const { guard, directions } = context;
  try {
    // There is as much of its body as there will be before a replica is asked.
    const { further } = seeker.found;
    if (further !== undefined) settleKey(seeker, further(seeker.body.kept), context);
    const home = directions.setterOf(seeker.found.learned);
    seeker.weight = context.limits.weighsBytes ? weightIn(seeker) : 0;
    if (seeker.head.asksWhy) seeker.explanation ??= directions.explanationOf(seeker.key, home);
    const agent = guard.isQuiet
      ? takeAt(seeker, home, context, undefined)
      : takeGuarded(seeker, home, context, cannotWait);
    if (agent === undefined) return undefined;
    place(seeker.times, seeker.body.ended);
    noteWay(seeker, agent.replica.seat, home, context);
    return agent;
  } catch (error) {
    // A user's own hash module may throw.
    return asBalancerError(error);
  }
}

// By the length that is announced. Of a body that comes in chunks by what has come: all of it, if that is less than
// what is kept, else as much as is kept.
function weightIn({ head, body }: Seeker): number {
  return weightOf(head.body === 'chunked' ? body.receivedBytes : head.lengthBytes);
}

function settleKey(seeker: Seeker, found: KeyFinding, context: ExchangeContext): void {
  seeker.found = found;
  if (found.key === undefined) seeker.requestId = context.dealId();
  seeker.key = found.key ?? seeker.requestId;
}

function noteWay(
  seeker: Seeker,
  seat: SeatId,
  home: SeatId | undefined,
  { directions, limits, measures, keyTraffic }: ExchangeContext,
): void {
  keyTraffic.place(seeker, seat, home);
  const { keyClass } = seeker.found;
  if (keyClass === undefined && !limits.tellsRoute) return;
  seeker.passedFor = directions.passedFor;
  if (keyClass === undefined) return;
  measures.keyed(keyClass, seeker.passedFor === undefined ? 'owner' : 'other');
}

function takeAt(
  seeker: Seeker,
  home: SeatId | undefined,
  context: ExchangeContext,
  claims: SeatClaims | undefined,
): Lessor | undefined {
  const { key, head, weight } = seeker;
  return context.take(key, barredSeats(seeker, context), head.offered !== '', home, claims, weight);
}

// The same, while some request may have killed a replica.
function takeGuarded(
  seeker: Seeker,
  home: SeatId | undefined,
  context: ExchangeContext,
  cannotWait: boolean,
): Lessor | undefined {
  const { guard } = context;
  const admission = guard.admit(seeker, cannotWait);
  if (admission === 'not-yet') return undefined;
  let agent: Lessor | undefined;
  try {
    agent = takeAt(seeker, home, context, admission === 'alone' ? guard : undefined);
    return agent;
  } finally {
    if (admission === 'alone') guard.placed(seeker, agent?.replica.seat);
  }
}

// Where it may not go: to seats that have failed it, and with an offer to those that have all the tunnels they may.
function barredSeats({ tried, head }: Seeker, context: ExchangeContext): readonly SeatId[] {
  return head.offered === '' ? tried : context.barredFromTunnels(tried);
}

/**
 * Waits until some replica is back. Seats that failed may be tried again then. False if none is expected, or too many
 * requests wait.
 */
export function waitForReturn(seeker: Seeker, context: ExchangeContext): boolean {
  if (!context.returns.join(seeker)) return false;
  seeker.awaitsReturn = true;
  // It does not wait for other suspects.
  if (seeker.suspicion !== undefined) seeker.suspicion.heldBackMs = undefined;
  seeker.tried.length = 0;
  return true;
}

// During a pause all wait in one line, those too that waited for a replica to be back: `--queue` bounds them together.
function waitForEnd(seeker: Seeker, context: ExchangeContext): BalancerError | undefined {
  seeker.awaitsReturn = false;
  if (context.wait(seeker, seeker.tried)) return undefined;
  return new BalancerError('overloaded', 'requests are held back, and as many as may be wait already');
}

/** The error of a request that has waited for too long. @param overdue that of one that waits for room. */
export function waitedInVain(seeker: Seeker, context: ExchangeContext, overdue: BalancerError): BalancerError {
  if (context.isPaused) return new BalancerError('overloaded', 'requests are held back, for longer than one may wait');
  if (seeker.awaitsReturn) return noReplica(seeker, context);
  if (seeker.suspicion?.heldBackMs === undefined) return overdue;
  return new BalancerError('overloaded', 'it was at a replica that ended, and others that were there are tried first');
}

/** A tunnel that was placed. */
interface Placed {
  readonly key: Key;
  readonly found: Pick<KeyFinding, 'key' | 'learned'>;
  readonly agent: Pick<Lessor, 'replica' | 'retired'> | undefined;
}

/**
 * Would a new tunnel with the key of this one go to another replica? While the replica of a key is away, the first
 * tunnel goes to the next seat. If it stayed there when the replica is back, and others came to that one, two replicas
 * would have the same document.
 */
export function isAstray({ key, found, agent }: Placed, context: ExchangeContext): boolean {
  if (context.limits.rehomeTunnelsMs === Number.POSITIVE_INFINITY || found.key === undefined) return false;
  // Whoever waits for a replica to be drained has set a time for it already.
  if (context.isPaused || agent === undefined || agent.retired) return false;
  return context.directions.leadsPast(key, found.learned, agent.replica.seat);
}

function noReplica(seeker: Seeker, context: ExchangeContext): BalancerError {
  return seeker.lastError ?? new BalancerError('no-replica', context.returns.whyNone);
}
