// Judges what was seen of the cells, and of the requests beside them.

import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Played } from './stage.ts';

/** What was wrong with a cell; empty if nothing. @param graceMs what it may take beyond the least that it must. */
export function faultsOf({ cell, outcome, tookMs, leastMs, suspected, executed }: Played, graceMs: number): string[] {
  const tookText = `took ${Math.round(tookMs)} ms, and ${Math.round(leastMs)} ms is the least`;
  const isSuspicious = cell.suspected === 'yes';
  return [
    outcome === cell.outcome ? '' : `${outcome} instead of ${cell.outcome}`,
    tookMs >= leastMs ? '' : `too early: ${tookText}`,
    tookMs <= leastMs + graceMs ? '' : `too late: ${tookText}`,
    cell.suspected === 'perhaps' || suspected === isSuspicious ? '' : `${suspected ? '' : 'not '}suspected`,
    cell.method === 'POST' && executed > 1 ? `executed ${executed} times` : '',
  ].filter((fault) => fault !== '');
}

export interface Bystanders {
  /** Resolves with the times of the requests, in ms, and what went wrong with others. */
  stop(): Promise<{ tookMs: number[]; failures: string[] }>;
}

/** Sends that many GETs a second, each at its time whatever became of those before. */
export function startBystanders(url: string, headers: Record<string, string>, perSecond: number): Bystanders {
  const agent = new http.Agent({ keepAlive: true });
  const tookMs: number[] = [];
  const failures: string[] = [];
  const underWay = new Set<Promise<void>>();
  const stopping = new AbortController();
  const send = () =>
    new Promise<void>((resolve) => {
      const sentMs = performance.now();
      const fail = (what: string) => {
        failures.push(what);
        resolve();
      };
      http
        .get(url, { agent, headers }, (response) => {
          response.resume().once('close', () => {
            if (response.statusCode !== 200 || !response.complete) fail(`${response.statusCode}`);
            else tookMs.push(performance.now() - sentMs);
            resolve();
          });
        })
        .once('error', (error) => fail(error.message));
    });
  const running = (async () => {
    const startMs = performance.now();
    for (let count = 0; !stopping.signal.aborted; count++) {
      await sleep(Math.max(0, startMs + (1000 * count) / perSecond - performance.now()));
      const one = send().then(() => void underWay.delete(one));
      underWay.add(one);
    }
    await Promise.all(underWay);
  })();
  return {
    stop: async () => {
      stopping.abort();
      await running;
      agent.destroy();
      return { tookMs, failures };
    },
  };
}
