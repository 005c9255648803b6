// Lines of the access log on their way out: put together into batches, so that a line costs next to nothing, and
// bounded. No request waits for whoever writes them: while too much is unwritten, lines are dropped and counted.

import type { TakeBatch } from '../../core/plane-ports.ts';

const BATCH_BYTES = 65_536;
const MOST_WAITING_BYTES = 2 ** 20;
// How long a line waits for others at most.
const WAIT_MS = 200;

export class Batches {
  readonly #take: TakeBatch;
  #text = '';
  #lines = 0;
  #dropped = 0;
  // Of these lines, and of the batches that are not written yet.
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(take: TakeBatch) {
    this.#take = take;
  }

  /** @param line in ASCII, with its newline. */
  add(line: string): void {
    if (this.#waitingBytes + line.length > MOST_WAITING_BYTES) this.#dropped += 1;
    else {
      this.#waitingBytes += line.length;
      this.#text += line;
      this.#lines += 1;
    }
    if (this.#text.length >= BATCH_BYTES) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), WAIT_MS).unref();
  }

  /** What waits for more lines goes out now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines === 0 && this.#dropped === 0) return;
    const batch = { text: this.#text, lines: this.#lines, dropped: this.#dropped };
    this.#text = '';
    this.#lines = 0;
    this.#dropped = 0;
    this.#take(batch, () => {
      this.#waitingBytes -= batch.text.length;
    });
  }
}
