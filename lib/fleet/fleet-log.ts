// Writes what happens to the fleet into the log, each piece of news when all requests go by it: whoever waits for the
// line that a replica serves, or is lost, sends a request next. With several workers that is a moment after the plan
// went out. The lines keep the order in which things happened.

import { fleetNews } from '../core/fleet/fleet-news.ts';
import type { FleetState } from '../core/fleet/fleet-state.ts';
import type { Log } from '../log.ts';

interface Entry {
  readonly write: () => void;
  waits: boolean;
}

export class FleetLog {
  readonly #log: Log;
  // What is still to be written, in the order in which it happened.
  readonly #entries: Entry[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Takes what is new in a state. Returns what to call when requests go by that state, or when they will not.
   * @param atMs the time of the news, by the clock of the fleet.
   */
  tell(before: FleetState, after: FleetState, atMs: number): () => void {
    const entries = fleetNews(before, after).map(({ type, replica, reason, againAtMs = atMs }): Entry => {
      const isLoss = type === 'replica-down' || type === 'replica-lost';
      const write = isLoss ? this.#log.warn : this.#log.info;
      const retryInMs = Math.round(againAtMs - atMs);
      const retry = retryInMs > 0 ? { retryInMs } : {};
      const details = { ...replica, ...(reason === undefined ? {} : { reason }), ...retry };
      return { write: () => write(type, details), waits: true };
    });
    this.#entries.push(...entries);
    return () => {
      for (const entry of entries) entry.waits = false;
      while (this.#entries[0]?.waits === false) this.#entries.shift()?.write();
    };
  }
}
