// Those who watch: server-sent events to a bounded number of clients. What the events say is for others. A client that does not
// read what it is sent is dropped: it may come again, and its memory is ours.

import type { ServerResponse } from 'node:http';
import { BalancerError } from '../errors.ts';

const MAX_WATCHERS = 16;
// Twice the snapshot of the largest fleet; a minute of everything else.
const MAX_UNREAD_BYTES = 2 ** 20;
// How long a browser waits before it comes again.
const RETRY_MS = 1000;

export class EventStream {
  readonly #watchers = new Set<ServerResponse>();
  readonly #onWatched: (watched: boolean) => void;

  /** @param onWatched is told when the first comes and when the last has gone. */
  constructor(onWatched: (watched: boolean) => void) {
    this.#onWatched = onWatched;
  }

  get isWatched(): boolean {
    return this.#watchers.size > 0;
  }

  /** One watcher more, that is sent `first`. Throws `too-many-watchers`. */
  add(response: ServerResponse, first: string): void {
    if (this.#watchers.size >= MAX_WATCHERS) {
      throw new BalancerError('too-many-watchers', `${MAX_WATCHERS} watch already: close one of them`);
    }
    response.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      // A proxy before this one must not collect them.
      'X-Accel-Buffering': 'no',
    });
    response.write(`retry: ${RETRY_MS}\n\n${first}`);
    response.on('error', () => undefined);
    response.on('close', () => {
      this.#watchers.delete(response);
      if (!this.isWatched) this.#onWatched(false);
    });
    this.#watchers.add(response);
    if (this.#watchers.size === 1) this.#onWatched(true);
  }

  /** To all of them. */
  send(event: string): void {
    for (const response of this.#watchers) {
      if (response.writableLength > MAX_UNREAD_BYTES) response.destroy();
      else response.write(event);
    }
  }

  /** Lets all of them go. */
  end(): void {
    for (const response of this.#watchers) response.end();
  }
}

/** An event as it is on the wire (WHATWG HTML, 9.2). JSON has no line breaks of its own. */
export function formatEvent(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
