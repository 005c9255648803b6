// Those who wait for the fleet to be in a certain state: asked again after each change of it.

export class Waiters {
  readonly #checks = new Set<() => void>();

  /** Resolves when `condition` holds, rejects if it throws. Forgotten, and never settled, once `signal` is aborted. */
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

  /** Something has changed. */
  check(): void {
    for (const check of this.#checks) check();
  }
}
