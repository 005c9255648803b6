// Looks for replicas that reply with errors again and again though their heartbeats are good, and logs those it finds.

import type { ReplicaRef } from '../../core/ports.ts';
import type { SeatId } from '../../core/ring/ring.ts';
import type { Counters } from '../../core/traffic/counters.ts';
import type { ErringReplicas } from '../../core/traffic/erring.ts';
import type { Log } from '../../log.ts';

/** Gives the function that gets each look at the counters, and gives those that are found to err by it. */
export function erringReader(erring: ErringReplicas, hostnameOf: (seat: SeatId) => string | undefined, log: Log) {
  const reason = 'most of its answers have a status from 500 up, though its heartbeats are good';
  return ({ replicas }: Counters, nowMs: number): ReplicaRef[] =>
    erring.look(replicas, nowMs).map(({ seat, incarnation }) => {
      const hostname = hostnameOf(seat) ?? '';
      log.warn('replica-errs', { hostname, reason });
      return { seat, incarnation, hostname };
    });
}
