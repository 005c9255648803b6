// One direction of a virtual TCP connection, as two systems have it between two programs: bytes on the way, bytes that
// have come and are not read yet, an end or a reset behind them. What does not fit waits with its writer.

import type { VirtualClock } from '../../fixtures/virtual-clock.ts';

/** How a direction behaves. */
export interface PipeTerms {
  readonly clock: VirtualClock;
  /** Time that bytes are on the way, in ms. */
  readonly latencyMs: number;
  /** How many bytes may be on the way or unread before a write has to wait. */
  readonly capacityBytes: number;
}

interface Waiting {
  readonly bytes: Buffer;
  readonly onTaken: () => void;
}

const NOTHING = Buffer.alloc(0);

export class Pipe {
  /** Bytes that have come and were not read. */
  unreadBytes = 0;
  /** The writer has ended, and nothing more comes behind what is unread. */
  hasEnded = false;
  /** Called when bytes or an end have come. */
  onArrival: () => void = () => undefined;
  /** Called when a reset has come. */
  onReset: () => void = () => undefined;
  /** Called when bytes come that nobody will read, since the reader has closed. */
  onRefused: () => void = () => undefined;
  readonly #terms: PipeTerms;
  #pieces: Buffer[] = [];
  #flyingBytes = 0;
  #waiting: Waiting | undefined;
  #arrivedMs = 0;
  #isEnded = false;
  #isClosed = false;

  constructor(terms: PipeTerms) {
    this.#terms = terms;
  }

  /**
   * Writes bytes. False if they do not fit: then `onTaken` is called when they do, and nothing may be written before.
   */
  write(bytes: Buffer, onTaken: () => void): boolean {
    if (this.#isEnded) return true;
    const isFull = this.#flyingBytes + this.unreadBytes >= this.#terms.capacityBytes;
    if (isFull && !this.#isClosed) {
      this.#waiting = { bytes, onTaken };
      return false;
    }
    this.#send(bytes);
    return true;
  }

  /** Writes bytes whether they fit or not: a far end may keep as much as it likes. */
  give(bytes: Buffer): void {
    if (!this.#isEnded) this.#send(bytes);
  }

  /** Nothing more is written. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#arrive(() => {
      if (this.#isClosed) return;
      this.hasEnded = true;
      this.onArrival();
    });
  }

  /** The connection is over, and what was sent before may still come. */
  reset(): void {
    this.#isEnded = true;
    this.#arrive(() => this.onReset());
  }

  /** The reader takes at most that many bytes of what has come. */
  read(mostBytes: number): Buffer {
    const [first] = this.#pieces;
    if (first === undefined) return NOTHING;
    let taken: Buffer;
    if (this.#pieces.length === 1 && first.length <= mostBytes) {
      taken = first;
      this.#pieces = [];
    } else {
      const all = Buffer.concat(this.#pieces);
      taken = all.subarray(0, mostBytes);
      this.#pieces = all.length > mostBytes ? [all.subarray(mostBytes)] : [];
    }
    this.unreadBytes -= taken.length;
    this.#takeWaiting();
    return taken;
  }

  /** The reader is gone, and hears nothing any more. */
  forgetReader(): void {
    this.onArrival = () => undefined;
    this.onReset = () => undefined;
  }

  /** The writer is gone, and hears nothing any more. */
  forgetWriter(): void {
    this.#waiting = undefined;
    this.onRefused = () => undefined;
  }

  /** Nobody reads any more: what is unread is dropped, and what still comes is refused. */
  close(): void {
    this.#isClosed = true;
    this.#pieces = [];
    this.unreadBytes = 0;
    this.#takeWaiting();
  }

  #send(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#flyingBytes += bytes.length;
    this.#arrive(() => {
      this.#flyingBytes -= bytes.length;
      if (this.#isClosed) {
        this.onRefused();
        this.#takeWaiting();
        return;
      }
      this.#pieces.push(bytes);
      this.unreadBytes += bytes.length;
      this.onArrival();
    });
  }

  // What was sent first comes first.
  #arrive(call: () => void): void {
    const { clock, latencyMs } = this.#terms;
    this.#arrivedMs = Math.max(this.#arrivedMs, clock.now() + latencyMs);
    clock.after(this.#arrivedMs - clock.now(), call);
  }

  #takeWaiting(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    const { capacityBytes } = this.#terms;
    if (!this.#isClosed && this.#flyingBytes + this.unreadBytes >= capacityBytes) return;
    this.#waiting = undefined;
    this.#send(waiting.bytes);
    waiting.onTaken();
  }
}
