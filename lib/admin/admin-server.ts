// Serves the admin endpoints on a listener of their own. Nothing else is there, and the public port then has none of
// them. It has its own limits, so that neither port can use up what the other needs.

import { linkSync, unlinkSync } from 'node:fs';
import { lstat, unlink } from 'node:fs/promises';
import http, { type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import net, { type Socket } from 'node:net';
import type { Log } from '../log.ts';

/** Where it listens. A socket in the file system has a mode, which says who may use it. */
export type EndpointPlace =
  | { readonly type: 'tcp'; readonly host: string; readonly port: number }
  | { readonly type: 'unix'; readonly path: string; readonly mode: number };

export interface AdminServer {
  /**
   * Rejects with the system's error.
   * @param descriptor of a socket that listens there already, which another process of ours has opened.
   */
  listen(descriptor?: number): Promise<void>;
  /** File descriptor of its socket. Throws if this version of Node does not tell it. */
  descriptor(): number;
  /** Accepts no more connections, which another process does. Else as `close`; a socket in the file system stays. */
  giveWay(signal: AbortSignal): Promise<void>;
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
    listen: async (descriptor) => {
      if (descriptor !== undefined) await begin(server, () => server.listen({ fd: descriptor }));
      else if (place.type === 'unix') await listenAtPath(server, place);
      else await begin(server, () => server.listen({ host: place.host, port: place.port }));
      server.on('error', (error) => log.error('accept-failed', { reason: error.message }));
    },
    descriptor: () => {
      const fd = (server as WithHandle)._handle?.fd;
      if (fd !== undefined && fd >= 0) return fd;
      throw new Error(`Node ${process.version} does not tell the descriptor of the admin socket`);
    },
    giveWay: (signal) => {
      // Idle connections end after their own timeout: closed now, one could lose a request that is on its way.
      server.prependListener('request', (_, response: ServerResponse) => response.setHeader('Connection', 'close'));
      return end(signal, (done) => net.Server.prototype.close.call(server, done));
    },
    close: async (signal) => {
      closing = true;
      const wasListening = server.listening;
      await end(signal, (done) => server.close(done));
      if (place.type === 'unix' && wasListening) await unlink(place.path).catch(() => undefined);
    },
  };

  function end(signal: AbortSignal, close: (done: () => void) => void): Promise<void> {
    const cut = () => server.closeAllConnections();
    signal.addEventListener('abort', cut, { once: true });
    return new Promise((resolve) => {
      close(() => {
        signal.removeEventListener('abort', cut);
        resolve();
      });
      if (signal.aborted) cut();
    });
  }
}

// Undocumented, but in Node since 0.9.
type WithHandle = net.Server & { readonly _handle?: { readonly fd?: number } | null };

function begin(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    listen();
  });
}

// Node removes the name that a socket was made with when it is closed, also if another process has taken the socket
// over by then. So the socket gets its own name only afterwards.
async function listenAtPath(server: Server, { path, mode }: Extract<EndpointPlace, { type: 'unix' }>): Promise<void> {
  const first = `${path}~`;
  await removeStale(first);
  await removeStale(path);
  await begin(server, () => {
    // The attack: a neighbour connects before the mode is set (test/admin/admin-socket.test.ts). The file is made by
    // this very call, so it never has another mode.
    const umask = process.umask(0o777 & ~mode);
    try {
      server.listen({ path: first });
    } finally {
      process.umask(umask);
    }
  });
  try {
    linkSync(first, path);
  } catch (error) {
    server.close();
    const isTaken = (error as NodeJS.ErrnoException).code === 'EEXIST';
    throw isTaken ? Object.assign(new Error('address already in use'), { code: 'EADDRINUSE', address: path }) : error;
  }
  unlinkSync(first);
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
