// The admin endpoints on a listener of their own: nothing else is there, and nothing of them is on the public port then. It has
// limits of its own, so that neither port can use up what the other needs.

import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface AdminServer {
  /** Rejects with the system's error. */
  listen(port: number, host: string): Promise<void>;
  close(): Promise<void>;
}

/** Connections that it takes; descriptors are counted on it. */
export const MAX_ADMIN_CONNECTIONS = 256;
// A program that keeps its connection sends one request after the other.
const MAX_WAITING = 8;

/** @param answer of all that comes */
export function createAdminServer(answer: (request: IncomingMessage, response: ServerResponse) => void): AdminServer {
  const server = http.createServer({
    headersTimeout: 10_000,
    // Over all of a body: answer.ts.
    requestTimeout: 0,
    keepAliveTimeout: 5000,
    connectionsCheckingInterval: 1000,
  });
  server.maxConnections = MAX_ADMIN_CONNECTIONS;
  const waiting = new WeakMap<Socket, number>();
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    if (response.socket !== null) {
      answer(request, response);
      return;
    }
    // The attack: thousands of requests in one packet, each kept until those before it are answered
    // (test/admin/answers.test.ts).
    const { socket } = request;
    const count = (waiting.get(socket) ?? 0) + 1;
    waiting.set(socket, count);
    if (count > MAX_WAITING) {
      socket.destroy();
      return;
    }
    response.once('socket', () => {
      waiting.set(socket, (waiting.get(socket) ?? 1) - 1);
      answer(request, response);
    });
  };
  server.on('request', onRequest);
  // Whether the body is wanted is said when it is known who asks.
  server.on('checkContinue', onRequest);
  server.on('checkExpectation', onRequest);
  return {
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen({ port, host }, () => {
          server.off('error', reject);
          server.on('error', () => undefined);
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
