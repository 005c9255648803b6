// The admin endpoints on a port of their own: nothing else is there, and nothing of them is on the public port then.

import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { failureBody } from '../errors.ts';
import type { Log } from '../log.ts';

export interface AdminServer {
  /** Rejects with the system's error. */
  listen(port: number, host: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * @param answers as `createAdmin` makes it: false for what is not its own
 * @param maxConnections more are closed at once
 */
export function createAdminServer(
  answers: (request: IncomingMessage, response: ServerResponse) => boolean,
  maxConnections: number,
  log: Log,
): AdminServer {
  const server = http.createServer({ requestTimeout: 30_000, headersTimeout: 10_000 }, (request, response) => {
    if (answers(request, response)) return;
    const body = failureBody('this port has only the endpoints of the balancer');
    response.writeHead(404, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
    response.end(body);
  });
  server.maxConnections = maxConnections;
  return {
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen({ port, host }, () => {
          server.off('error', reject);
          server.on('error', (error) => log.error('accept-failed', { reason: error.message }));
          resolve();
        });
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
