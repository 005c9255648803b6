// Memory for replies that clients are slow to take. It is spent to free a replica's place sooner: the rest of a small
// reply is read at once and waits here instead of at the replica. All clients share one bound; reply-relay.ts counts
// what one client takes.

/** A client's reply that takes memory because the client is slow. */
export interface Taker {
  /** Cuts the client's connection, and gives back its memory before it returns. */
  drop(): void;
}

// A larger reply does not fit: it would take memory and still hold its place.
const MAX_REPLY_BYTES = 256 * 1024;
// How long a client may take nothing before it is dropped so that others need not wait.
const PATIENCE_MS = 5000;

export class ReplyMemory {
  /** How many bytes are taken now. */
  takenBytes = 0;
  readonly #limits: { readonly replyMemoryBytes: number };
  readonly #onDropped: (count: number) => void;
  // Since when each one has been stuck, in that order.
  readonly #takers = new Map<Taker, number>();
  #nowMs = 0;

  /** @param onDropped called when some were dropped. */
  constructor(limits: { readonly replyMemoryBytes: number }, onDropped: (count: number) => void) {
    this.#limits = limits;
    this.#onDropped = onDropped;
  }

  /** Is reading ahead for a slow client worth while in a reply of this size? */
  serves(lengthBytes: number): boolean {
    return lengthBytes <= MAX_REPLY_BYTES;
  }

  /** May more be read for a client that has taken `clientBytes`? What is read then may exceed the bound. */
  mayTake(clientBytes: number): boolean {
    return clientBytes < MAX_REPLY_BYTES && this.takenBytes < this.#limits.replyMemoryBytes;
  }

  take(taker: Taker, sizeBytes: number): void {
    this.takenBytes += sizeBytes;
    if (!this.#takers.has(taker)) this.#takers.set(taker, this.#nowMs);
  }

  /** Gives back all that `taker` has taken, because its client has it or has gone. */
  giveBack(taker: Taker, sizeBytes: number): void {
    this.takenBytes -= sizeBytes;
    this.#takers.delete(taker);
  }

  /**
   * Called a few times a second. Drops those that have been stuck for longest until there is room. The attack: clients
   * that take nothing until this memory is used up, and then the places at replicas (test/proxy/slow-readers.test.ts).
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
