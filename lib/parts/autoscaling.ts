// Autoscaling as the other parts have it: what the options say of it, and how it changes the fleet, as /add and /rm do.

import type { CallPath } from '../admin/routes.ts';
import type { AutoscaleRules } from '../core/fleet/autoscale.ts';
import { type FleetState, placement } from '../core/fleet/fleet-state.ts';
import type { DataPlane } from '../core/plane-ports.ts';
import type { RingKeeper } from '../core/ring/ring-keeper.ts';
import { movesBetween } from '../core/ring/ring-view.ts';
import { Autoscaler } from '../fleet/autoscaler.ts';
import { realClock } from '../fleet/clock.ts';
import type { Pause } from '../fleet/pause.ts';
import type { Roll } from '../fleet/roll.ts';
import type { Supervisor } from '../fleet/supervisor.ts';
import type { Log } from '../log.ts';
import type { Current } from '../reload/taker.ts';
import type { Options } from '../settings/options.ts';
import { mostPlaces } from '../settings/rules.ts';
import { autoscaleBounds } from '../settings/tables/fleet/autoscaling.ts';

export interface AutoscalingParts {
  readonly current: Current;
  readonly log: Log;
  readonly supervisor: Supervisor;
  readonly plane: DataPlane;
  readonly rings: RingKeeper;
  readonly pause: Pause;
  readonly roll: Roll;
  /** Calls an endpoint of our own, in its turn among the changes. */
  readonly call: (path: CallPath, body: unknown, query?: string) => Promise<unknown>;
}

export function createAutoscaler({ current, supervisor, rings, pause, roll, call, ...parts }: AutoscalingParts) {
  const movedTo = (after: FleetState) => {
    const [before, then] = [supervisor.state, after].map((state) => rings.build(placement(state)));
    if (before === undefined || then === undefined) return 0;
    return movesBetween(before, then).reduce((sum, { fraction }) => sum + fraction, 0);
  };
  return new Autoscaler({
    clock: realClock,
    timeOfDay: () => Date.now(),
    log: parts.log,
    rules: () => rulesOf(current.options),
    state: () => supervisor.state,
    reading: () => parts.plane.reading(),
    room: (state) => mostPlaces(current.options) - placement(state).size,
    busy: () => {
      if (supervisor.isClosing) return 'the balancer is shutting down';
      if (roll.isHalfway) return 'a roll has not ended';
      return pause.leftMs === undefined ? undefined : 'requests are held back';
    },
    moved: (change) =>
      movedTo(
        change.type === 'add'
          ? supervisor.imagine.added(Array.from({ length: change.count }, () => ({ hostname: undefined, weight: 1 })))
          : supervisor.imagine.removed(change.replicas),
      ),
    make: async (change) => {
      if (change.type === 'add') await call('/add', { n: change.count });
      else {
        const hostnames = change.replicas.map(({ hostname }) => hostname);
        await call('/rm', { n: hostnames.length, hostnames }, 'only-named');
      }
    },
  });
}

/** How many replicas to begin with: what --replicas says, within the bounds. */
export function replicasAtStart(options: Options): number {
  const { least, most } = autoscaleBounds(options) ?? { least: options.replicas, most: options.replicas };
  return Math.min(most, Math.max(least, options.replicas));
}

function rulesOf(options: Options): AutoscaleRules | undefined {
  const bounds = autoscaleBounds(options);
  return (
    bounds && {
      ...bounds,
      target: options.autoscaleTarget,
      windowMs: options.autoscaleWindowMs,
      downAfterMs: options.autoscaleDownAfterMs,
      downRate: options.autoscaleDownRate,
    }
  );
}
