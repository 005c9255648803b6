// The far end of a virtual connection: a client, or a replica. It is played by functions, not by streams, and may do
// what a program that misbehaves does.

import type { Pipe } from './pipe.ts';

/** What the one who plays a far end hears. */
export interface FarPlayer {
  onBytes(bytes: Buffer): void;
  /** The near end has ended its side. */
  onEnd(): void;
  /** The near end has reset the connection, or is gone. */
  onReset(): void;
}

const MOST_READ_BYTES = 65_536;

export class FarEnd {
  /** Set it before anything can come. */
  player: FarPlayer | undefined;
  /** Nothing was closed or reset. */
  isOpen = true;
  readonly #incoming: Pipe;
  readonly #outgoing: Pipe;
  #isPaused = false;
  #hasHeardEnd = false;

  constructor(incoming: Pipe, outgoing: Pipe) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    incoming.onArrival = () => this.#hear();
    incoming.onReset = () => this.onReset();
    incoming.onRefused = () => outgoing.reset();
  }

  write(text: string): void {
    if (this.isOpen && text !== '') this.#outgoing.give(Buffer.from(text, 'latin1'));
  }

  /** Ends this side; the other goes on. */
  end(): void {
    if (this.isOpen) this.#outgoing.end();
  }

  /** Ends both sides. As TCP has it, that is a reset if bytes are unread. */
  close(): void {
    if (this.#incoming.unreadBytes > 0) this.reset();
    else {
      this.end();
      this.#close();
    }
  }

  reset(): void {
    if (!this.isOpen) return;
    this.#close();
    this.#outgoing.reset();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#hear();
  }

  /** The near end was reset, or is gone. */
  onReset(): void {
    if (!this.isOpen) return;
    this.#close();
    this.player?.onReset();
  }

  #close(): void {
    this.isOpen = false;
    this.#incoming.close();
  }

  #hear(): void {
    while (this.isOpen && !this.#isPaused && this.#incoming.unreadBytes > 0) {
      this.player?.onBytes(this.#incoming.read(MOST_READ_BYTES));
    }
    if (!this.isOpen || this.#isPaused || this.#hasHeardEnd || !this.#incoming.hasEnded) return;
    this.#hasHeardEnd = true;
    this.player?.onEnd();
  }
}
