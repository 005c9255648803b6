// The changes asked of a fleet in a history: which seats each may add and remove, and when it is done.

import assert from 'node:assert/strict';
import type { FleetState } from '../../lib/core/fleet/fleet-state.ts';
import type { SeatId } from '../../lib/core/ring/ring.ts';

/** A change that was asked for and is not yet answered. */
export interface Change {
  /** How many seats it may still add. */
  toCome: number;
  /** Whether it may remove that seat. */
  readonly removes: (seat: SeatId) => boolean;
  /** Whether it is done in that state. */
  readonly isDone: (state: FleetState) => boolean;
  /** Since when it has been done. */
  doneAtMs: number | undefined;
}

export type AskedChange = Omit<Change, 'doneAtMs'>;

/**
 * The change that a start is: it brings back what an earlier process left, and adds what is missing. Only the process
 * knows when that is done.
 */
export function beginning(): AskedChange {
  return { toCome: Number.POSITIVE_INFINITY, removes: () => false, isDone: () => false };
}

/** Adds `count` seats to those that there are. */
export function addition(before: readonly SeatId[], count: number): AskedChange {
  const isNew = (seat: SeatId) => !before.includes(seat);
  let own: readonly SeatId[] | undefined;
  let isBroken = false;
  const isDone = ({ seats }: FleetState) => {
    const added = seats.filter(({ replica }) => isNew(replica.seat));
    const there = added.map(({ replica }) => replica.seat);
    own ??= there;
    // Another replica may hold the seat after one of them was removed.
    isBroken ||= own.some((seat) => !there.includes(seat));
    return !isBroken && added.length >= count && added.every(({ phase }) => phase === 'serving');
  };
  return { toCome: count, removes: isNew, isDone };
}

export function removal(seats: readonly SeatId[]): AskedChange {
  const isDone = ({ leaving }: FleetState) => !leaving.some(({ replica }) => seats.includes(replica.seat));
  return { toCome: 0, removes: (seat) => seats.includes(seat), isDone };
}

/** Checks that a change that is done is answered at once. Throws AssertionError. */
export function checkAnswers(changes: Iterable<Change>, nowMs: number): void {
  for (const { doneAtMs = nowMs } of changes) assert(doneAtMs >= nowMs, 'a change is done, and is not answered');
}

/** Notes which changes are done in that state. */
export function noteDone(changes: Iterable<Change>, state: FleetState, nowMs: number): void {
  for (const change of changes) change.doneAtMs = change.isDone(state) ? (change.doneAtMs ?? nowMs) : undefined;
}
