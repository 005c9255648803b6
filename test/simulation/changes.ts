// What is asked of a fleet in a history: which seats it may bring and take away, and when it is done.

import assert from 'node:assert/strict';
import type { FleetState } from '../../lib/core/fleet/fleet-state.ts';
import type { SeatId } from '../../lib/core/ring/ring.ts';

/** What was asked of the fleet and is not yet answered. */
export interface Change {
  /** Seats that it may still bring. */
  toCome: number;
  /** May it take that seat away? */
  readonly removes: (seat: SeatId) => boolean;
  /** Is it done, in that state? */
  readonly isDone: (state: FleetState) => boolean;
  /** Since when it has been. */
  doneAtMs: number | undefined;
}

export type AskedChange = Omit<Change, 'doneAtMs'>;

/** What an earlier process left, and what is missing. Nobody but the process knows when that is done. */
export function beginning(): AskedChange {
  return { toCome: Number.POSITIVE_INFINITY, removes: () => false, isDone: () => false };
}

/** So many seats more than those there are. */
export function addition(before: readonly SeatId[], count: number): AskedChange {
  const isNew = (seat: SeatId) => !before.includes(seat);
  let own: readonly SeatId[] | undefined;
  let isBroken = false;
  const isDone = ({ seats }: FleetState) => {
    const added = seats.filter(({ replica }) => isNew(replica.seat));
    const there = added.map(({ replica }) => replica.seat);
    own ??= there;
    // Another may have the seat after one of them was removed.
    isBroken ||= own.some((seat) => !there.includes(seat));
    return !isBroken && added.length >= count && added.every(({ phase }) => phase === 'serving');
  };
  return { toCome: count, removes: isNew, isDone };
}

export function removal(seats: readonly SeatId[]): AskedChange {
  const isDone = ({ leaving }: FleetState) => !leaving.some(({ replica }) => seats.includes(replica.seat));
  return { toCome: 0, removes: (seat) => seats.includes(seat), isDone };
}

/** A change that is done is answered at once. Throws AssertionError. */
export function checkAnswers(changes: Iterable<Change>, nowMs: number): void {
  for (const { doneAtMs = nowMs } of changes) assert(doneAtMs >= nowMs, 'a change is done, and is not answered');
}

/** Notes which changes are done in that state. */
export function noteDone(changes: Iterable<Change>, state: FleetState, nowMs: number): void {
  for (const change of changes) change.doneAtMs = change.isDone(state) ? (change.doneAtMs ?? nowMs) : undefined;
}
