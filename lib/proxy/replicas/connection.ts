// One connection to a replica, and the lease on it: a request's bytes out, its reply to whoever holds it. Which connection a request
// gets is agent.ts, what a reply is reply-reader.ts.

import type net from 'node:net';
import type { Address } from '../../core/ports.ts';
import { BalancerError, localShortage } from '../../errors.ts';
import { ReplyReader, type ReplySink } from '../../http/reply-reader.ts';
import type { AgentLimits, ReplicaAgent } from './agent.ts';
import { ReplicaSocket } from './socket.ts';

/** Who holds a connection: the reply goes there, and the news that there will be none. */
export interface Leaseholder extends ReplySink {
  /** All bytes that had come are read: nothing more is known to follow soon. */
  onPause(): void;
  /** The connection takes bytes again after `write` gave false. */
  onDrain(): void;
  /** The connection takes long to come about: its replica may hang, or a packet was lost. It is still waited for. */
  onSlowConnect(): void;
  /** The connection is gone before the reply was whole. */
  onLost(error: BalancerError): void;
  /** An event stream is to end, in order: its replica takes no more requests, and would wait for it for ever. */
  endStream(): void;
}

/** The right to one connection and one place in flight, until `finish` or `abandon`. */
export class ReplicaConnection {
  /** It has carried a request before: the replica may close it at any moment without having seen the next one. */
  reused = false;
  /** The connection came about: from here on, bytes may have arrived. */
  connected = false;
  /** Its reply is an event stream. */
  isStream = false;
  /** Its request offers to switch protocols, and its replica has switched. */
  offers = false;
  isTunnel = false;
  /** Sweeps that found it idle. */
  idleSweeps = 0;
  readonly agent: ReplicaAgent;
  readonly #socket: net.Socket;
  readonly #reader: ReplyReader;
  #holder: Leaseholder | undefined;

  constructor(agent: ReplicaAgent, address: Address, limits: AgentLimits) {
    this.agent = agent;
    this.#reader = new ReplyReader(limits);
    const onread = { buffer: readBuffer, callback: (sizeBytes: number) => this.#onRead(sizeBytes) };
    // These are options of the socket, though the types know them of a connection alone.
    const socket = new ReplicaSocket({ onread, noDelay: true } as net.SocketConstructorOpts);
    if (address.type === 'unix') socket.connect({ path: address.path });
    else socket.connect({ host: address.host, port: address.port });
    this.#socket = socket;
    this.#limitConnect(limits.connectTimeoutMs);
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

  begin(holder: Leaseholder, method: string): void {
    this.#holder = holder;
    this.isStream = false;
    this.#reader.expectReply(method, this.offers);
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

  /** Nothing more will be written; the reply still comes. */
  endWriting(): void {
    this.#socket.end();
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

  endStream(): void {
    if (this.isStream) this.#holder?.endStream();
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

  #limitConnect(limitMs: number): void {
    const socket = this.#socket;
    // If it is this process that is late, the connection may be there: that is seen before the next timer.
    const unlessConnected = (late: () => void) => () => setTimeout(() => this.connected || late(), 1);
    const giveUp = unlessConnected(() => socket.destroy(new Error(`it accepted no connection within ${limitMs} ms`)));
    const doubt = unlessConnected(() => {
      this.#holder?.onSlowConnect();
      socket.setTimeout(limitMs - SLOW_CONNECT_MS, giveUp);
    });
    if (limitMs > SLOW_CONNECT_MS) socket.setTimeout(SLOW_CONNECT_MS, doubt);
    else socket.setTimeout(limitMs, giveUp);
    socket.once('connect', () => {
      this.connected = true;
      socket.setTimeout(0);
      socket.removeAllListeners('timeout');
    });
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
    const shortage = localShortage(cause);
    if (shortage !== undefined) {
      return new BalancerError('overloaded', `the connection to ${hostname} failed: ${shortage}`, { cause });
    }
    const why = cause instanceof Error ? `: ${cause.message}` : '';
    if (!this.connected) {
      return new BalancerError('connect-failed', `${hostname} could not be reached${why}`, { cause });
    }
    return new BalancerError('connection-lost', `${hostname} closed the connection before it replied${why}`, { cause });
  }
}

// After that time the system sends a SYN again that was lost.
const SLOW_CONNECT_MS = 1000;
// How long a replica may take nothing of what was written when a connection ends.
const LINGER_MS = 2000;

// One buffer for all connections: what is read is dealt with before the next read, whichever connection that is on.
const readBuffer = Buffer.allocUnsafeSlow(65_536);
