// Requests held back for a while: each waits in its line, while something behind is swapped. A pause ends by itself, in
// case whoever asked for it does not come back.

import type { Clock } from '../core/ports.ts';
import type { Log } from '../log.ts';

export class Pause {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #tell: (isPaused: boolean) => Promise<void>;
  #over = new AbortController();
  #endsMs: number | undefined;

  /** @param tell has the data plane hold requests back, or let them go. Resolves when it does. */
  constructor(clock: Clock, log: Log, tell: (isPaused: boolean) => Promise<void>) {
    this.#clock = clock;
    this.#log = log;
    this.#tell = tell;
  }

  /** How long it lasts from now on, in ms; `undefined` if there is none. */
  get leftMs(): number | undefined {
    return this.#endsMs === undefined ? undefined : Math.max(0, this.#endsMs - this.#clock.now());
  }

  /** Begins it, or has the one that there is last so long from now on. Resolves when no request goes on any more. */
  async begin(forMs: number): Promise<void> {
    this.#over.abort();
    this.#over = new AbortController();
    this.#endsMs = this.#clock.now() + forMs;
    this.#clock.sleep(forMs, this.#over.signal).then(
      () => {
        this.#log.warn('pause-over', { reason: `nobody resumed within ${forMs} ms` });
        return this.end();
      },
      () => undefined,
    );
    this.#log.info('paused', { forMs });
    await this.#tell(true);
  }

  /** Lets requests go on. Resolves when they do. */
  async end(): Promise<void> {
    this.#over.abort();
    if (this.#endsMs === undefined) return;
    this.#endsMs = undefined;
    this.#log.info('resumed');
    await this.#tell(false);
  }
}
