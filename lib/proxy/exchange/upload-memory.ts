// Memory for bodies of requests that no replica has yet: they are kept here until there is enough to trouble a replica with, and a
// client takes its time. All of them together have a bound; request-body.ts says what one of them keeps.

/** A body whose client is still sending. */
export interface Upload {
  /** It gives way: what is kept of it is to be given back before this returns. */
  onMemoryFull(): void;
}

export class UploadMemory {
  /** Bytes taken now. */
  takenBytes = 0;
  readonly #limits: { readonly uploadMemoryBytes: number };
  // In the order in which they began.
  readonly #sending = new Set<Upload>();

  constructor(limits: { readonly uploadMemoryBytes: number }) {
    this.#limits = limits;
  }

  /**
   * Takes memory for a body that is still coming. When there is none left, the body that has been coming for longest gives way,
   * which may be this one. The attack: bodies that never end and fill what there is (test/proxy/slow-uploads.test.ts). Were the
   * newest refused, or made to wait, that would keep out everybody. A client that sends as it can is done in a moment and never
   * the oldest, so that whoever wants to keep others out has to send all of this memory anew for each of their moments.
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

  /** Counts a body again whose replica was lost, whether there is room or not: the places in flight bound how many there are. */
  retake(sizeBytes: number): void {
    this.takenBytes += sizeBytes;
  }

  /** Enough of it has come: what it waits for now is no fault of its client. */
  stay(upload: Upload): void {
    this.#sending.delete(upload);
  }

  giveBack(sizeBytes: number): void {
    this.takenBytes -= sizeBytes;
  }
}
