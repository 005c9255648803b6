// All connections of clients: how many there may be, and the one timer that looks a few times a second whether any of them has
// waited longer than it may. A timer per request would cost more than the request's limits are worth.

import type { Socket } from 'node:net';
import type { Clock } from '../../core/ports.ts';
import { Client, type ClientTerms, clientOf, tooManyConnections } from './http1/client.ts';

const TICK_MS = 100;

export class Clients {
  readonly #terms: ClientTerms;
  readonly #onTick: (nowMs: number) => void;
  // Those that are told that there are too many included.
  readonly #all = new Set<Client>();
  #admitted = 0;
  // Only the clients that were refused, the oldest first.
  readonly #refused = new Set<Client>();
  readonly #clock: Clock;
  #stopTicking: (() => void) | undefined;
  // Time in which this process ran, and when it was last looked at.
  #ranMs = 0;
  #tickedMs = 0;

  /** @param onTick called when a first client comes, and while there is any, before they are looked at. */
  constructor(terms: ClientTerms, clock: Clock, onTick: (nowMs: number) => void) {
    this.#terms = terms;
    this.#clock = clock;
    this.#onTick = onTick;
  }

  /** A connection has come, or is read anew by another parser. */
  admit(socket: Socket): void {
    const known = clientOf(socket);
    if (known !== undefined) {
      known.reading.watchParser();
      return;
    }
    const client = new Client(socket, this.#terms, this.#onClosed);
    this.#all.add(client);
    if (this.#stopTicking === undefined) {
      this.#stopTicking = this.#clock.every(TICK_MS, () => this.#tick());
      this.#tickedMs = this.#clock.now();
      this.#onTick(this.#tickedMs);
    }
    const { maxConnections } = this.#terms.limits;
    client.isAdmitted = this.#admitted < maxConnections;
    if (client.isAdmitted) this.#admitted += 1;
    else this.#refuse(client);
  }

  /** The client of a socket that was admitted. */
  of(socket: Socket): Client {
    return clientOf(socket) as Client;
  }

  /** Ends all connections, whatever is under way on them. */
  cut(): void {
    for (const { socket } of this.#all) socket.destroy();
  }

  readonly #onClosed = (client: Client) => {
    this.#all.delete(client);
    if (client.isAdmitted) this.#admitted -= 1;
    else this.#refused.delete(client);
  };

  // A refusal that one can read is better than a place in a backlog that nobody sees.
  #refuse(client: Client): void {
    const { maxConnections, maxRefused } = this.#terms.limits;
    client.refuse(tooManyConnections(maxConnections));
    this.#refused.add(client);
    // The attack: who is refused and does not go holds a descriptor until it has lingered (test/end-to-end/descriptors.test.ts). The one
    // that has had longest to read its answer makes room.
    for (const oldest of this.#refused) {
      if (this.#refused.size <= maxRefused) break;
      oldest.socket.destroy();
      this.#refused.delete(oldest);
    }
  }

  #tick(): void {
    const nowMs = this.#clock.now();
    this.#onTick(nowMs);
    // After this process was stopped or starved, what clients sent meanwhile lies unread: they are not the ones who were late.
    this.#ranMs += Math.min(nowMs - this.#tickedMs, 2 * TICK_MS);
    this.#tickedMs = nowMs;
    for (const client of this.#all) client.onTick(this.#ranMs);
    if (this.#all.size > 0) return;
    this.#stopTicking?.();
    this.#stopTicking = undefined;
  }
}
