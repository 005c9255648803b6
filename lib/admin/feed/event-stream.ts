// Those who watch: server-sent events to a bounded number of clients, and a smaller one from each address. What the events say is
// for others. A client that does not read what it is sent is dropped: it may come again, and its memory is ours.

import type { ServerResponse } from 'node:http';
import { BalancerError } from '../../errors.ts';

// The attack: whoever opens as many as there may be locks everybody else out (test/admin/event-stream.test.ts). Who has more
// addresses than these take still can: a dashboard that must be seen is on the admin port.
const MAX_PER_ADDRESS = 16;
const MAX_WATCHERS = 128;
// Twice the snapshot of the largest fleet; a minute of everything else.
const MAX_UNREAD_BYTES = 2 ** 20;
// How many seconds in a row something may lie unread.
const MAX_SECONDS_BEHIND = 30;
// How long a browser waits before it comes again.
const RETRY_MS = 1000;

interface Watcher {
  readonly response: ServerResponse;
  /** From where: see `neighbourhood`. */
  readonly from: string;
  secondsBehind: number;
}

export class EventStream {
  readonly #watchers = new Set<Watcher>();
  readonly #onWatched: (watched: boolean) => void;

  /** @param onWatched is told when the first comes and when the last has gone. */
  constructor(onWatched: (watched: boolean) => void) {
    this.#onWatched = onWatched;
  }

  get isWatched(): boolean {
    return this.#watchers.size > 0;
  }

  /** One watcher more from `address`, that is sent `first`. Throws `too-many-watchers`. */
  add(response: ServerResponse, address: string, first: string): void {
    const from = neighbourhood(address);
    this.#checkRoom(from);
    response.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      // A proxy before this one must not collect them.
      'X-Accel-Buffering': 'no',
    });
    response.write(`retry: ${RETRY_MS}\n\n${first}`);
    const watcher: Watcher = { response, from, secondsBehind: 0 };
    response.on('error', () => undefined);
    response.on('close', () => {
      this.#watchers.delete(watcher);
      if (!this.isWatched) this.#onWatched(false);
    });
    this.#watchers.add(watcher);
    if (this.#watchers.size === 1) this.#onWatched(true);
  }

  /** To all of them. */
  send(event: string): void {
    for (const { response } of this.#watchers) {
      if (response.writableLength > MAX_UNREAD_BYTES) response.destroy();
      else response.write(event);
    }
  }

  /** Called once a second: who has not caught up for long is dropped, however little there was to read. */
  dropLate(): void {
    for (const watcher of this.#watchers) {
      watcher.secondsBehind = watcher.response.writableLength === 0 ? 0 : watcher.secondsBehind + 1;
      if (watcher.secondsBehind > MAX_SECONDS_BEHIND) watcher.response.destroy();
    }
  }

  /** Lets all of them go. */
  end(): void {
    for (const { response } of this.#watchers) response.end();
  }

  #checkRoom(from: string): void {
    const near = [...this.#watchers].filter((watcher) => watcher.from === from).length;
    if (near < MAX_PER_ADDRESS && this.#watchers.size < MAX_WATCHERS) return;
    const [count, where] = near < MAX_PER_ADDRESS ? [MAX_WATCHERS, ''] : [MAX_PER_ADDRESS, ' from your address'];
    throw new BalancerError('too-many-watchers', `${count} watch already${where}: close one of them`);
  }
}

/**
 * An event as it is on the wire (WHATWG HTML, 9.2). JSON has no line breaks of its own.
 * @param made further members, whose values are JSON already; `data` then has one at least.
 */
export function formatEvent(name: string, data: object, made: Readonly<Record<string, string>> = {}): string {
  const further = Object.entries(made).map(([member, json]) => `,${JSON.stringify(member)}:${json}`);
  return `event: ${name}\ndata: ${JSON.stringify(data).slice(0, -1)}${further.join('')}}\n\n`;
}

// Of IPv6 the network: each customer of a provider has 2^64 addresses in it.
function neighbourhood(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.toLowerCase().split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0');
  return [...before, ...zeros, ...after].slice(0, 4).join(':');
}
