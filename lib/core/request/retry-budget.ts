// Limits retries to a part of the requests of the last seconds, so that an outage is not met with three times the load
// (Google SRE book, chapter 22). A few retries are always allowed, so that a quiet service is helped too.

import type { RetrySettings } from '../traffic-settings.ts';

// Retries and requests are counted in two windows of this length, so what is remembered is between one and two of them
// old.
const WINDOW_MS = 5000;

type Settings = Pick<RetrySettings, 'retryBudget' | 'leastRetriesPerSecond'>;

export class RetryBudget {
  readonly #settings: Settings;
  #windowEndsMs = Number.NEGATIVE_INFINITY;
  #requests = 0;
  #retries = 0;
  #earlierRequests = 0;
  #earlierRetries = 0;

  /** @param settings read anew whenever a retry is asked for, since they may change. */
  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** Moves on to the time `nowMs`. Call it before the first request, and every now and then. */
  advance(nowMs: number): void {
    if (nowMs < this.#windowEndsMs) return;
    const late = nowMs >= this.#windowEndsMs + WINDOW_MS;
    this.#earlierRequests = late ? 0 : this.#requests;
    this.#earlierRetries = late ? 0 : this.#retries;
    this.#requests = 0;
    this.#retries = 0;
    this.#windowEndsMs = nowMs + WINDOW_MS;
  }

  /** Counts a request. */
  deposit(): void {
    this.#requests += 1;
  }

  /** May one more retry be made? If so, it is counted. */
  withdraw(): boolean {
    const { retryBudget, leastRetriesPerSecond } = this.#settings;
    const allowed =
      retryBudget * (this.#requests + this.#earlierRequests) + (leastRetriesPerSecond * 2 * WINDOW_MS) / 1000;
    if (this.#retries + this.#earlierRetries + 1 > allowed) return false;
    this.#retries += 1;
    return true;
  }
}
