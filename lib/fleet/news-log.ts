// Writes what is new in the fleet into the log.

import type { FleetNews } from '../core/fleet/fleet-news.ts';
import type { Log } from '../log.ts';

/** @param atMs the time of the news, by the clock of the fleet. */
export function logNews(news: readonly FleetNews[], atMs: number, log: Log): void {
  for (const { type, replica, reason, againAtMs = atMs } of news) {
    const isLoss = type === 'replica-down' || type === 'replica-lost';
    const write = isLoss ? log.warn : log.info;
    const retryInMs = Math.round(againAtMs - atMs);
    write(type, { ...replica, ...(reason === undefined ? {} : { reason }), ...(retryInMs > 0 ? { retryInMs } : {}) });
  }
}
