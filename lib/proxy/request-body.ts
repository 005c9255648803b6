// The body of a request on its way to a replica: framed by us, sent only with bytes in hand, as fast as the replica takes it. The
// bytes sent so far are kept up to a limit, so that a request that may be repeated can be.

import type { IncomingMessage } from 'node:http';
import { BalancerError } from '../errors.ts';
import { trailerSection } from './trailers.ts';

/** Where the body goes: a connection to a replica. */
export interface BodyTarget {
  write(data: string | Buffer): boolean;
  cork(): void;
  uncork(): void;
}

/** More of a body than there may be. */
export function bodyTooLarge(maxBytes: number): BalancerError {
  return new BalancerError('body-too-large', `the body is larger than ${maxBytes} bytes`);
}

export interface BodyLimits {
  /** Kept so that the request can be repeated. */
  readonly maxKeptBytes: number;
  readonly maxBytes: number;
  /** Of its trailer section. */
  readonly maxFields: number;
  /** More has come than may; what is over is not passed on. */
  readonly onRefused: (error: BalancerError) => void;
}

export class RequestBody {
  receivedBytes = 0;
  readonly #request: IncomingMessage;
  readonly #chunked: boolean;
  readonly #limits: BodyLimits;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #allKept = true;
  #ended = false;
  #discards = false;
  #target: BodyTarget | undefined;
  #blocked = false;
  #onBegun: (() => void) | undefined;

  constructor(request: IncomingMessage, chunked: boolean, limits: BodyLimits) {
    this.#request = request;
    this.#chunked = chunked;
    this.#limits = limits;
    request.on('data', (bytes: Buffer) => this.#onData(bytes));
    request.on('end', () => this.#onEnd());
    request.pause();
  }

  /** All that was sent of it can be sent once more. */
  get inHand(): boolean {
    return this.#allKept;
  }

  /** It waits for the target to take more. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** The client has sent all of it. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Calls back when the first bytes, or the end, are there. */
  onceBegun(callback: () => void): void {
    this.#onBegun = callback;
    this.#request.resume();
  }

  /** Sends what is kept, then what comes. Only if `inHand`. */
  sendTo(target: BodyTarget): void {
    this.#target = target;
    this.#blocked = false;
    let ready = true;
    for (const bytes of this.#kept) ready = this.#write(target, bytes);
    if (this.#ended) this.#writeEnd(target);
    else if (ready) this.#request.resume();
    else this.#block();
  }

  /** The target takes bytes again. */
  resume(): void {
    if (this.#target === undefined) return;
    this.#blocked = false;
    this.#request.resume();
  }

  /** Nobody wants the rest: what still comes is read and dropped. */
  discard(): void {
    this.#target = undefined;
    this.#allKept = false;
    this.#kept = [];
    this.#discards = true;
    this.#request.resume();
  }

  /** The target is gone. What the client sends from now on waits in its socket. */
  stop(): void {
    this.#target = undefined;
    this.#request.pause();
  }

  #block(): void {
    this.#blocked = true;
    this.#request.pause();
  }

  #onData(bytes: Buffer): void {
    if (this.#discards) return;
    this.receivedBytes += bytes.length;
    if (this.receivedBytes > this.#limits.maxBytes) {
      this.#limits.onRefused(bodyTooLarge(this.#limits.maxBytes));
      return;
    }
    if (this.#allKept && this.#kept.length > 0 && this.#keptBytes + bytes.length > this.#limits.maxKeptBytes) {
      this.#allKept = false;
      this.#kept = [];
    }
    if (this.#allKept) {
      this.#kept.push(bytes);
      this.#keptBytes += bytes.length;
    }
    if (this.#target === undefined) this.#request.pause();
    else if (!this.#write(this.#target, bytes)) this.#block();
    this.#begun();
  }

  #onEnd(): void {
    const { maxFields, onRefused } = this.#limits;
    if (!this.#discards && this.#request.rawTrailers.length > 2 * maxFields) {
      onRefused(new BalancerError('head-too-large', `the request has more than ${maxFields} trailer fields`));
      return;
    }
    this.#ended = true;
    if (this.#target !== undefined) this.#writeEnd(this.#target);
    this.#begun();
  }

  #begun(): void {
    const callback = this.#onBegun;
    this.#onBegun = undefined;
    callback?.();
  }

  #write(target: BodyTarget, bytes: Buffer): boolean {
    if (!this.#chunked) return target.write(bytes);
    target.cork();
    target.write(`${bytes.length.toString(16)}\r\n`);
    target.write(bytes);
    const ready = target.write('\r\n');
    target.uncork();
    return ready;
  }

  #writeEnd(target: BodyTarget): void {
    if (this.#chunked) target.write(`0\r\n${trailerSection(this.#request.rawTrailers)}\r\n`);
  }
}
