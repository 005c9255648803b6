// Writes what happens to the fleet into the log. That a replica serves is written only when all requests go by it,
// because who waits for that line sends a request next. With several workers that is a moment after the plan went out.
// All else is written at once.

import { fleetNews } from '../core/fleet/fleet-news.ts';
import type { FleetState } from '../core/fleet/fleet-state.ts';
import type { Log } from '../log.ts';

export class FleetLog {
  readonly #log: Log;
  // What is still to be written, by incarnation.
  readonly #untold = new Map<number, () => void>();

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Writes what is new in a state. Returns a function that writes which replicas serve, to be called when requests go
   * by that state, or when they will not.
   */
  tell(before: FleetState, after: FleetState): () => void {
    const serving: number[] = [];
    for (const { type, replica, reason } of fleetNews(before, after)) {
      const { incarnation } = replica;
      const isLoss = type === 'replica-down' || type === 'replica-lost';
      const write = isLoss ? this.#log.warn : this.#log.info;
      const tell = () => write(type, { ...replica, ...(reason === undefined ? {} : { reason }) });
      // One that is lost before requests went by it is told to have served all the same, and in this order.
      this.#tell(incarnation);
      if (type === 'replica-serving') {
        this.#untold.set(incarnation, tell);
        serving.push(incarnation);
      } else tell();
    }
    return () => serving.forEach((incarnation) => void this.#tell(incarnation));
  }

  #tell(incarnation: number): void {
    this.#untold.get(incarnation)?.();
    this.#untold.delete(incarnation);
  }
}
