// Lines of the access log on their way out: put together into batches, so that a line costs next to nothing, and
// bounded. No request waits for whoever writes them: while too much is unwritten, lines are dropped and counted.

import type { TakeBatch } from '../../core/plane-ports.ts';
import { LineBytes } from './line-bytes.ts';

const BATCH_BYTES = 65_536;
const MOST_WAITING_BYTES = 2 ** 20;
// How long a line waits for others at most.
const WAIT_MS = 200;

export class Batches {
  readonly #take: TakeBatch;
  readonly #bytes = new LineBytes();
  #lines = 0;
  #dropped = 0;
  // Of batches that are not written yet.
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(take: TakeBatch) {
    this.#take = take;
  }

  /** Where to write one line, before `endLine` is called. `undefined` if it is dropped. */
  beginLine(): LineBytes | undefined {
    this.#timer ??= setTimeout(() => this.flush(), WAIT_MS).unref();
    if (this.#waitingBytes + this.#bytes.size < MOST_WAITING_BYTES) return this.#bytes;
    this.#dropped += 1;
    return undefined;
  }

  endLine(): void {
    this.#lines += 1;
    if (this.#bytes.size >= BATCH_BYTES) this.flush();
  }

  /** What waits for more lines goes out now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines === 0 && this.#dropped === 0) return;
    const { size } = this.#bytes;
    const batch = { bytes: this.#bytes.take(), lines: this.#lines, dropped: this.#dropped };
    this.#lines = 0;
    this.#dropped = 0;
    this.#waitingBytes += size;
    this.#take(batch, (memory) => {
      this.#waitingBytes -= size;
      this.#bytes.reuse(memory);
    });
  }
}
