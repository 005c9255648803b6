// The built-in load, so that a ring can be shown at work without another program. Requests are sent at a fixed rate,
// whether those before have been answered or not (an open loop), through the port that clients use, and each is marked
// by a field. It is bounded in every way: by rate, by what may be open, and it ends by itself.

import { writeKeySource } from '../../core/keys/key-spec.ts';
import type { Clock } from '../../core/ports.ts';
import { goesByRequestId, type KeySource } from '../../core/request/key-source.ts';
import { BalancerError } from '../../errors.ts';
import { type Distribution, drawKey, type KeyedRequest, withKey } from './keyed-request.ts';
import type { LoadWish } from './load-body.ts';

/** What the load is doing, as watchers are told. */
export interface LoadFacts {
  /** 0 if there is no load. */
  readonly perSecond: number;
  readonly keys: Distribution;
  readonly path: string;
  readonly leftMs: number;
  /** Of the load under way or the last one: requests that were sent, and those of them that failed. */
  readonly sent: number;
  /** Got no reply, or one with a status from 500 up. */
  readonly failed: number;
  /** Not sent, since too many were open or this process was late. */
  readonly left: number;
  /** The source of keys, as `--key` writes it. */
  readonly source: string;
  /** Why its requests cannot be given keys; `null` if they can. */
  readonly whyNoKeys: string | null;
}

export interface LoadPorts {
  readonly clock: Clock;
  /** Gives a number from 0 up to but not including 1. */
  readonly random: () => number;
  /** What `--key` says now. */
  readonly sources: () => readonly KeySource[];
  /** Where requests go if nobody says. */
  readonly path: string;
  /** Sends a request to the port at that URL. Resolves with the status of its reply, 0 if there was none. */
  readonly send: (url: string, request: KeyedRequest) => Promise<number>;
}

const TICK_MS = 10;
const MOST_OPEN = 256;
// After a pause of this process, requests of so many ms are made up for, and no more.
const MADE_UP_MS = 500;

export class LoadGenerator {
  readonly #ports: LoadPorts;
  #url: string | undefined;
  #wish: LoadWish | undefined;
  #endsMs = 0;
  #counts = { sent: 0, failed: 0, left: 0 };
  #open = 0;
  #running = new AbortController();

  constructor(ports: LoadPorts) {
    this.#ports = ports;
  }

  /** Call it once, when clients can connect. @param url of the port that clients use. */
  begin(url: string): void {
    this.#url = url;
  }

  get facts(): LoadFacts {
    const { clock, path, sources } = this.#ports;
    const wish = this.#wish;
    const source = sources()[0];
    return {
      perSecond: wish?.perSecond ?? 0,
      keys: wish?.keys ?? 'uniform',
      path: wish?.path ?? path,
      leftMs: wish === undefined ? 0 : Math.max(0, Math.round(this.#endsMs - clock.now())),
      ...this.#counts,
      source: source === undefined ? '' : writeKeySource(source),
      whyNoKeys: whyNoKeys(sources()) ?? null,
    };
  }

  /** Puts this load in the place of the one under way. Throws `bad-body` if keys cannot be given as wished. */
  change(wish: LoadWish): void {
    const reason = whyNoKeys(this.#ports.sources());
    if (wish.perSecond > 0 && wish.keys !== 'uniform' && reason !== undefined) {
      throw new BalancerError('bad-body', `keys must be uniform: ${reason}`);
    }
    this.#running.abort();
    this.#wish = undefined;
    if (wish.perSecond === 0 || this.#url === undefined) return;
    this.#wish = wish;
    this.#counts = { sent: 0, failed: 0, left: 0 };
    this.#endsMs = this.#ports.clock.now() + wish.forMs;
    this.#running = new AbortController();
    void this.#run(wish, this.#url, this.#running.signal);
  }

  close(): void {
    this.#running.abort();
    this.#wish = undefined;
    this.#url = undefined;
  }

  async #run(wish: LoadWish, url: string, signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    const most = Math.ceil((wish.perSecond * MADE_UP_MS) / 1000);
    const beganMs = clock.now();
    let due = 0;
    for (;;) {
      const nowMs = clock.now();
      const late = Math.floor(((Math.min(nowMs, this.#endsMs) - beganMs) * wish.perSecond) / 1000) - due;
      due += late;
      const count = Math.max(0, Math.min(late, most, MOST_OPEN - this.#open));
      this.#counts.left += late - count;
      for (let index = 0; index < count; index++) void this.#sendOne(wish, url);
      if (nowMs >= this.#endsMs) break;
      await clock.sleep(TICK_MS, signal).catch(() => undefined);
      if (signal.aborted) return;
    }
    this.#wish = undefined;
  }

  async #sendOne({ keys, path = this.#ports.path }: LoadWish, url: string): Promise<void> {
    const { random, send, sources } = this.#ports;
    const counts = this.#counts;
    counts.sent += 1;
    this.#open += 1;
    const plain = { path, headers: {} };
    const status = await send(url, withKey(path, sources()[0], drawKey(keys, random)) ?? plain);
    this.#open -= 1;
    if (status === 0 || status >= 500) counts.failed += 1;
  }
}

function whyNoKeys(sources: readonly KeySource[]): string | undefined {
  if (goesByRequestId(sources)) {
    return 'each request goes by an id of its own here; --key header:X-Key, say, has requests go by keys';
  }
  const [source] = sources;
  if (source === undefined || withKey('/', source, 1) !== undefined) return undefined;
  return `the load cannot set the key that ${source.type === 'function' ? 'a function' : writeKeySource(source)} gives`;
}
