// What happened to the fleet, for people: the news between two states, told as the life of seats. Only the last entries are kept;
// the log on standard error has them all.

import { fleetNews } from '../../core/fleet/fleet-news.ts';
import type { FleetState } from '../../core/fleet/fleet-state.ts';
import type { ReplicaRef } from '../../core/ports.ts';
import type { SeatId } from '../../core/ring/ring.ts';

export interface LogEntry {
  /** Grows by one from entry to entry. */
  readonly number: number;
  /** Time of day, in ms since 1970. */
  readonly atMs: number;
  readonly what:
    | 'starting'
    | 'joined'
    | 'suspected'
    | 'cleared'
    | 'down'
    | 'erring'
    | 'died'
    | 'replaced'
    | 'draining'
    | 'drained';
  readonly replica: string;
  readonly seat: SeatId;
  /** Of a death, or of being down: why. */
  readonly reason?: string;
  /** Of a replacement: whose place it takes. */
  readonly instead?: string;
}

const MAX_ENTRIES = 200;
const MOST_OF_REASON = 500;

/** The start of a reason: it may be what an engine or a crash had to say, and is told to all who watch. */
export function shortReason(reason: string): string {
  return reason.length > MOST_OF_REASON ? `${reason.slice(0, MOST_OF_REASON)}…` : reason;
}

export class EventLog {
  readonly #entries: LogEntry[] = [];
  #last = 0;
  readonly #lost = new Map<SeatId, string>();
  readonly #draining = new Set<number>();

  /** All that is kept and came after the entry of that number, the oldest first. */
  since(number: number): LogEntry[] {
    return this.#entries.filter((entry) => entry.number > number);
  }

  /** The number of the last entry, 0 if there is none. */
  get last(): number {
    return this.#last;
  }

  add(before: FleetState, after: FleetState, atMs: number): void {
    for (const { type, replica, reason } of fleetNews(before, after)) {
      const { seat, hostname, incarnation } = replica;
      const add = (what: LogEntry['what'], more: { reason?: string; instead?: string } = {}) =>
        this.#push({ atMs, what, replica: hostname, seat, ...more });
      switch (type) {
        case 'replica-starting':
          add('starting');
          break;
        case 'replica-serving': {
          const instead = this.#lost.get(seat);
          this.#lost.delete(seat);
          if (instead === undefined) add('joined');
          // One of others that was down is itself again.
          else if (instead === hostname) add('cleared');
          else add('replaced', { instead });
          break;
        }
        case 'replica-suspected':
          add('suspected');
          break;
        case 'replica-cleared':
          add('cleared');
          break;
        case 'replica-down':
          add('down', { reason: reason ?? '' });
          break;
        case 'replica-lost':
          this.#lost.set(seat, hostname);
          add('died', { reason: shortReason(reason ?? '') });
          break;
        case 'replica-leaving':
          this.#lost.delete(seat);
          this.#draining.add(incarnation);
          add('draining');
          break;
        case 'replica-stopped':
          // That a dead one is cleared away is no news.
          if (this.#draining.delete(incarnation)) add('drained');
          break;
      }
    }
  }

  /** Most of what it answers has a status from 500 up, though its heartbeats are good. */
  addErring({ hostname, seat }: ReplicaRef, atMs: number): void {
    this.#push({ atMs, what: 'erring', replica: hostname, seat });
  }

  #push(entry: Omit<LogEntry, 'number'>): void {
    this.#last += 1;
    this.#entries.push({ number: this.#last, ...entry });
    if (this.#entries.length > MAX_ENTRIES) this.#entries.shift();
  }
}
