// Sends server-sent events to those who watch: to a bounded number of clients, and fewer from each address. Others
// decide what the events say. A client that does not read is dropped: it can come again, and it would take our memory.

import type { ServerResponse } from 'node:http';
import { BalancerError } from '../../errors.ts';

// The attack: somebody opens as many as there may be, and locks everybody else out (test/admin/event-stream.test.ts).
// Somebody with many addresses still can, so a dashboard that must be seen belongs on the admin port.
const MAX_PER_ADDRESS = 16;
const MAX_WATCHERS = 128;
// Twice the snapshot of the largest fleet, or a minute of everything else.
const MAX_UNREAD_BYTES = 2 ** 20;
// For how many seconds in a row something may lie unread.
const MAX_SECONDS_BEHIND = 30;
// How long a browser waits before it connects again.
const RETRY_MS = 1000;

interface Watcher {
  readonly response: ServerResponse;
  /** The part of the address that clients are counted by: see `neighbourhood`. */
  readonly from: string;
  secondsBehind: number;
}

export class EventStream {
  readonly #watchers = new Set<Watcher>();
  readonly #onWatched: (watched: boolean) => void;

  /** @param onWatched called when the first watcher comes, and when the last has gone. */
  constructor(onWatched: (watched: boolean) => void) {
    this.#onWatched = onWatched;
  }

  get isWatched(): boolean {
    return this.#watchers.size > 0;
  }

  /** Adds a watcher from `address`, and sends it `first`. Throws `too-many-watchers`. */
  add(response: ServerResponse, address: string, first: string): void {
    const from = neighbourhood(address);
    this.#checkRoom(from);
    response.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      // A proxy in front must not hold events back.
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

  /** Sends to all watchers. */
  send(event: string): void {
    for (const { response } of this.#watchers) {
      if (response.writableLength > MAX_UNREAD_BYTES) response.destroy();
      else response.write(event);
    }
  }

  /** Called once a second. Drops whoever has not caught up for long, however little there was to read. */
  dropLate(): void {
    for (const watcher of this.#watchers) {
      watcher.secondsBehind = watcher.response.writableLength === 0 ? 0 : watcher.secondsBehind + 1;
      if (watcher.secondsBehind > MAX_SECONDS_BEHIND) watcher.response.destroy();
    }
  }

  /** Ends all streams. */
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
 * An event in its form on the wire (WHATWG HTML, 9.2). JSON has no line breaks of its own.
 * @param made more members, whose values are JSON already. If there are any, `data` must have at least one member.
 */
export function formatEvent(name: string, data: object, made: Readonly<Record<string, string>> = {}): string {
  const further = Object.entries(made).map(([member, json]) => `,${JSON.stringify(member)}:${json}`);
  return `event: ${name}\ndata: ${JSON.stringify(data).slice(0, -1)}${further.join('')}}\n\n`;
}

// For IPv6 this is the network, since each customer of a provider has 2^64 addresses in one.
function neighbourhood(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.toLowerCase().split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0');
  return [...before, ...zeros, ...after].slice(0, 4).join(':');
}
