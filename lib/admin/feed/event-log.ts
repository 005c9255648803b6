// The history of the fleet for people: the news between two states, told as the life of seats. Only the latest entries
// are kept; the log on standard error has all of it.

import { fleetNews } from '../../core/fleet/fleet-news.ts';
import type { FleetState } from '../../core/fleet/fleet-state.ts';
import type { ReplicaRef } from '../../core/ports.ts';
import type { SeatId } from '../../core/ring/ring.ts';

export interface FeedEntry {
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
    /** It takes no new requests, or takes them again, as somebody asked for. */
    | 'resting'
    | 'back'
    | 'erring'
    | 'died'
    | 'replaced'
    | 'draining'
    | 'drained';
  readonly replica: string;
  readonly seat: SeatId;
  /** Why it died or is down. */
  readonly reason?: string;
  /** The hostname that a replacement takes the place of. */
  readonly instead?: string;
}

const MAX_ENTRIES = 200;
const MOST_OF_REASON = 500;

/** The start of a reason. It may be what an engine or a crash had to say, and goes to all who watch. */
export function shortReason(reason: string): string {
  return reason.length > MOST_OF_REASON ? `${reason.slice(0, MOST_OF_REASON)}…` : reason;
}

export class EventLog {
  readonly #entries: FeedEntry[] = [];
  #last = 0;
  readonly #lost = new Map<SeatId, string>();
  readonly #draining = new Set<number>();

  /** The kept entries after the one of this number, the oldest first. */
  since(number: number): FeedEntry[] {
    return this.#entries.filter((entry) => entry.number > number);
  }

  /** The number of the last entry, 0 if there is none. */
  get last(): number {
    return this.#last;
  }

  add(before: FleetState, after: FleetState, atMs: number): void {
    for (const { type, replica, reason } of fleetNews(before, after)) {
      const { seat, hostname, incarnation } = replica;
      const add = (what: FeedEntry['what'], more: { reason?: string; instead?: string } = {}) =>
        this.#push({ atMs, what, replica: hostname, seat, ...more });
      switch (type) {
        case 'replica-starting':
          add('starting');
          break;
        case 'replica-serving': {
          const instead = this.#lost.get(seat);
          this.#lost.delete(seat);
          if (instead === undefined) add('joined');
          // A replica that others run was down and is itself again.
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
        case 'replica-drained':
        case 'replica-unlisted':
          add('resting');
          break;
        case 'replica-undrained':
        case 'replica-listed':
          add('back');
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
          // Only the end of a draining replica is worth an entry. A dead one was reported before it was cleared away.
          if (this.#draining.delete(incarnation)) add('drained');
          break;
      }
    }
  }

  /** Adds that most replies of a replica have a status from 500 up, though its heartbeats are good. */
  addErring({ hostname, seat }: ReplicaRef, atMs: number): void {
    this.#push({ atMs, what: 'erring', replica: hostname, seat });
  }

  #push(entry: Omit<FeedEntry, 'number'>): void {
    this.#last += 1;
    this.#entries.push({ number: this.#last, ...entry });
    if (this.#entries.length > MAX_ENTRIES) this.#entries.shift();
  }
}
