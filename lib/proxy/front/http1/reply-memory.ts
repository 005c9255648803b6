// Memory for replies that their clients are slow to take. It is spent to give a replica its place back: what is left of a small
// reply is read at once and waits here instead of there. All of it together has a bound; reply-relay.ts counts what one client takes.

/** Who is sent a reply that its client does not take. */
export interface Taker {
  /** Its connection is to be cut, and what it takes given back before this returns. */
  drop(): void;
}

// A reply that is known to be larger would take memory and still hold its place.
const MAX_REPLY_BYTES = 256 * 1024;
// Whoever has taken nothing for so long is dropped before others have to wait.
const PATIENCE_MS = 5000;

export class ReplyMemory {
  /** Bytes taken now. */
  takenBytes = 0;
  readonly #limits: { readonly replyMemoryBytes: number };
  readonly #onDropped: (count: number) => void;
  // Since when each has been stuck, in that order.
  readonly #takers = new Map<Taker, number>();
  #nowMs = 0;

  /** @param onDropped called after some were dropped. */
  constructor(limits: { readonly replyMemoryBytes: number }, onDropped: (count: number) => void) {
    this.#limits = limits;
    this.#onDropped = onDropped;
  }

  /** Is it worth while to read on for a slow client, in a reply of that size? */
  serves(lengthBytes: number): boolean {
    return lengthBytes <= MAX_REPLY_BYTES;
  }

  /** May more be read for a client that has taken so much? What that read brings may go over the bound. */
  mayTake(clientBytes: number): boolean {
    return clientBytes < MAX_REPLY_BYTES && this.takenBytes < this.#limits.replyMemoryBytes;
  }

  take(taker: Taker, sizeBytes: number): void {
    this.takenBytes += sizeBytes;
    if (!this.#takers.has(taker)) this.#takers.set(taker, this.#nowMs);
  }

  /** All that it has taken: its client has it, or has gone. */
  giveBack(taker: Taker, sizeBytes: number): void {
    this.takenBytes -= sizeBytes;
    this.#takers.delete(taker);
  }

  /**
   * Called a few times a second. The attack: clients that take nothing until the memory is used up, and then the places of replicas
   * (test/proxy/slow-readers.test.ts). Those that have been stuck for longest are dropped until there is room again.
   */
  onTick(nowMs: number): void {
    this.#nowMs = nowMs;
    let dropped = 0;
    for (const [taker, sinceMs] of this.#takers) {
      if (this.takenBytes < this.#limits.replyMemoryBytes || nowMs - sinceMs < PATIENCE_MS) break;
      taker.drop();
      dropped += 1;
    }
    if (dropped > 0) this.#onDropped(dropped);
  }
}
