// All connections of clients: how many there may be, and one timer that checks them all a few times a second for having
// waited too long. A timer per request would cost more than these limits are worth.

import type { Socket } from 'node:net';
import type { Clock } from '../../core/ports.ts';
import type { Ledger } from '../../core/request/ledger.ts';
import { BalancerError } from '../../errors.ts';
import { ownerOf } from './client-socket.ts';
import { Client, type ClientTerms } from './http1/client.ts';

const TICK_MS = 100;

export class Clients {
  readonly #terms: ClientTerms;
  readonly #ledger: Ledger;
  readonly #onTick: (nowMs: number, lateMs: number) => void;
  // Includes the clients that are being told that there are too many.
  readonly #all = new Set<Client>();
  // The clients that were refused, the oldest first.
  readonly #refused = new Set<Client>();
  readonly #clock: Clock;
  #stopTicking: (() => void) | undefined;
  // How long this process has really run, and when that was last updated.
  #ranMs = 0;
  #tickedMs = 0;

  /**
   * @param onTick called when the first client comes, and then before each check of the clients, with how late that is.
   */
  constructor(terms: ClientTerms, ledger: Ledger, clock: Clock, onTick: (nowMs: number, lateMs: number) => void) {
    this.#terms = terms;
    this.#ledger = ledger;
    this.#clock = clock;
    this.#onTick = onTick;
  }

  /** A connection has come, or another parser begins to read it. */
  admit(socket: Socket): void {
    const known = ownerOf<Client>(socket);
    if (known !== undefined) {
      known.serveOtherwise();
      return;
    }
    const client = new Client(socket, this.#terms, this.#onClosed);
    this.#all.add(client);
    if (this.#stopTicking === undefined) {
      this.#stopTicking = this.#clock.every(TICK_MS, () => this.#tick());
      this.#tickedMs = this.#clock.now();
      this.#onTick(this.#tickedMs, 0);
    }
    const { maxConnections } = this.#terms.limits;
    client.isAdmitted = this.#ledger.connect(maxConnections);
    if (!client.isAdmitted) this.#refuse(client);
  }

  /** The client of a socket that `admit` was given. */
  of(socket: Socket): Client {
    return ownerOf<Client>(socket) as Client;
  }

  /** Closes the connections that wait for a plain request. */
  closeIdle(): void {
    for (const client of this.#all) client.closeIfIdle();
  }

  /** Ends all connections, whatever is under way on them. Gives the number of requests without their whole reply. */
  cut(): number {
    const underWay = [...this.#all].filter((client) => client.hasRequest).length;
    for (const client of this.#all) client.drop();
    return underWay;
  }

  /** Tells the clients of tunnels that nothing more comes. */
  endTunnels(): void {
    for (const { relay, socket } of this.#all) if (relay.isTunnel) socket.end();
  }

  readonly #onClosed = (client: Client) => {
    this.#all.delete(client);
    if (client.isAdmitted) this.#ledger.disconnect();
    else this.#refused.delete(client);
  };

  // Refuses with a reply: a client can read that, while waiting unseen in the backlog would tell it nothing.
  #refuse(client: Client): void {
    const { maxConnections, maxRefused } = this.#terms.limits;
    client.refuse(tooManyConnections(maxConnections));
    this.#refused.add(client);
    // The attack: a refused client that does not leave holds a descriptor until it has lingered
    // (test/end-to-end/descriptors.test.ts). The client that has had the longest to read its answer makes room.
    for (const oldest of this.#refused) {
      if (this.#refused.size <= maxRefused) break;
      oldest.socket.destroy();
      this.#refused.delete(oldest);
    }
  }

  #tick(): void {
    const nowMs = this.#clock.now();
    this.#onTick(nowMs, nowMs - this.#tickedMs - TICK_MS);
    // If this process was stopped or starved, bytes of clients lie unread. Their clients were not late, so that time
    // does not count.
    this.#ranMs += Math.min(nowMs - this.#tickedMs, 2 * TICK_MS);
    this.#tickedMs = nowMs;
    for (const client of this.#all) client.onTick(this.#ranMs);
    if (this.#all.size > 0) return;
    this.#stopTicking?.();
    this.#stopTicking = undefined;
  }
}

// The error for a connection too many.
function tooManyConnections(max: number): BalancerError {
  return new BalancerError('overloaded', `there are ${max} connections already`);
}
