// Lets callers wait until the fleet is in a certain state. Conditions are checked again after each change of it.

export class Waiters {
  readonly #checks = new Set<() => void>();

  /**
   * Resolves when `condition` holds and rejects if it throws. Once `signal` is aborted, it is dropped and never
   * settles.
   */
  until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = () => {
        try {
          if (!condition()) return;
          resolve();
        } catch (error) {
          reject(error);
        }
        this.#checks.delete(check);
      };
      this.#checks.add(check);
      signal.addEventListener('abort', () => this.#checks.delete(check), { once: true });
      check();
    });
  }

  /** Checks all conditions, since the state has changed. */
  check(): void {
    for (const check of this.#checks) check();
  }
}
