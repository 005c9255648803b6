// Counts what happens to the fleet, by seat, for metrics: starts, losses and why, and results of heartbeats. What
// happened is found by comparing states, as the log does.

import { fleetNews } from '../../core/fleet/fleet-news.ts';
import { emptyFleet, type FleetState, predecessorOf, type Seat } from '../../core/fleet/fleet-state.ts';
import type { FailureKind } from '../../core/fleet/health.ts';
import type { Probe } from '../../core/ports.ts';
import type { SeatId } from '../../core/ring/ring.ts';

/**
 * Why a seat has lost its replica, or a given replica is down: it could not be started, it started and passed no
 * heartbeat, its heartbeats failed, or it ended.
 */
export const LOSS_REASONS = ['not-started', 'not-ready', 'heartbeats', 'ended'] as const;
type LossReason = (typeof LOSS_REASONS)[number];

export const PROBE_RESULTS = ['passed', 'refused', 'unfit', 'failed', 'late'] as const;
type ProbeResult = (typeof PROBE_RESULTS)[number];

export interface SeatEvents {
  starts: number;
  readonly losses: Record<LossReason, number>;
}

export class FleetCounts {
  readonly bySeat = new Map<SeatId, SeatEvents>();
  readonly probes: Record<ProbeResult, number> = { passed: 0, refused: 0, unfit: 0, failed: 0, late: 0 };
  #last: FleetState = emptyFleet(0);

  /** Call it with each state of the fleet. */
  observe(state: FleetState): void {
    const before = this.#last;
    this.#last = state;
    for (const { type, replica } of fleetNews(before, state)) {
      const at = this.#at(replica.seat);
      if (type === 'replica-starting') at.starts += 1;
      if (type !== 'replica-lost' && type !== 'replica-down') continue;
      const was = before.seats.find((one) => one.replica.seat === replica.seat);
      const is = state.seats.find((one) => one.replica.seat === replica.seat);
      at.losses[reasonOf(was, is)] += 1;
    }
  }

  /** The same probe, with its results counted. */
  counted(probe: Probe, kindOf: (error: unknown) => FailureKind): Probe {
    const results = { refused: 'refused', unfit: 'unfit', other: 'failed' } as const;
    return async (address, signal) => {
      try {
        await probe(address, signal);
        this.probes.passed += 1;
      } catch (error) {
        this.probes[signal.aborted ? 'late' : results[kindOf(error)]] += 1;
        throw error;
      }
    };
  }

  #at(seat: SeatId): SeatEvents {
    const known = this.bySeat.get(seat);
    if (known !== undefined) return known;
    const made = { starts: 0, losses: { 'not-started': 0, 'not-ready': 0, heartbeats: 0, ended: 0 } };
    this.bySeat.set(seat, made);
    return made;
  }
}

function reasonOf(was: Seat | undefined, is: Seat | undefined): LossReason {
  if (was === undefined || was.phase === 'vacant' || was.phase === 'starting') return 'not-started';
  if (was.phase === 'started') return 'not-ready';
  const isConvicted = is?.phase === 'down' || (is !== undefined && predecessorOf(is) !== undefined);
  const failed = was.phase === 'serving' && was.health.failuresInARow > 0;
  return isConvicted || failed ? 'heartbeats' : 'ended';
}
