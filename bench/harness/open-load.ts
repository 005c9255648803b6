// Requests that come whether or not earlier ones were answered, as those of many people do: at random moments, so many
// a second on average (a Poisson process), one in ten a POST. Their clients repeat nothing.

import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** One request: when it was due and how long its reply took from then, in ms, its status (0 if none came), a POST? */
export type OpenRequest = readonly [dueMs: number, tookMs: number, status: number, isPost: boolean];

const WRITES = 0.1;
const GIVE_UP_MS = 60_000;
const TICK_MS = 2;

/**
 * Sends requests for so many seconds. Resolves when all are over, with the times since the begin.
 * @param rateAt requests a second, at that many seconds since the begin.
 * @param signal ends it earlier.
 */
export async function openLoad(
  url: string,
  rateAt: (second: number) => number,
  seconds: number,
  signal?: AbortSignal,
): Promise<OpenRequest[]> {
  const agent = new http.Agent({ keepAlive: true });
  const requests: OpenRequest[] = [];
  const underWay = new Set<Promise<void>>();
  const startMs = performance.now();
  for (let dueMs = 0; ; ) {
    dueMs += (-Math.log(1 - Math.random()) * 1000) / rateAt(dueMs / 1000);
    if (dueMs >= seconds * 1000 || signal?.aborted === true) break;
    // A late generator sends what is due all at once, and the delay counts: nobody's wait is left out.
    while (performance.now() - startMs < dueMs) await sleep(TICK_MS);
    const sent: [number, boolean] = [dueMs, Math.random() < WRITES];
    const one = ask(url, agent, sent[1]).then((status) => {
      requests.push([round(sent[0]), round(performance.now() - startMs - sent[0]), status, sent[1]]);
      underWay.delete(one);
    });
    underWay.add(one);
  }
  await Promise.all(underWay);
  agent.destroy();
  return requests.toSorted((a, b) => a[0] - b[0]);
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}

function ask(url: string, agent: http.Agent, isPost: boolean): Promise<number> {
  return new Promise((resolve) => {
    const request = http.request(`${url}/`, { agent, method: isPost ? 'POST' : 'GET' }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
      response.once('error', () => resolve(0));
    });
    request.setTimeout(GIVE_UP_MS, () => request.destroy());
    request.once('error', () => resolve(0));
    request.end();
  });
}
