// The clients of chaos runs: so many requests a second, of all kinds, by draws from the seed. An open loop: a slow
// answer holds no other request up.

import { atRate } from '../open-loop.ts';
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
const MOST_IDLE = 64;
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
  const clients = clientsOf(port, `n${seed.toString(36)}`, drawn, tell, mix);
  const open = new Set<Promise<void>>();
  const over = new AbortController();
  const begin = (way: Way) => {
    const one: Promise<void> = clients.ask(way).finally(() => open.delete(one));
    open.add(one);
    return one;
  };
  const sending = atRate(perSecond, over.signal, () => void begin(wayOf(drawn)));
  return {
    crowd: async (way, size) => void (await Promise.all(Array.from({ length: size }, () => begin(way)))),
    stop: async () => {
      over.abort();
      await sending;
      await Promise.all(open);
      clients.close();
    },
  };
}

/** How much of such a load a second is dealt with, if so many clients ask for one thing after the other. */
export async function mostPerSecond(port: number, count: number, forMs: number, mix: Mix): Promise<number> {
  const drawn = random(count);
  const clients = clientsOf(port, 'most', drawn, () => undefined, mix);
  let done = 0;
  const startMs = performance.now();
  const ask = async () => {
    for (; performance.now() - startMs < forMs; done++) await clients.ask(wayOf(drawn));
  };
  await Promise.all(Array.from({ length: count }, ask));
  clients.close();
  return Math.round((done * 1000) / (performance.now() - startMs));
}

function clientsOf(port: number, name: string, drawn: Random, tell: (asked: Asked) => void, mix: Mix) {
  const idle: { readonly connection: Connection; readonly sinceMs: number }[] = [];
  let count = 0;
  const connect = () => new Connection(port, tell);
  const take = () => {
    for (let kept = idle.pop(); kept !== undefined; kept = idle.pop()) {
      if (kept.connection.isOpen && performance.now() - kept.sinceMs < MOST_IDLE_MS) return kept.connection;
      kept.connection.close();
    }
    return connect();
  };
  const wish = (way: Way) => {
    count += 1;
    return wishOf(drawn, mix, way, `${name}-${count}`);
  };
  return {
    /** Resolves when it is over. */
    ask: async (way: Way) => {
      const isKept = way === 'kept' || way === 'pipelined' || way === 'slow-sender';
      const connection = isKept ? take() : connect();
      await connection.ask(...Array.from({ length: way === 'pipelined' ? PIPELINED : 1 }, () => wish(way)));
      if (isKept && connection.isOpen && idle.length < MOST_IDLE) {
        idle.push({ connection, sinceMs: performance.now() });
      } else connection.close();
    },
    close: () => {
      for (const { connection } of idle) connection.close();
    },
  };
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
