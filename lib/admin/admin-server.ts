// Serves the admin endpoints on a listener of their own. Nothing else is there, and the public port then has none of
// them. It has its own limits, so that neither port can use up what the other needs.

import { lstat, unlink } from 'node:fs/promises';
import http, { type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import net, { type Socket } from 'node:net';
import type { Log } from '../log.ts';

/** Where it listens. A socket in the file system has a mode, which says who may use it. */
export type EndpointPlace =
  | { readonly type: 'tcp'; readonly host: string; readonly port: number }
  | { readonly type: 'unix'; readonly path: string; readonly mode: number };

export interface AdminServer {
  /** Rejects with the system's error. */
  listen(): Promise<void>;
  /** Lets open answers finish, and cuts what is left when `signal` is aborted. Removes a socket in the file system. */
  close(signal: AbortSignal): Promise<void>;
}

// How many requests may wait on one connection. Programs send one after the other, so few are needed.
const MAX_WAITING = 8;

/**
 * @param answer called for each request.
 * @param maxConnections any more are closed at once.
 */
export function createAdminServer(
  place: EndpointPlace,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  maxConnections: number,
  log: Log,
): AdminServer {
  const server = http.createServer({
    headersTimeout: 10_000,
    // answer.ts limits the time for a whole body.
    requestTimeout: 0,
    keepAliveTimeout: 5000,
    connectionsCheckingInterval: 1000,
  });
  server.maxConnections = maxConnections;
  let closing = false;
  const waiting = new WeakMap<Socket, number>();
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    // `server.close` ends idle connections only once. Those with open requests become idle later.
    response.once('close', () => closing && server.closeIdleConnections());
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
  // The body is only wanted if the client may ask, which is decided later.
  server.on('checkContinue', onRequest);
  server.on('checkExpectation', onRequest);
  return {
    listen: async () => {
      if (place.type === 'unix') await removeStale(place.path);
      await listen(server, place);
      server.on('error', (error) => log.error('accept-failed', { reason: error.message }));
    },
    close: (signal) => {
      closing = true;
      const cut = () => server.closeAllConnections();
      signal.addEventListener('abort', cut, { once: true });
      return new Promise((resolve) => {
        server.close(() => {
          signal.removeEventListener('abort', cut);
          resolve();
        });
        if (signal.aborted) cut();
      });
    },
  };
}

function listen(server: Server, place: EndpointPlace): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const onListening = () => {
      server.off('error', reject);
      resolve();
    };
    if (place.type === 'tcp') {
      server.listen({ host: place.host, port: place.port }, onListening);
      return;
    }
    // The attack: a neighbour connects before the mode is set (test/admin/admin-socket.test.ts). The file is made by
    // this very call, so it never has another mode.
    const umask = process.umask(0o777 & ~place.mode);
    try {
      server.listen({ path: place.path }, onListening);
    } finally {
      process.umask(umask);
    }
  });
}

// Removes what a killed balancer has left behind. Anything but a socket stays, and so does a socket on which somebody
// listens.
async function removeStale(path: string): Promise<void> {
  const file = await lstat(path).catch(() => undefined);
  if (file === undefined || !file.isSocket()) return;
  const inUse = await new Promise<boolean>((resolve) => {
    const probe = net.connect({ path });
    probe.once('connect', () => resolve(true));
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
    probe.once('connect', () => probe.destroy());
  });
  if (!inUse) await unlink(path);
}
