// Requests that come whether or not earlier ones were answered, as those of many people do: at random moments, so many
// a second on average (a Poisson process), one in ten a POST. Their clients repeat nothing.

import http from 'node:http';
import { openLoop } from './open-loop.ts';

/** One request: when it was due and how long its reply took from then, in ms, its status (0 if none came), a POST? */
export type OpenRequest = readonly [dueMs: number, tookMs: number, status: number, isPost: boolean];

const WRITES = 0.1;
const GIVE_UP_MS = 60_000;

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
  const requests = await openLoop(
    arrivals(rateAt, seconds),
    async ({ atMs, isPost }, startMs): Promise<OpenRequest> => {
      const status = await ask(url, agent, isPost);
      return [round(atMs), round(performance.now() - startMs - atMs), status, isPost];
    },
    signal,
  );
  agent.destroy();
  return requests;
}

function* arrivals(rateAt: (second: number) => number, seconds: number) {
  for (let atMs = 0; ; ) {
    atMs += (-Math.log(1 - Math.random()) * 1000) / rateAt(atMs / 1000);
    if (atMs >= seconds * 1000) return;
    yield { atMs, isPost: Math.random() < WRITES };
  }
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
