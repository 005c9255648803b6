// The keep-alive agent of one replica: a pool of raw sockets, last in first out, so that few connections stay warm and the
// rest age and are closed. It counts what is in flight, and knows of no request more than that it sinks replies somewhere.

import net from 'node:net';
import type { Address, ReplicaRef } from '../core/ports.ts';
import { BalancerError } from '../errors.ts';
import { ReplyReader, type ReplySink } from './wire.ts';

export interface AgentLimits {
  /** Idle connections kept for each replica. */
  readonly maxIdle: number;
  /** An idle connection is closed after this time; shorter than replicas keep theirs. */
  readonly idleTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly maxHeadBytes: number;
}

/** Who holds a connection: the reply goes there, and the news that there will be none. */
export interface Leaseholder extends ReplySink {
  /** All bytes that had come are read: nothing more is known to follow soon. */
  onPause(): void;
  /** The connection takes bytes again after `write` gave false. */
  onDrain(): void;
  /** The connection is gone before the reply was whole. */
  onLost(error: BalancerError): void;
}

/** Of all agents together. */
export interface AgentLoad {
  inFlight: number;
  /** A request has given back its place. */
  freed(): void;
}

/** The right to one connection and one place in flight, until `finish` or `abandon`. */
export class ReplicaConnection {
  /** It has carried a request before: the replica may close it at any moment without having seen the next one. */
  reused = false;
  /** The connection came about: from here on, bytes may have arrived. */
  connected = false;
  /** Sweeps that found it idle. */
  idleSweeps = 0;
  readonly agent: ReplicaAgent;
  readonly #socket: net.Socket;
  readonly #reader: ReplyReader;
  #holder: Leaseholder | undefined;

  constructor(agent: ReplicaAgent, address: Address, limits: AgentLimits) {
    this.agent = agent;
    this.#reader = new ReplyReader(limits.maxHeadBytes);
    const onread = { buffer: readBuffer, callback: (sizeBytes: number) => this.#onRead(sizeBytes) };
    const socket =
      address.type === 'unix'
        ? net.connect({ path: address.path, onread })
        : net.connect({ host: address.host, port: address.port, noDelay: true, onread });
    this.#socket = socket;
    socket.setTimeout(limits.connectTimeoutMs, () =>
      socket.destroy(new Error(`it accepted no connection within ${limits.connectTimeoutMs} ms`)),
    );
    socket.once('connect', () => {
      this.connected = true;
      socket.setTimeout(0);
    });
    socket.on('drain', () => this.#holder?.onDrain());
    socket.on('end', () => this.#onEnd());
    socket.on('error', (error) => this.#lose(error));
    socket.on('close', () => {
      agent.forget(this);
      this.#lose(undefined);
    });
  }

  /** A byte of the reply has come. */
  get replyBegun(): boolean {
    return this.#reader.begun;
  }

  get alive(): boolean {
    return this.#socket.writable;
  }

  /** @param offers the request offers to switch protocols. */
  begin(holder: Leaseholder, method: string, offers = false): void {
    this.#holder = holder;
    this.#reader.expectReply(method, offers);
  }

  /** False: the bytes are kept, but wait for `onDrain` before the next. Text is latin1. */
  write(data: string | Buffer): boolean {
    return typeof data === 'string' ? this.#socket.write(data, 'latin1') : this.#socket.write(data);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  /** No more of the reply for now. What was read already still comes. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** The reply is whole and the request was sent: back to the pool if the connection may be used again. */
  finish(): void {
    if (this.#holder === undefined) return;
    this.#holder = undefined;
    if (!this.#reader.reusable) this.#socket.destroy();
    else this.reused = true;
    this.agent.giveBack(this);
  }

  /** Nobody wants the rest of this reply: the connection cannot be used again. */
  abandon(): void {
    if (this.#holder === undefined) return;
    this.#holder = undefined;
    this.#reader.stop();
    this.#socket.destroy();
    this.agent.giveBack(this);
  }

  /** There is nothing more to say: the connection closes when the replica has what was written. */
  endSoon(): void {
    if (this.#holder === undefined) return;
    this.#holder = undefined;
    this.#reader.stop();
    // A replica that does not take it is not waited for.
    this.#socket.setTimeout(LINGER_MS, () => this.#socket.destroy());
    this.#socket.destroySoon();
    this.agent.giveBack(this);
  }

  close(): void {
    this.#socket.destroy();
  }

  #onRead(sizeBytes: number): boolean {
    const holder = this.#holder;
    if (holder === undefined) {
      // The attack: bytes on an idle connection, to be taken as the reply to the next request (test/proxy/replica-agent.test.ts).
      this.#socket.destroy();
      return true;
    }
    try {
      this.#reader.read(readBuffer.subarray(0, sizeBytes), holder);
    } catch (error) {
      this.#lose(error);
      return true;
    }
    if (this.#holder === holder) holder.onPause();
    return true;
  }

  #onEnd(): void {
    const holder = this.#holder;
    if (holder === undefined) {
      // Before anybody is lent a connection that the replica has closed.
      this.#socket.destroy();
      return;
    }
    if (!this.#reader.begun) return;
    try {
      this.#reader.finish(holder);
    } catch (error) {
      this.#lose(error);
    }
  }

  #lose(cause: unknown): void {
    const holder = this.#holder;
    this.#socket.destroy();
    if (holder === undefined) return;
    this.#holder = undefined;
    this.#reader.stop();
    this.agent.giveBack(this);
    holder.onLost(this.#describeLoss(cause));
  }

  #describeLoss(cause: unknown): BalancerError {
    if (cause instanceof BalancerError) return cause;
    const { hostname } = this.agent.replica;
    const why = cause instanceof Error ? `: ${cause.message}` : '';
    if (!this.connected) {
      return new BalancerError('connect-failed', `${hostname} could not be reached${why}`, { cause });
    }
    return new BalancerError('connection-lost', `${hostname} closed the connection before it replied${why}`, { cause });
  }
}

export class ReplicaAgent {
  readonly replica: ReplicaRef;
  /** It takes no more requests. */
  retired = false;
  /** Requests that hold a lease. */
  inFlight = 0;
  readonly #load: AgentLoad;
  readonly #address: Address;
  readonly #limits: AgentLimits;
  readonly #idle: ReplicaConnection[] = [];
  readonly #all = new Set<ReplicaConnection>();
  readonly #sweeper: NodeJS.Timeout;
  readonly #onIdle: (() => void)[] = [];

  /** @param load of all agents together: each counts its own requests in. */
  constructor(replica: ReplicaRef, address: Address, limits: AgentLimits, load: AgentLoad) {
    this.#load = load;
    this.replica = replica;
    this.#address = address;
    this.#limits = limits;
    this.#sweeper = setInterval(() => this.#sweep(), limits.idleTimeoutMs / SWEEPS_TO_CLOSE).unref();
  }

  /** A connection for one request: the one used last, or a new one if there is none or `fresh` asks for it. */
  lease(fresh: boolean): ReplicaConnection {
    this.inFlight += 1;
    this.#load.inFlight += 1;
    let connection = fresh ? undefined : this.#idle.pop();
    while (connection !== undefined && !connection.alive) connection = this.#idle.pop();
    if (connection !== undefined) return connection;
    const opened = new ReplicaConnection(this, this.#address, this.#limits);
    this.#all.add(opened);
    return opened;
  }

  /** Called by a connection when its lease ends. */
  giveBack(connection: ReplicaConnection): void {
    this.inFlight -= 1;
    this.#load.inFlight -= 1;
    if (connection.alive) {
      if (this.retired || this.#idle.length >= this.#limits.maxIdle) connection.close();
      else {
        connection.idleSweeps = 0;
        this.#idle.push(connection);
      }
    }
    this.#load.freed();
    if (this.inFlight === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  /** Called by a connection that has closed. */
  forget(connection: ReplicaConnection): void {
    this.#all.delete(connection);
    const index = this.#idle.indexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
  }

  /** The replica takes no more requests: those in flight go on, idle connections are closed. */
  retire(): void {
    this.retired = true;
    clearInterval(this.#sweeper);
    for (const connection of this.#idle.splice(0)) connection.close();
  }

  /** Resolves when nothing is in flight. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.inFlight === 0) resolve();
      else this.#onIdle.push(resolve);
    });
  }

  /** Ends all connections: requests in flight fail as if the replica had gone. */
  destroy(): void {
    this.retire();
    for (const connection of this.#all) connection.close();
  }

  // The pool is a stack: those that were idle longest lie at its bottom.
  #sweep(): void {
    for (const connection of this.#idle) connection.idleSweeps += 1;
    while ((this.#idle[0]?.idleSweeps ?? 0) > SWEEPS_TO_CLOSE) this.#idle.shift()?.close();
  }
}

// How long a replica may take nothing of what was written when a connection ends.
const LINGER_MS = 2000;

// One sweep more than a connection is young enough for: it is closed between 1 and 1.25 times the idle timeout.
const SWEEPS_TO_CLOSE = 4;

// One buffer for all connections: what is read is dealt with before the next read, whichever connection that is on.
const readBuffer = Buffer.allocUnsafeSlow(65_536);
