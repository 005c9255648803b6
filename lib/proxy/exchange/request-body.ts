// A request's body on its way to a replica: framed anew, held until enough of it is here, then sent as fast as the
// replica takes it. Its beginning is kept, up to a limit, so that the request can be repeated.

import { BalancerError } from '../../errors.ts';
import type { RequestHead } from '../../http/headers.ts';
import { trailerSection } from '../../http/trailers.ts';
import type { ProxyLimits } from '../proxy-limits.ts';
import type { BodySource } from './downstream.ts';
import { KeptBytes } from './kept-bytes.ts';
import type { Upload, UploadMemory } from './upload-memory.ts';

/** Where the body goes: a connection to a replica. */
export interface BodyTarget {
  write(data: string | Buffer): boolean;
  cork(): void;
  uncork(): void;
}

/** The error for a body that exceeds the limit. */
export function bodyTooLarge(maxBytes: number): BalancerError {
  return new BalancerError('body-too-large', `the body is larger than ${maxBytes} bytes`);
}

export function hasBody({ body, lengthBytes }: RequestHead): boolean {
  return body === 'chunked' || lengthBytes > 0;
}

/** The body of a request on its way, or `NO_BODY`. */
export interface OutgoingBody {
  readonly receivedBytes: number;
  /** Everything that was sent of the body can be sent again. */
  readonly inHand: boolean;
  /** What has come of it and is kept. */
  readonly kept: readonly Uint8Array[];
  /** The whole body in pieces, if all of it is here and kept. */
  readonly whole: readonly Buffer[] | undefined;
  /** The body waits for its target to take more. */
  readonly blocked: boolean;
  /** The client has sent the whole body. */
  readonly ended: boolean;
  /** Sends what is kept, then what comes. Only allowed while `inHand`. */
  sendTo(target: BodyTarget): void;
  /** The target takes bytes again. */
  resume(): void;
  /** The target is gone. What the client sends from now on waits in its socket. */
  stop(): void;
  /** Nobody wants the rest: what still comes is read and dropped. */
  discard(): void;
}

/** The body of a request that has none. One object serves all such requests, since most are such. */
export const NO_BODY: OutgoingBody = {
  receivedBytes: 0,
  inHand: true,
  kept: [],
  whole: [],
  blocked: false,
  ended: true,
  sendTo: () => undefined,
  resume: () => undefined,
  stop: () => undefined,
  discard: () => undefined,
};

type BodyLimits = Pick<ProxyLimits, 'maxKeptBytes' | 'maxBodyBytes' | 'maxFields'>;

export class RequestBody implements Upload, OutgoingBody {
  receivedBytes = 0;
  readonly #request: BodySource;
  readonly #chunked: boolean;
  readonly #limits: BodyLimits;
  readonly #memory: UploadMemory;
  readonly #onFault: (error: BalancerError) => void;
  readonly #kept = new KeptBytes();
  // How much of the memory for uploads this body takes.
  #takenBytes = 0;
  #allKept = true;
  #ended = false;
  #discards = false;
  #target: BodyTarget | undefined;
  #blocked = false;
  #onReady: (() => void) | undefined;

  /**
   * @param memory counts what is kept while no replica has it.
   * @param onFault called if the body cannot go on. The request must then fail with this error, and the body be
   * discarded.
   */
  constructor(
    request: BodySource,
    chunked: boolean,
    limits: BodyLimits,
    memory: UploadMemory,
    onFault: (error: BalancerError) => void,
  ) {
    this.#request = request;
    this.#chunked = chunked;
    this.#limits = limits;
    this.#memory = memory;
    this.#onFault = onFault;
    request.on('data', (bytes: Buffer) => this.#onData(bytes));
    request.on('end', () => this.#onEnd());
    request.pause();
  }

  get inHand(): boolean {
    return this.#allKept;
  }

  get kept(): readonly Buffer[] {
    return this.#kept.pieces;
  }

  get whole(): readonly Buffer[] | undefined {
    const isWhole = this.#ended && this.#allKept && this.receivedBytes < this.#limits.maxKeptBytes;
    return isWhole ? this.#kept.pieces : undefined;
  }

  get blocked(): boolean {
    return this.#blocked;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /**
   * Calls back when a replica may be bothered with the body: when all of it is here, or as much as is kept. The attack:
   * bodies that come a byte at a time, each with a place at a replica that others need
   * (test/proxy/slow-uploads.test.ts).
   */
  onceReady(callback: () => void): void {
    this.#onReady = callback;
    this.#request.resume();
  }

  sendTo(target: BodyTarget): void {
    this.#giveBack();
    this.#target = target;
    this.#blocked = false;
    let ready = true;
    for (const bytes of this.#kept.pieces) ready = this.#write(target, bytes);
    if (this.#ended) this.#writeEnd(target);
    else if (ready) this.#request.resume();
    else this.#block();
  }

  resume(): void {
    if (this.#target === undefined) return;
    this.#blocked = false;
    this.#request.resume();
  }

  discard(): void {
    this.#giveBack();
    this.#target = undefined;
    this.#allKept = false;
    this.#kept.clear();
    this.#discards = true;
    this.#request.resume();
  }

  stop(): void {
    this.#target = undefined;
    this.#request.pause();
    this.#giveBack();
    this.#takenBytes = this.#kept.sizeBytes;
    this.#memory.retake(this.#takenBytes);
  }

  onMemoryFull(): void {
    this.#onFault(
      new BalancerError('overloaded', 'too many bodies are on their way, and this one has been for longest'),
    );
  }

  #block(): void {
    this.#blocked = true;
    this.#request.pause();
  }

  #onData(bytes: Buffer): void {
    if (this.#discards) return;
    this.receivedBytes += bytes.length;
    const { maxBodyBytes } = this.#limits;
    if (this.receivedBytes > maxBodyBytes) this.#onFault(bodyTooLarge(maxBodyBytes));
    else if (this.#target === undefined) this.#keep(bytes);
    else this.#pass(this.#target, bytes);
  }

  #keep(bytes: Buffer): void {
    const before = this.#kept.sizeBytes;
    this.#kept.add(bytes);
    const grownBytes = this.#kept.sizeBytes - before;
    this.#takenBytes += grownBytes;
    // If no memory is left this very body may have to give way. It is discarded by then.
    this.#memory.take(this, grownBytes);
    if (this.#kept.lengthBytes < this.#limits.maxKeptBytes || this.#discards) return;
    this.#request.pause();
    this.#ready();
  }

  #pass(target: BodyTarget, bytes: Buffer): void {
    if (this.#allKept && this.#kept.lengthBytes + bytes.length <= this.#limits.maxKeptBytes) {
      this.#kept.add(bytes);
    } else if (this.#allKept) {
      this.#allKept = false;
      this.#kept.clear();
    }
    if (!this.#write(target, bytes)) this.#block();
  }

  #onEnd(): void {
    const { maxFields } = this.#limits;
    if (!this.#discards && this.#request.rawTrailers.length > 2 * maxFields) {
      this.#onFault(new BalancerError('head-too-large', `the request has more than ${maxFields} trailer fields`));
      return;
    }
    this.#ended = true;
    if (this.#target !== undefined) this.#writeEnd(this.#target);
    this.#ready();
  }

  #ready(): void {
    this.#memory.stay(this);
    const callback = this.#onReady;
    this.#onReady = undefined;
    callback?.();
  }

  #giveBack(): void {
    this.#memory.stay(this);
    this.#memory.giveBack(this.#takenBytes);
    this.#takenBytes = 0;
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
