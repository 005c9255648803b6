// One connection to a replica, and the lease on it: sends a request's bytes, and gives the reply to the lease's holder.
// agent.ts chooses the connection for a request, reply-reader.ts parses the reply.

import type net from 'node:net';
import type { Address } from '../../core/ports.ts';
import { BalancerError, localShortage } from '../../errors.ts';
import { ReplyReader } from '../../http/reply-reader.ts';
import type { ProxyLimits } from '../proxy-limits.ts';
import type { Lease, Leaseholder, Lessor } from './lease.ts';
import type { Dial } from './socket.ts';

/** What a connection tells the agent that it belongs to. */
export interface Pool extends Lessor {
  /** The lease of a connection has ended. */
  giveBack(connection: ReplicaConnection): void;
  /** A connection has closed. */
  forget(connection: ReplicaConnection): void;
  addStream(connection: ReplicaConnection): void;
  addTunnel(connection: ReplicaConnection): void;
}

/** One connection, which is lent to one request after the other. */
export class ReplicaConnection implements Lease {
  reused = false;
  connected = false;
  isStream = false;
  /** The request of the current lease offers to switch protocols. */
  offers = false;
  /** What it weighs, if that counts; else 0. */
  weight = 0;
  isTunnel = false;
  /** How many sweeps have found it idle. */
  idleSweeps = 0;
  readonly lessor: Pool;
  readonly #socket: net.Socket;
  readonly #reader: ReplyReader;
  #holder: Leaseholder | undefined;

  constructor(pool: Pool, address: Address, limits: ProxyLimits, dial: Dial) {
    this.lessor = pool;
    this.#reader = new ReplyReader(limits);
    const socket = dial(address, { buffer: readBuffer, callback: (sizeBytes) => this.#onRead(sizeBytes) });
    this.#socket = socket;
    this.#limitConnect(limits.connectTimeoutMs);
    socket.on('drain', () => this.#holder?.onDrain());
    socket.on('end', () => this.#onEnd());
    socket.on('error', (error) => this.#lose(error));
    socket.on('close', () => {
      pool.forget(this);
      this.#lose(undefined);
    });
  }

  get hasSpoken(): boolean {
    return this.#reader.begun;
  }

  get alive(): boolean {
    return this.#socket.writable;
  }

  /** How many bytes have come, in all. */
  get bytesRead(): number {
    return this.#socket.bytesRead;
  }

  /** It is not read, since the client does not take what was read before. */
  get isPaused(): boolean {
    return this.#socket.isPaused();
  }

  begin(holder: Leaseholder, method: string): void {
    this.#holder = holder;
    this.isStream = false;
    this.#reader.expectReply(method, this.offers);
  }

  write(data: string | Buffer): boolean {
    return typeof data === 'string' ? this.#socket.write(data, 'latin1') : this.#socket.write(data);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  endWriting(): void {
    this.#socket.end();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  finish(): void {
    if (this.#holder === undefined) return;
    this.#holder = undefined;
    if (!this.#reader.reusable) this.#socket.destroy();
    else this.reused = true;
    this.lessor.giveBack(this);
  }

  abandon(): void {
    if (this.#holder === undefined) return;
    this.#holder = undefined;
    this.#reader.stop();
    this.#socket.destroy();
    this.lessor.giveBack(this);
  }

  becomeStream(): void {
    this.isStream = true;
    this.lessor.addStream(this);
  }

  becomeTunnel(): void {
    this.isTunnel = true;
    this.lessor.addTunnel(this);
  }

  /** Ends the event stream on this connection, if there is one. */
  endStream(): void {
    if (this.isStream) this.#holder?.endStream();
  }

  endSoon(): void {
    if (this.#holder === undefined) return;
    this.#holder = undefined;
    this.#reader.stop();
    // Does not wait for a replica that takes no bytes.
    this.#socket.setTimeout(LINGER_MS, () => this.#socket.destroy());
    this.#socket.destroySoon();
    this.lessor.giveBack(this);
  }

  close(): void {
    this.#socket.destroy();
  }

  #limitConnect(limitMs: number): void {
    const socket = this.#socket;
    // If this process is late, the connection may be there already. Node says so before the next timer fires.
    const unlessConnected = (late: () => void) => () => {
      socket.setTimeout(1, late);
    };
    const giveUp = unlessConnected(() => socket.destroy(new Error(`it accepted no connection within ${limitMs} ms`)));
    const doubt = unlessConnected(() => {
      this.#holder?.onSlowConnect();
      socket.setTimeout(limitMs - SLOW_CONNECT_MS, giveUp);
    });
    if (limitMs > SLOW_CONNECT_MS) socket.setTimeout(SLOW_CONNECT_MS, doubt);
    else socket.setTimeout(limitMs, giveUp);
    socket.once('connect', () => {
      this.connected = true;
      this.#holder?.onConnected();
      socket.setTimeout(0);
      socket.removeAllListeners('timeout');
    });
  }

  #onRead(sizeBytes: number): boolean {
    const holder = this.#holder;
    if (holder === undefined) {
      // The attack: bytes on an idle connection, to be taken for the reply to the next request
      // (test/proxy/replica-agent.test.ts).
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
      // The replica has closed an idle connection, which must not be lent to anybody.
      this.#socket.destroy();
      return;
    }
    if (!this.#reader.headCame) {
      this.#lose(undefined);
      return;
    }
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
    const error = this.#describeLoss(cause);
    this.#holder = undefined;
    this.#reader.stop();
    this.lessor.giveBack(this);
    holder.onLost(error);
  }

  #describeLoss(cause: unknown): BalancerError {
    if (cause instanceof BalancerError) return cause;
    const { hostname } = this.lessor.replica;
    const shortage = localShortage(cause);
    if (shortage !== undefined) {
      return new BalancerError('overloaded', `the connection to ${hostname} failed: ${shortage}`, { cause });
    }
    const why = cause instanceof Error ? `: ${cause.message}` : '';
    if (!this.connected) {
      return new BalancerError('connect-failed', `${hostname} could not be reached${why}`, { cause });
    }
    const when = this.#reader.headCame ? 'within its reply' : 'before it replied';
    return new BalancerError('connection-lost', `${hostname} closed the connection ${when}${why}`, { cause });
  }
}

// After this time the system repeats a SYN that was lost.
const SLOW_CONNECT_MS = 1000;
// How long a replica may take nothing of what was written, when a connection ends.
const LINGER_MS = 2000;

// One buffer serves all connections: whatever is read is dealt with before the next read on any of them.
const readBuffer = Buffer.allocUnsafeSlow(65_536);
