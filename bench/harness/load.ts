// The load generators: a number of requests as fast as possible, a steady stream with a connection for each request of
// a second, and a stream that only reports failures. The first two use autocannon, but not those of its numbers that
// mislead: its fixed rate sends each connection's requests in one burst at the start of a second, its latencies are
// whole milliseconds, and its errors leave out replies lost with their connection. So a steady stream has many
// connections with one request a second each, begun one after the other, and every request is timed here.

import { setTimeout as sleep } from 'node:timers/promises';
import autocannon from 'autocannon';

const NAMED = /Hello from Server: ([\w.-]+)/;
const NO_REPLICA = -1;
const NO_STATUS = 0;
const BEGINNINGS_PER_SECOND = 50;

/**
 * Sends `amount` GETs for `url` over a few connections. Counts the answers by the replica that they name, and the
 * requests that got none.
 */
export async function countAnswers(
  url: string,
  amount: number,
  connections = 10,
): Promise<{ counts: Map<string, number>; failed: number }> {
  const counts = new Map<string, number>();
  let answered = 0;
  const onResponse = (status: number, body: string) => {
    const [, name] = NAMED.exec(body) ?? [];
    if (status !== 200 || name === undefined) return;
    answered += 1;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  };
  await autocannon({ url, amount, connections, sampleInt: 50, requests: [{ onResponse }] });
  return { counts, failed: amount - answered };
}

/**
 * One request of a steady load: its key, when it was sent, how long it took, its status (0 if none came), and the index
 * of the replica (-1 if none answered).
 */
export type TimedRequest = readonly [key: number, sentMs: number, tookMs: number, status: number, replica: number];

export interface SteadyLoad {
  /** When the load began, by Date.now(). */
  readonly epochMs: number;
  /** The replicas by their index in the requests. */
  readonly replicas: readonly string[];
  /** Ends the load and waits for open requests. A request that never comes back gets no status. */
  stop(): Promise<TimedRequest[]>;
}

/**
 * Sends `perSecond` requests every second at even intervals. Each has a connection of its own: connection k always asks
 * for `pathOf(k)`.
 */
export function startSteadyLoad(url: string, perSecond: number, pathOf: (key: number) => string): SteadyLoad {
  const groups = Math.min(BEGINNINGS_PER_SECOND, perSecond);
  const startMs = performance.now();
  const requests: TimedRequest[] = [];
  const replicas: string[] = [];
  const underWay = new Set<Call>();
  const stopping = new AbortController();
  const done = Array.from({ length: groups }, async (_, group) => {
    const connections = Math.floor(perSecond / groups) + (group < perSecond % groups ? 1 : 0);
    await sleep((group * 1000) / groups, undefined, { signal: stopping.signal }).catch(() => undefined);
    if (stopping.signal.aborted) return;
    let next = group;
    const instance = autocannon({
      url,
      connections,
      overallRate: connections,
      duration: 3600,
      ignoreCoordinatedOmission: true,
      sampleInt: 50,
      setupClient: (client) => {
        const key = next;
        next += groups;
        const line = { requests, replicas, underWay, startMs, stopping: stopping.signal };
        const onAnswer = follow(client as unknown as FollowedClient, key, line);
        client.setRequests([{ method: 'GET', path: pathOf(key), onResponse: (_, body) => onAnswer(body) }]);
      },
    });
    // autocannon's types describe either the promise or the instance, but it returns both in one.
    const { stop } = instance as unknown as { stop(): void };
    stopping.signal.addEventListener('abort', stop, { once: true });
    await instance;
  });
  return {
    epochMs: Date.now() - (performance.now() - startMs),
    replicas,
    stop: async () => {
      const limitMs = performance.now() + LAST_REPLIES_MS;
      const late = () => underWay.size > 0 && performance.now() < limitMs;
      const [...last] = underWay;
      while (late() && last.some((call) => underWay.has(call))) await sleep(10);
      stopping.abort();
      await Promise.all(done);
      for (const call of last) if (underWay.has(call)) requests.push([call.key, call.sentMs, 0, NO_STATUS, NO_REPLICA]);
      return requests.toSorted((a, b) => a[1] - b[1]);
    },
  };
}

const LAST_REPLIES_MS = 5000;

interface Call {
  readonly key: number;
  readonly sentMs: number;
  name: string | undefined;
}

/** The part of autocannon's clients that is used here, which its types leave out. */
interface FollowedClient {
  on(event: 'request' | 'connError' | 'timeout', listener: () => void): void;
  on(event: 'response', listener: (status: number) => void): void;
}

interface Line {
  readonly requests: TimedRequest[];
  readonly replicas: string[];
  readonly underWay: Set<Call>;
  readonly startMs: number;
  readonly stopping: AbortSignal;
}

/** Follows a client. Returns a function that has to get every reply's body before the client reports the reply. */
function follow(
  client: FollowedClient,
  key: number,
  { requests, replicas, underWay, startMs, stopping }: Line,
): (body: string) => void {
  let call: Call | undefined;
  const finish = (status: number) => {
    if (call === undefined) return;
    const { sentMs, name } = call;
    underWay.delete(call);
    call = undefined;
    if (name !== undefined && !replicas.includes(name)) replicas.push(name);
    const tookMs = round(performance.now() - startMs - sentMs);
    requests.push([key, sentMs, tookMs, status, name === undefined ? NO_REPLICA : replicas.indexOf(name)]);
  };
  client.on('request', () => {
    // The request before this one was lost with its connection.
    finish(NO_STATUS);
    if (stopping.aborted) return;
    call = { key, sentMs: round(performance.now() - startMs), name: undefined };
    underWay.add(call);
  });
  client.on('response', finish);
  client.on('connError', () => finish(NO_STATUS));
  client.on('timeout', () => finish(NO_STATUS));
  return (body) => {
    if (call !== undefined) call.name = NAMED.exec(body)?.[1];
  };
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}

/** A steady stream of GETs, and what became of them. */
export interface Load {
  /** Resolves when `count` more have begun. */
  more(count: number): Promise<void>;
  /** Ends the stream. Resolves with the failures, each with the time at which its request began. */
  stop(): Promise<{ failures: { atMs: number; what: string }[]; sent: number }>;
}

/** Uses `fetch`, so that a request without an answer does not hold up those after it. */
export function startLoad(url: string, perSecond: number): Load {
  const failures: { atMs: number; what: string }[] = [];
  const running = new Set<Promise<void>>();
  const waiting: { from: number; resolve: () => void }[] = [];
  let sent = 0;
  const timer = setInterval(() => {
    sent += 1;
    while ((waiting[0]?.from ?? Number.POSITIVE_INFINITY) <= sent) waiting.shift()?.resolve();
    const atMs = performance.now();
    const fail = (what: string) => failures.push({ atMs, what });
    const one = fetch(url)
      .then(async (response) => {
        const text = await response.text();
        if (response.status !== 200) fail(`${response.status} ${text}`);
      })
      .catch((error) => fail(String(error.cause ?? error)))
      .then(() => void running.delete(one));
    running.add(one);
  }, 1000 / perSecond);
  return {
    more: (count) =>
      new Promise((resolve) => {
        waiting.push({ from: sent + count, resolve });
        waiting.sort((a, b) => a.from - b.from);
      }),
    stop: async () => {
      clearInterval(timer);
      await Promise.all(running);
      return { failures, sent };
    },
  };
}
