// Writes what happens to the fleet into the log. That a replica serves is written only when all requests go by it,
// because who waits for that line sends a request next. With several workers that is a moment after the plan went out,
// and what happens meanwhile is written after it, so that the log keeps the order. Only a loss waits for nothing.

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

  /** Takes what is new in a state. Returns what to call when requests go by that state, or when they will not. */
  tell(before: FleetState, after: FleetState): () => void {
    const serving: Entry[] = [];
    for (const { type, replica, reason } of fleetNews(before, after)) {
      const isLoss = type === 'replica-down' || type === 'replica-lost';
      const write = isLoss ? this.#log.warn : this.#log.info;
      const details = { ...replica, ...(reason === undefined ? {} : { reason }) };
      const entry = { write: () => write(type, details), waits: type === 'replica-serving' };
      if (entry.waits) serving.push(entry);
      if (isLoss) this.#waitNoMore(this.#entries);
      this.#entries.push(entry);
    }
    this.#writeSome();
    return () => {
      this.#waitNoMore(serving);
      this.#writeSome();
    };
  }

  #waitNoMore(entries: readonly Entry[]): void {
    for (const entry of entries) entry.waits = false;
  }

  #writeSome(): void {
    while (this.#entries[0]?.waits === false) this.#entries.shift()?.write();
  }
}
