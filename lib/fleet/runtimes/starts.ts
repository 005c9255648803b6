// The starts of a runtime that are under way, so that a stop can wait for the one that it is to undo.

import type { Clock, ReplicaRef } from '../../core/ports.ts';
import { within } from '../clock.ts';

const STUCK_START_MS = 2000;

export class Starts {
  readonly #clock: Clock;
  // By incarnation. Each promise resolves when its start ends and never rejects.
  readonly #underWay = new Map<number, Promise<void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Gives the start back. @param onEnd called after whoever waits for it was told. */
  track<T>({ incarnation }: ReplicaRef, starting: Promise<T>, onEnd = () => {}): Promise<T> {
    const settled = starting.then(
      () => undefined,
      () => undefined,
    );
    this.#underWay.set(incarnation, settled);
    void settled.then(() => {
      this.#underWay.delete(incarnation);
      onEnd();
    });
    return starting;
  }

  /**
   * The engine may still be asked for what is to be stopped. A start that takes longer than this is not waited for:
   * what it creates in the end is removed by the start itself or by the next inventory.
   */
  async ended({ incarnation }: ReplicaRef): Promise<void> {
    const starting = this.#underWay.get(incarnation);
    if (starting === undefined) return;
    const late = () => new Error('it takes too long');
    await within(this.#clock, STUCK_START_MS, () => starting, late).catch(() => undefined);
  }
}
