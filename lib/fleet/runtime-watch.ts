// Listens to the runtime, and every few seconds asks it for all its replicas, because its news may be incomplete.

import type { UntimedEvent } from '../core/fleet/fleet.ts';
import type { Clock, ReplicaRuntime, RuntimeNews } from '../core/ports.ts';
import { describe } from '../errors.ts';
import type { Log } from '../log.ts';

export interface RuntimeWatchPorts {
  readonly runtime: ReplicaRuntime;
  readonly clock: Clock;
  readonly log: Log;
}

export class RuntimeWatch {
  readonly #ports: RuntimeWatchPorts;
  readonly #intervalMs: number;
  readonly #report: (event: UntimedEvent) => void;
  readonly #doubt: (incarnation: number) => void;
  readonly #ended = new AbortController();
  #unwatch = () => {};
  #hasBegun = false;

  /** @param doubt is called with the incarnation of a replica that may not be well. */
  constructor(
    ports: RuntimeWatchPorts,
    intervalMs: number,
    report: (event: UntimedEvent) => void,
    doubt: (incarnation: number) => void,
  ) {
    this.#ports = ports;
    this.#intervalMs = intervalMs;
    this.#report = report;
    this.#doubt = doubt;
  }

  /** Also of one that has begun. */
  begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#unwatch = this.#ports.runtime.watch((news) => this.#hear(news));
    void this.#takeInventories();
  }

  end(): void {
    this.#ended.abort();
    this.#unwatch();
  }

  #hear(news: RuntimeNews): void {
    switch (news.type) {
      case 'exited':
        this.#report({ type: 'exited', incarnation: news.replica.incarnation, reason: news.reason });
        break;
      case 'doubted':
        this.#doubt(news.replica.incarnation);
        break;
      case 'restored':
        this.#report({ type: 'restored' });
        void this.#takeInventory();
        break;
    }
  }

  async #takeInventories(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await this.#ports.clock.sleep(this.#intervalMs, signal).catch(() => undefined);
      if (!signal.aborted) await this.#takeInventory();
    }
  }

  async #takeInventory(): Promise<void> {
    const { clock, runtime, log } = this.#ports;
    const askedAtMs = clock.now();
    try {
      this.#report({ type: 'inventory', present: await runtime.list(), askedAtMs });
    } catch (error) {
      log.error('inventory-failed', { reason: describe(error) });
    }
  }
}
