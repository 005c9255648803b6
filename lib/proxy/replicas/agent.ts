// The keep-alive agent of one replica: a pool of raw sockets, last in, first out, so that a few connections stay warm
// and the rest age and are closed. It counts requests in flight, but of a request it only knows where the reply goes.

import { hostAndPort } from '../../core/address.ts';
import type { Address, Clock, ReplicaRef } from '../../core/ports.ts';
import type { Ledger } from '../../core/request/ledger.ts';
import type { SeatId } from '../../core/ring/ring.ts';
import type { SeatMeasures } from '../../core/traffic/measures.ts';
import type { SeatLoad } from '../../core/traffic/plane-reading.ts';
import { Tally } from '../../core/traffic/traffic.ts';
import type { ProxyLimits } from '../proxy-limits.ts';
import { type Pool, ReplicaConnection } from './connection.ts';
import type { Dial } from './socket.ts';

/** Load of all agents together. */
export interface AgentLoad {
  /** Of all threads. */
  readonly ledger: Ledger;
  /** Where the requests of a replica are counted, if another thread reads that. */
  readonly tallyOf?: ((replica: ReplicaRef) => Tally) | undefined;
  /** What is measured at a seat, by whichever replica is there. */
  readonly measuresOf: (seat: SeatId) => SeatMeasures;
  /** Of this thread. */
  inFlight: number;
  /** Connections that are kept without a request on them. */
  idle: number;
  /** Begins a connection to a replica. */
  readonly dial: Dial;
  /** Called when a request has given back its place. */
  freed(): void;
}

export class ReplicaAgent implements Pool {
  readonly replica: ReplicaRef;
  readonly authority: string;
  retired = false;
  /** Requests of this thread that have a place there: event streams and tunnels have none. */
  inFlight = 0;
  readonly tally: Tally;
  readonly measures: SeatMeasures;
  readonly #load: AgentLoad;
  readonly #row: number;
  readonly #address: Address;
  readonly #limits: ProxyLimits;
  readonly #idle: ReplicaConnection[] = [];
  readonly #all = new Set<ReplicaConnection>();
  readonly #streams = new Set<ReplicaConnection>();
  #endsStreams = false;
  #isEnding = false;
  readonly #clock: Clock;
  #stopSweeping: () => void;
  // The idle timeout that the sweeps go by.
  #sweptForMs = 0;
  readonly #onIdle: (() => void)[] = [];
  // Of this thread: tunnels, and requests that offer to become one.
  #tunnels = 0;

  /**
   * @param load of all agents together. Each agent adds its own requests.
   * @param row of this replica in the ledger.
   */
  constructor(replica: ReplicaRef, address: Address, limits: ProxyLimits, load: AgentLoad, row: number, clock: Clock) {
    this.#load = load;
    this.#row = row;
    this.replica = replica;
    this.tally = load.tallyOf?.(replica) ?? new Tally();
    this.measures = load.measuresOf(replica.seat);
    this.#address = address;
    this.authority = authorityOf(address);
    this.#limits = limits;
    this.#clock = clock;
    this.#stopSweeping = this.#startSweeping();
  }

  /** Requests that have a place there, in all threads. */
  get inFlightInAll(): number {
    return this.#load.ledger.inFlightAt(this.#row);
  }

  /** What those weigh, of which the weight counts. */
  get weightInAll(): number {
    return this.#load.ledger.weightAt(this.#row);
  }

  /** Tunnels there, and requests that offer to become one, in all threads. */
  get tunnelsInAll(): number {
    return this.#load.ledger.tunnelsAt(this.#row);
  }

  /** What there is of this thread, at the moment. */
  get seatLoad(): SeatLoad {
    const idleConnections = this.#idle.length;
    return {
      inFlight: this.inFlight,
      tunnels: this.#tunnels,
      streams: this.#streams.size,
      busyConnections: this.#all.size - idleConnections,
      idleConnections,
    };
  }

  /**
   * Takes a place for one request, if there is one. The caller must lease it.
   * @param factor of bounded load; Infinity for no bound but the limit.
   * @param part the seat's weight over that of all.
   * @param offers the request offers to switch protocols, so it takes a place among the tunnels too, or none at all.
   * @param weight of the request, if the bound is on weights; else 0.
   */
  take(factor: number, part: number, offers = false, weight = 0): boolean {
    const { ledger } = this.#load;
    const { maxInFlight, maxTunnels, balanceFloor } = this.#limits;
    if (offers && !ledger.openTunnel(this.#row, maxTunnels)) return false;
    if (!ledger.take(this.#row, maxInFlight, factor, part, balanceFloor, weight)) {
      if (offers) ledger.closeTunnel(this.#row);
      return false;
    }
    this.inFlight += 1;
    this.#load.inFlight += 1;
    if (offers) this.#tunnels += 1;
    return true;
  }

  /** @param offers, weight as it was said when the place was taken. */
  lease(fresh: boolean, offers = false, weight = 0): ReplicaConnection {
    const kept = fresh ? undefined : this.#takeIdle();
    this.measures.connection(kept !== undefined);
    const connection = kept ?? this.#open();
    connection.offers = offers;
    connection.weight = weight;
    return connection;
  }

  get keepsAlive(): boolean {
    return this.#limits.maxIdle > 0;
  }

  giveBack(connection: ReplicaConnection): void {
    if (!this.#streams.delete(connection) && !connection.isTunnel) this.#countOut(connection);
    if (connection.offers) this.#countTunnelOut();
    if (connection.alive) {
      const { maxIdle, maxIdleInAll } = this.#limits;
      if (this.retired || this.#idle.length >= maxIdle || this.#load.idle >= maxIdleInAll) connection.close();
      else {
        connection.idleSweeps = 0;
        this.#idle.push(connection);
        this.#load.idle += 1;
      }
    }
    this.#load.freed();
    if (this.#isIdle) for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  addStream(connection: ReplicaConnection): void {
    this.#streams.add(connection);
    this.#countOut(connection);
    this.#load.freed();
    // Event streams are being ended already. This one's head must be written first, so that the stream can end in
    // order.
    if (this.#endsStreams) setImmediate(() => connection.endStream());
  }

  // The attack: WebSockets that say nothing and hold all places of ordinary requests
  // (test/proxy/tunnel-places.test.ts). So a tunnel gives back its place.
  addTunnel(connection: ReplicaConnection): void {
    this.#countOut(connection);
    this.#load.freed();
  }

  /** Ends all event streams, now and from now on. Their clients come back, to another replica. */
  endStreams(): void {
    this.#endsStreams = true;
    for (const connection of this.#streams) connection.endStream();
  }

  forget(connection: ReplicaConnection): void {
    this.#all.delete(connection);
    const index = this.#idle.indexOf(connection);
    if (index === -1) return;
    this.#idle.splice(index, 1);
    this.#load.idle -= 1;
  }

  /** The replica takes no more requests: those in flight go on, idle connections are closed. */
  retire(): void {
    this.retired = true;
    this.#stopSweeping();
    this.#load.idle -= this.#idle.length;
    for (const connection of this.#idle.splice(0)) connection.close();
    this.endStreams();
  }

  /** Resolves when nothing is in flight and no tunnel is left. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isIdle) resolve();
      else this.#onIdle.push(resolve);
    });
  }

  /** Call it when the limits have changed. */
  settingsChanged(): void {
    // A sweep that is begun anew comes later, so settings that change often would put it off for ever.
    if (this.retired || this.#limits.idleTimeoutMs === this.#sweptForMs) return;
    this.#stopSweeping();
    this.#stopSweeping = this.#startSweeping();
  }

  /**
   * Ends each connection once it has brought nothing for so long while it was read: then its request fails as if the
   * replica had gone. What waits for a slow client is read on when the client goes on.
   */
  endOnceSilent(silentMs: number): void {
    if (!this.#isEnding) this.#endSilent(silentMs);
    this.#isEnding = true;
  }

  /** Ends all connections. Requests in flight fail as if the replica had gone. */
  destroy(): void {
    this.retire();
    for (const connection of this.#all) connection.close();
  }

  #endSilent(silentMs: number): void {
    const before = new Map([...this.#all].map((connection) => [connection, connection.bytesRead]));
    void this.#clock.sleep(silentMs).then(() => {
      for (const [connection, bytesRead] of before) {
        if (connection.bytesRead === bytesRead && !connection.isPaused) connection.close();
      }
      if (this.#all.size > 0) this.#endSilent(silentMs);
    });
  }

  get #isIdle(): boolean {
    return this.inFlight === 0 && this.#tunnels === 0;
  }

  #takeIdle(): ReplicaConnection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined) return undefined;
      this.#load.idle -= 1;
      if (connection.alive) return connection;
    }
  }

  #open(): ReplicaConnection {
    const opened = new ReplicaConnection(this, this.#address, this.#limits, this.#load.dial);
    this.#all.add(opened);
    return opened;
  }

  #countOut({ weight }: ReplicaConnection): void {
    this.#load.ledger.give(this.#row, weight);
    this.inFlight -= 1;
    this.#load.inFlight -= 1;
  }

  #countTunnelOut(): void {
    this.#load.ledger.closeTunnel(this.#row);
    this.#tunnels -= 1;
  }

  #startSweeping(): () => void {
    this.#sweptForMs = this.#limits.idleTimeoutMs;
    return this.#clock.every(this.#sweptForMs / SWEEPS_TO_CLOSE, () => this.#sweep());
  }

  // The pool is a stack: the connections that were idle longest lie at the bottom.
  #sweep(): void {
    for (const connection of this.#idle) connection.idleSweeps += 1;
    while ((this.#idle[0]?.idleSweeps ?? 0) > SWEEPS_TO_CLOSE) {
      this.#idle.shift()?.close();
      this.#load.idle -= 1;
    }
  }
}

// A Unix socket has no host and port, so a name stands for them in the Host field.
function authorityOf(address: Address): string {
  return address.type === 'unix' ? 'localhost' : hostAndPort(address.host, address.port);
}

// A connection closes at the sweep after this many, so between 1 and 1.25 times the idle timeout.
const SWEEPS_TO_CLOSE = 4;
