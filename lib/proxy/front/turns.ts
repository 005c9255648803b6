/** Counts the requests of one connection, and knows when the last of those that have come has its reply. */
export class Turns {
  /** Requests that were begun. */
  begun = 0;
  /** Requests that have come but have no whole reply yet. */
  open = 0;
  #last: (() => void) | undefined;

  /** Calls `begin` when all requests that have come have their replies. The first who asks for this gets it. */
  whenNoneIsOpen(begin: () => void): void {
    if (this.open === 0) begin();
    else this.#last ??= begin;
  }

  /** A request has its whole reply. */
  answered(): void {
    this.open -= 1;
    if (this.open > 0) return;
    const last = this.#last;
    this.#last = undefined;
    last?.();
  }
}
