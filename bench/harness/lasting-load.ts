// Clients as they are while a balancer is upgraded: new connections, kept ones, event streams and WebSockets. They are
// plain clients: none repeats a request, and whatever goes wrong is counted.

import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { atRate } from './open-loop.ts';

export interface LoadSize {
  /** New connections a second, each for one request. */
  readonly newPerSecond: number;
  readonly kept: number;
  readonly streams: number;
  readonly sockets: number;
}

/** What came of them: how many went well, and what went wrong. */
export interface Totals {
  readonly requests: number;
  readonly onKept: number;
  /** Event streams that were opened, and WebSocket messages that came back. */
  readonly streams: number;
  readonly messages: number;
  /** Connections that nobody accepted, that were reset, and everything else that was not as it should be. */
  readonly refused: number;
  readonly reset: number;
  readonly failed: number;
  /** The first things that went wrong, in words. */
  readonly faults: readonly string[];
}

export interface LastingLoad {
  readonly totals: Totals;
  /** Resolves when each client has got something, from now on. */
  allServed(): Promise<void>;
  stop(): Promise<Totals>;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const MOST_FAULTS = 20;
const LONGEST_THOUGHT_MS = 150;

export function startLastingLoad(port: number, size: LoadSize): LastingLoad {
  const faults: string[] = [];
  const totals: Writable<Totals> = {
    ...{ requests: 0, onKept: 0, streams: 0, messages: 0 },
    ...{ refused: 0, reset: 0, failed: 0, faults },
  };
  const served = new Map<string, number>();
  const load: Load = {
    port,
    ended: new AbortController(),
    open: new Set(),
    totals,
    serve: (client) => served.set(client, (served.get(client) ?? 0) + 1),
    fault: (who, error) => {
      if (load.ended.signal.aborted) return;
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (code === 'ECONNREFUSED') totals.refused += 1;
      else if (code === 'ECONNRESET' || code === 'EPIPE') totals.reset += 1;
      else totals.failed += 1;
      if (faults.length < MOST_FAULTS) faults.push(`${who}: ${code} ${(error as Error).message}`);
    },
  };
  const all = (count: number, run: (name: string) => Promise<void>, what: string) =>
    Array.from({ length: count }, (_, index) => run(`${what} ${index + 1}`));
  const running = [
    connectAnew(load, size.newPerSecond),
    ...all(size.kept, (name) => keepOne(load, name), 'kept'),
    ...all(size.streams, (name) => stream(load, name), 'stream'),
    ...all(size.sockets, (name) => talk(load, name), 'socket'),
  ];
  const clients = 1 + size.kept + size.streams + size.sockets;
  return {
    totals,
    allServed: async () => {
      served.clear();
      while (served.size < clients) await sleep(20);
    },
    stop: async () => {
      load.ended.abort();
      for (const one of load.open) one.destroy();
      await Promise.all(running);
      return totals;
    },
  };
}

interface Load {
  readonly port: number;
  readonly ended: AbortController;
  /** What has no end of its own. */
  readonly open: Set<{ destroy(): void }>;
  readonly totals: Writable<Totals>;
  readonly serve: (client: string) => void;
  readonly fault: (who: string, error: unknown) => void;
}

async function connectAnew(load: Load, perSecond: number): Promise<void> {
  const underWay = new Set<Promise<void>>();
  await atRate(perSecond, load.ended.signal, () => {
    const one = ask(load, undefined)
      .then(
        () => {
          load.totals.requests += 1;
          load.serve('new');
        },
        (error) => load.fault('new', error),
      )
      .then(() => void underWay.delete(one));
    underWay.add(one);
  });
  await Promise.all(underWay);
}

async function keepOne(load: Load, name: string): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  while (!load.ended.signal.aborted) {
    try {
      await ask(load, agent);
      load.totals.onKept += 1;
      load.serve(name);
    } catch (error) {
      load.fault(name, error);
    }
    await pause(load, Math.random() * LONGEST_THOUGHT_MS);
  }
  agent.destroy();
}

function ask({ port }: Load, agent: http.Agent | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.get({ port, host: '127.0.0.1', path: '/', agent: agent ?? false }, (response) => {
      response.resume();
      response.once('error', reject);
      response.once('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`status ${response.statusCode}`));
      });
    });
    request.once('error', reject);
  });
}

// One that ends in order is opened anew, as browsers do.
async function stream(load: Load, name: string): Promise<void> {
  while (!load.ended.signal.aborted) {
    await new Promise<void>((resolve) => {
      const request = http.get({ port: load.port, host: '127.0.0.1', path: '/events', agent: false }, (response) => {
        if (response.statusCode === 200) load.totals.streams += 1;
        else load.fault(name, new Error(`status ${response.statusCode}`));
        response.on('data', () => load.serve(name));
        // Of one that was cut within a chunk, Node says `aborted`.
        response.once('error', (error) => load.fault(name, error));
      });
      load.open.add(request);
      request.once('error', (error) => load.fault(name, error));
      request.once('close', () => {
        load.open.delete(request);
        resolve();
      });
    });
    await pause(load, 20);
  }
}

async function talk(load: Load, name: string): Promise<void> {
  while (!load.ended.signal.aborted) {
    await new Promise<void>((resolve) => {
      const socket = new WebSocket(`ws://127.0.0.1:${load.port}/`);
      const one = { destroy: () => socket.terminate() };
      load.open.add(one);
      const send = () => {
        socket.send('hello');
      };
      socket.on('open', send);
      socket.on('message', () => {
        load.totals.messages += 1;
        load.serve(name);
        setTimeout(() => socket.readyState === WebSocket.OPEN && send(), 50);
      });
      socket.on('error', (error) => load.fault(name, error));
      socket.once('close', () => {
        load.open.delete(one);
        resolve();
      });
    });
    await pause(load, 20);
  }
}

async function pause(load: Load, ms: number): Promise<void> {
  await sleep(ms, undefined, { signal: load.ended.signal }).catch(() => undefined);
}
