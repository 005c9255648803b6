// The fleet as it would be after a change, without making the change: for `?dry-run`, and to weigh choices.

import { type FleetEvent, observe, type UntimedEvent } from '../core/fleet/fleet.ts';
import type { FleetState } from '../core/fleet/fleet-state.ts';
import type { FleetRules } from '../core/fleet/seats.ts';
import type { Clock, ReplicaRef, Wish } from '../core/ports.ts';
import type { SeatId } from '../core/ring/ring.ts';

export interface Imagination {
  readonly added: (wishes: readonly Wish[]) => FleetState;
  readonly removed: (replicas: readonly ReplicaRef[]) => FleetState;
  readonly changed: (change: FleetChange) => FleetState;
}

/** Several changes at once. */
export interface FleetChange {
  readonly added: readonly Wish[];
  readonly removed: readonly ReplicaRef[];
  /** Other weights of given replicas, by seat. */
  readonly weights: ReadonlyMap<SeatId, number>;
}

export function imagination(state: () => FleetState, rules: FleetRules, clock: Clock): Imagination {
  const after = (...events: readonly UntimedEvent[]) =>
    events.reduce((fleet, event) => observe(fleet, { ...event, atMs: clock.now() } as FleetEvent, rules), state());
  const add = (wishes: readonly Wish[]): UntimedEvent => ({ type: 'add', wishes, slowly: true });
  const remove = (replicas: readonly ReplicaRef[]): UntimedEvent => ({
    type: 'remove',
    seats: replicas.map((replica) => replica.seat),
  });
  return {
    added: (wishes) => after(add(wishes)),
    removed: (replicas) => after(remove(replicas)),
    changed: ({ added, removed, weights }) => after(add(added), { type: 'weigh', weights }, remove(removed)),
  };
}
