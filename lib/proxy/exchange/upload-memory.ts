// Memory for bodies of requests that no replica has yet. They wait here until there is enough to bother a replica with,
// since clients may be slow. All bodies share one bound; request-body.ts decides how much of one is kept.

/** A body whose client is still sending. */
export interface Upload {
  /** The body gives way: it must give back its memory before this returns. */
  onMemoryFull(): void;
}

export class UploadMemory {
  /** How many bytes are taken now. */
  takenBytes = 0;
  readonly #limits: { readonly uploadMemoryBytes: number };
  // In the order in which they began.
  readonly #sending = new Set<Upload>();

  constructor(limits: { readonly uploadMemoryBytes: number }) {
    this.#limits = limits;
  }

  /**
   * Takes memory for a body that is still coming. If none is left, the body that has been coming for longest gives way,
   * which may be this one. The attack: bodies that never end and fill the memory (test/proxy/slow-uploads.test.ts).
   * Refusing or delaying the newest body would then keep everybody out. An honest client is done in a moment and so
   * never the oldest; to keep it out, an attacker has to fill the whole memory anew within each such moment.
   */
  take(upload: Upload, sizeBytes: number): void {
    this.takenBytes += sizeBytes;
    this.#sending.add(upload);
    while (this.takenBytes > this.#limits.uploadMemoryBytes) {
      const [oldest] = this.#sending;
      if (oldest === undefined) return;
      this.#sending.delete(oldest);
      oldest.onMemoryFull();
    }
  }

  /**
   * Counts a body again whose replica was lost, even beyond the bound: the places in flight limit how many of these
   * there are.
   */
  retake(sizeBytes: number): void {
    this.takenBytes += sizeBytes;
  }

  /** Enough of the body has come. If it still waits here, its client is not to blame, so it need not give way. */
  stay(upload: Upload): void {
    this.#sending.delete(upload);
  }

  giveBack(sizeBytes: number): void {
    this.takenBytes -= sizeBytes;
  }
}
