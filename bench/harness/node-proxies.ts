// Contenders that run on Node, each set up as its own documentation says: round robin over the backends, with
// connections kept open (`node bench/harness/node-proxies.ts KIND PORT HOST:PORT …`). The floor copies bytes between
// sockets and parses none of them.

import { Agent, createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { connect, createServer as createSocketServer, type Socket } from 'node:net';

const [kind = '', port = '', ...backends] = process.argv.slice(2);
const LISTEN = { port: Number(port), host: '127.0.0.1', backlog: 4096 };
// The most connections kept open to one backend.
const MAX_SOCKETS = 128;

let turn = 0;
function next<T>(list: readonly T[]): T {
  turn = (turn + 1) % list.length;
  return list[turn] as T;
}

// The packages exist only after `npm run bench:peers`, so they are imported by name to keep the type check working.
const load = (name: string) => import(name);

interface Listeners {
  readonly request: RequestListener;
  readonly upgrade?: (request: IncomingMessage, socket: Socket, head: Buffer) => void;
}

const KINDS: Readonly<Record<string, () => Promise<Listeners>>> = {
  undici: async () => {
    const { Pool } = await load('undici');
    const pools = backends.map((backend) => new Pool(`http://${backend}`, { connections: MAX_SOCKETS }));
    const request: RequestListener = (request, response) => {
      const { connection: _, ...headers } = request.headers;
      const options = { path: request.url, method: request.method, headers, body: bodyOf(request) };
      next(pools)
        .stream(options, (reply: { statusCode: number; headers: Record<string, string> }) => {
          const { connection: __, 'keep-alive': ___, ...passed } = reply.headers;
          return response.writeHead(reply.statusCode, passed);
        })
        .catch(() => fail(response));
    };
    return { request };
  },
  httpxy: async () => {
    const { createProxyServer } = await load('httpxy');
    const proxy = createProxyServer({});
    const agent = keepAlive();
    const request: RequestListener = (request, response) => {
      proxy.web(request, response, { target: target(), agent, xfwd: true }).catch(() => fail(response));
    };
    return { request };
  },
  'fast-proxy': async () => {
    const { default: fastProxy } = await load('fast-proxy');
    const proxies = backends.map((backend) => fastProxy({ base: `http://${backend}`, maxSockets: MAX_SOCKETS }).proxy);
    return { request: (request, response) => next(proxies)(request, response, request.url, {}) };
  },
  'http-proxy': async () => {
    const { default: httpProxy } = await load('http-proxy');
    const proxy = httpProxy.createProxyServer({ agent: keepAlive(), xfwd: true });
    proxy.on('error', (_error: Error, _request: IncomingMessage, response: ServerResponse | Socket) => fail(response));
    return {
      request: (request, response) => proxy.web(request, response, { target: target() }),
      upgrade: (request, socket, head) => proxy.ws(request, socket, head, { target: target() }),
    };
  },
};

if (kind === 'floor') {
  const server = createSocketServer({ noDelay: true }, (client) => {
    const [host = '', backendPort = ''] = next(backends).split(':');
    const backend = connect({ host, port: Number(backendPort), noDelay: true });
    client.pipe(backend).pipe(client);
    const end = () => {
      client.destroy();
      backend.destroy();
    };
    for (const socket of [client, backend]) socket.on('error', end).on('close', end);
  });
  server.listen(LISTEN);
} else {
  const listeners = await KINDS[kind]?.();
  if (listeners === undefined) throw new Error(`there is no contender ${kind}`);
  const server = createServer({ keepAliveTimeout: 60_000 }, listeners.request);
  if (listeners.upgrade !== undefined) server.on('upgrade', listeners.upgrade);
  server.listen(LISTEN);
}

function keepAlive(): Agent {
  return new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS, maxFreeSockets: MAX_SOCKETS });
}

function bodyOf(request: IncomingMessage): IncomingMessage | null {
  return request.headers['content-length'] === undefined && request.headers['transfer-encoding'] === undefined
    ? null
    : request;
}

function target(): string {
  return `http://${next(backends)}`;
}

// After an Upgrade there is only the socket.
function fail(response: ServerResponse | Socket): void {
  if (!('writeHead' in response) || response.headersSent) response.destroy();
  else response.writeHead(502).end();
}
