// The clients of chaos runs: so many requests a second, of all kinds, by draws from the seed. An open loop: a slow
// answer holds no other request up.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Random, random } from '../random.ts';
import { Connection, type Wish } from './client.ts';
import type { Asked, Way } from './history.ts';

export interface ChaosLoad {
  /** Sends so many of a kind at once, besides what is sent anyway. Resolves when all are over. */
  crowd(way: Way, count: number): Promise<void>;
  /** Sends no more. Resolves when all is over, and all connections are closed. */
  stop(): Promise<void>;
}

/** How often each way is taken, of 100. */
const WAYS: readonly (readonly [Way, number])[] = [
  ['kept', 66],
  ['fresh', 18],
  ['pipelined', 6],
  ['slow-sender', 3],
  ['slow-reader', 3],
  ['half-closed', 2],
  ['left', 2],
];
const METHODS = ['GET', 'GET', 'GET', 'POST', 'POST', 'PUT', 'PUT', 'DELETE'] as const;
// What is sent, and what is asked for: the balancer keeps the first 64 KiB of a body to repeat it.
const BYTES = [10, 500, 4000, 30_000, 60_000, 150_000] as const;
const REPLY_BYTES = [0, 20, 20, 2000, 2000, 40_000, 300_000] as const;
const SLOW_READER_BYTES = 1_500_000;

/** What the requests of a run are like, besides how they are sent. */
export interface Mix {
  readonly bytes: readonly number[];
  readonly replyBytes: readonly number[];
  /** How long replicas take. */
  readonly waitsMs: readonly number[];
}

const ALL_KINDS: Mix = { bytes: BYTES, replyBytes: REPLY_BYTES, waitsMs: [0, 0, 0, 0, 0, 0, 5, 20, 60, 250] };
/** Those that cost little, so that there can be many. */
export const LIGHT: Mix = { bytes: [10, 500, 4000], replyBytes: [20, 500, 2000], waitsMs: [0] };
const MOST_IDLE = 24;
const TICK_MS = 5;
const PIPELINED = 3;
// A closed connection is not noticed at once, so an idle one is not kept for as long as the balancer keeps it.
const MOST_IDLE_MS = 5000;

/** @param tell is called for each request that is over. */
export function startChaosLoad(
  port: number,
  perSecond: number,
  seed: number,
  tell: (asked: Asked) => void,
  mix: Mix = ALL_KINDS,
): ChaosLoad {
  const drawn = random(seed);
  const idle: { readonly connection: Connection; readonly sinceMs: number }[] = [];
  const open = new Set<Promise<void>>();
  let count = 0;
  let isOver = false;

  const connect = () => new Connection(port, tell);
  const take = () => {
    for (let kept = idle.pop(); kept !== undefined; kept = idle.pop()) {
      if (kept.connection.isOpen && performance.now() - kept.sinceMs < MOST_IDLE_MS) return kept.connection;
      kept.connection.close();
    }
    return connect();
  };
  const nonce = () => {
    count += 1;
    return `n${seed.toString(36)}-${count}`;
  };
  const ask = async (way: Way) => {
    const isKept = way === 'kept' || way === 'pipelined' || way === 'slow-sender';
    const connection = isKept ? take() : connect();
    const amount = way === 'pipelined' ? PIPELINED : 1;
    await connection.ask(...Array.from({ length: amount }, () => wishOf(drawn, mix, way, nonce())));
    if (!isOver && isKept && connection.isOpen && idle.length < MOST_IDLE) {
      idle.push({ connection, sinceMs: performance.now() });
    } else connection.close();
  };
  const begin = (way: Way) => {
    const one: Promise<void> = ask(way).finally(() => open.delete(one));
    open.add(one);
    return one;
  };
  const sending = (async () => {
    const startMs = performance.now();
    for (let sent = 0; !isOver; ) {
      const due = Math.floor(((performance.now() - startMs) * perSecond) / 1000);
      for (; sent < due; sent++) void begin(wayOf(drawn));
      await sleep(TICK_MS);
    }
  })();
  return {
    crowd: async (way, size) => void (await Promise.all(Array.from({ length: size }, () => begin(way)))),
    stop: async () => {
      isOver = true;
      await sending;
      await Promise.all(open);
      for (const { connection } of idle) connection.close();
    },
  };
}

/** How many requests a second are answered if so many clients ask, each one request after the other. */
export async function mostPerSecond(port: number, clients: number, forMs: number, mix: Mix): Promise<number> {
  const drawn = random(clients);
  let answered = 0;
  const startMs = performance.now();
  const tell = ({ status }: Asked) => {
    if (status === 200) answered += 1;
  };
  const ask = async () => {
    let connection = new Connection(port, tell);
    while (performance.now() - startMs < forMs) {
      if (!connection.isOpen) connection = new Connection(port, tell);
      await connection.ask(wishOf(drawn, mix, 'kept', `m${answered}-${drawn.below(2 ** 31)}`));
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: clients }, ask));
  return Math.round((answered * 1000) / (performance.now() - startMs));
}

function wayOf(drawn: Random): Way {
  let left = drawn.below(100);
  for (const [way, part] of WAYS) {
    if (left < part) return way;
    left -= part;
  }
  return 'kept';
}

function wishOf(drawn: Random, { bytes: up, replyBytes, waitsMs }: Mix, way: Way, nonce: string): Wish {
  const pick = <T>(list: readonly T[]) => list[drawn.below(list.length)] as T;
  const method = way === 'pipelined' || way === 'slow-reader' ? 'GET' : way === 'slow-sender' ? 'PUT' : pick(METHODS);
  const bytes = method === 'PUT' || method === 'POST' ? pick(up) : 0;
  return {
    ...{ nonce, method, way, bytes },
    isChunked: drawn.chance(0.3),
    expects: bytes > 0 && way !== 'slow-sender' && drawn.chance(0.15),
    replyBytes: way === 'slow-reader' ? SLOW_READER_BYTES : pick(replyBytes),
    isReplyChunked: drawn.chance(0.3),
    waitMs: pick(waitsMs),
  };
}
