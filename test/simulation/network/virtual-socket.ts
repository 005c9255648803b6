// A socket of the data plane on the virtual network. It is a stream of Node, and on top of that does what `net.Socket`
// does as far as the data plane can tell: it reads into a buffer that it was given, stops reading when it is paused,
// keeps what is written until it is connected, closes in a later turn, and has an idle timer.

import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Pipe } from './pipe.ts';

/** What the system does for a socket. */
export interface SocketSystem {
  /** Calls back after so many ms, unless what it returns is called before, or the socket's thread has ended. */
  readonly after: (ms: number, call: () => void) => () => void;
  readonly incoming: Pipe;
  readonly outgoing: Pipe;
  readonly onClosed: () => void;
  /** Called with what is written, before it goes out. */
  readonly onWrite?: ((bytes: Buffer) => void) | undefined;
}

export interface SocketTerms {
  readonly isConnecting: boolean;
  readonly allowHalfOpen: boolean;
  /** Errors of writes are left to the reading side, as `ReplicaSocket` has it. */
  readonly ignoresRefusals: boolean;
  readonly onread?: { readonly buffer: Buffer; readonly callback: (sizeBytes: number) => boolean };
}

type Done = (error?: Error | null) => void;

// The members in which a socket keeps what it reads into.
const MEMBERS = Object.getOwnPropertySymbols(new Socket());
const BUFFER = MEMBERS.find(({ description }) => description === 'kBuffer') as symbol;
const CALLBACK = MEMBERS.find(({ description }) => description === 'kBufferCb') as symbol;
const MOST_READ_BYTES = 65_536;

export class VirtualSocket extends Duplex {
  connecting: boolean;
  bytesRead = 0;
  bytesWritten = 0;
  readonly remoteAddress = '127.0.0.1';
  /** What Node and the data plane use of it. */
  readonly _handle: {
    reading: boolean;
    readonly useUserBuffer: () => void;
    readonly readStart: () => void;
    readonly readStop: () => void;
  };
  readonly #system: SocketSystem;
  readonly #ignoresRefusals: boolean;
  #isReading = false;
  #isReset = false;
  #hasEnded = false;
  #delivers = false;
  #pendingWrite: Done | undefined;
  #timeoutMs = 0;
  #stopTimer: () => void = () => undefined;
  [member: symbol]: unknown;

  constructor(system: SocketSystem, terms: SocketTerms) {
    super({ allowHalfOpen: terms.allowHalfOpen, emitClose: false, autoDestroy: true, decodeStrings: false });
    this.#system = system;
    this.connecting = terms.isConnecting;
    this.#ignoresRefusals = terms.ignoresRefusals;
    const isReading = () => this.#isReading;
    this._handle = {
      get reading() {
        return isReading();
      },
      // Who sets it starts or stops reading as well.
      set reading(_) {},
      useUserBuffer: () => undefined,
      readStart: () => this.#startReading(),
      readStop: () => {
        this.#isReading = false;
      },
    };
    this[BUFFER] = terms.onread?.buffer;
    this[CALLBACK] = terms.onread?.callback;
    system.incoming.onArrival = () => this.#deliver();
    system.incoming.onReset = () => this.#onReset();
    system.incoming.onRefused = () => system.outgoing.reset();
    if (!terms.isConnecting) this.read(0);
  }

  /** The far end has accepted the connection. */
  connected(): void {
    if (this.destroyed) return;
    this.connecting = false;
    this.emit('connect');
    if (this.readable && !this.isPaused()) this.read(0);
  }

  /** The connection could not be made. */
  refuse(code: string): void {
    this.destroy(systemError('connect', code));
  }

  setTimeout(ms: number, callback?: () => void): this {
    this.#timeoutMs = ms;
    if (callback !== undefined) {
      if (ms === 0) this.off('timeout', callback);
      else this.once('timeout', callback);
    }
    this.#refreshTimer();
    return this;
  }

  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  resetAndDestroy(): this {
    if (!this.destroyed && !this.connecting) this.#system.outgoing.reset();
    return this.destroy();
  }

  override pause(): this {
    if (this[BUFFER] !== undefined && !this.connecting) this.#isReading = false;
    return super.pause();
  }

  override resume(): this {
    if (this[BUFFER] !== undefined && !this.connecting) this.#startReading();
    return super.resume();
  }

  override read(size?: number): unknown {
    if (this[BUFFER] !== undefined && !this.connecting) this.#startReading();
    return super.read(size);
  }

  override _read(): void {
    if (this.connecting) this.once('connect', () => this._read());
    else this.#startReading();
  }

  override _write(chunk: string | Buffer, encoding: BufferEncoding, done: Done): void {
    this.#write(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : Buffer.from(chunk), done);
  }

  override _writev(chunks: { chunk: string | Buffer; encoding: BufferEncoding }[], done: Done): void {
    const whole = chunks.map(({ chunk, encoding }) =>
      typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk,
    );
    this.#write(Buffer.concat(whole), done);
  }

  override _final(done: Done): void {
    if (this.connecting) {
      this.once('connect', () => this._final(done));
      return;
    }
    this.#system.outgoing.end();
    this.#system.after(0, done);
  }

  override _destroy(error: Error | null, done: Done): void {
    const { after, incoming, outgoing, onClosed } = this.#system;
    this.#stopTimer();
    this.#timeoutMs = 0;
    // Bytes that nobody has read make a reset of it.
    if (incoming.unreadBytes > 0) outgoing.reset();
    else outgoing.end();
    incoming.close();
    onClosed();
    done(error);
    after(0, () => this.emit('close', error !== null));
  }

  // The far end has reset the connection.
  #onReset(): void {
    if (this.destroyed || this.#isReset) return;
    this.#isReset = true;
    const done = this.#pendingWrite;
    this.#pendingWrite = undefined;
    done?.(this.#ignoresRefusals ? null : systemError('write', 'ECONNRESET'));
    this.#deliver();
  }

  #write(bytes: Buffer, done: Done): void {
    this.#system.onWrite?.(bytes);
    if (this.connecting) {
      const onClose = () => done(new Error('the socket was closed before the connection was established'));
      this.once('close', onClose);
      this.once('connect', () => {
        this.off('close', onClose);
        this.#send(bytes, done);
      });
    } else this.#send(bytes, done);
  }

  #send(bytes: Buffer, done: Done): void {
    if (this.#isReset) {
      done(this.#ignoresRefusals ? null : systemError('write', 'EPIPE'));
      return;
    }
    this.bytesWritten += bytes.length;
    this.#pendingWrite = done;
    const isTaken = this.#system.outgoing.write(bytes, () => this.#taken());
    if (isTaken) this.#taken();
  }

  #taken(): void {
    const done = this.#pendingWrite;
    this.#pendingWrite = undefined;
    this.#refreshTimer();
    done?.();
  }

  #startReading(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    const { incoming } = this.#system;
    // The system tells of what is there already in another turn.
    if (incoming.unreadBytes > 0 || incoming.hasEnded || this.#isReset) this.#deliverLater();
  }

  #deliverLater(): void {
    if (this.#delivers) return;
    this.#delivers = true;
    this.#system.after(0, () => {
      this.#delivers = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    if (!this.#isReading || this.destroyed) return;
    const { incoming } = this.#system;
    const buffer = this[BUFFER] as Buffer | undefined;
    const bytes = incoming.read(buffer?.length ?? MOST_READ_BYTES);
    if (bytes.length > 0) {
      this.#refreshTimer();
      this.bytesRead += bytes.length;
      if (!this.#give(bytes, buffer)) this.#isReading = false;
      if (incoming.unreadBytes > 0 || incoming.hasEnded || this.#isReset) this.#deliverLater();
    } else if (this.#isReset) this.destroy(systemError('read', 'ECONNRESET'));
    else if (incoming.hasEnded && !this.#hasEnded) {
      this.#hasEnded = true;
      this.push(null);
      this.read(0);
    }
  }

  #give(bytes: Buffer, buffer: Buffer | undefined): boolean {
    if (buffer === undefined) return this.push(bytes);
    bytes.copy(buffer);
    return (this[CALLBACK] as (sizeBytes: number, buffer: Buffer) => boolean)(bytes.length, buffer);
  }

  #refreshTimer(): void {
    this.#stopTimer();
    if (this.#timeoutMs > 0) this.#stopTimer = this.#system.after(this.#timeoutMs, () => this.emit('timeout'));
  }
}

function systemError(call: string, code: string): Error {
  return Object.assign(new Error(`${call} ${code}`), { code, syscall: call });
}
