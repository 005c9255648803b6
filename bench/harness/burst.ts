// Many new connections at once, each with one request: how long each waits for the first byte of its answer.

import net from 'node:net';

const LIMIT_MS = 10_000;

export interface Burst {
  /** Of each connection, from the attempt to connect to the first byte; ten seconds for one that was not answered. */
  readonly tookMs: readonly number[];
  /** Those that were not answered within ten seconds. */
  readonly failed: number;
}

export async function burst(url: string, connections: number): Promise<Burst> {
  const tookMs = await Promise.all(Array.from({ length: connections }, () => firstByteMs(new URL(url))));
  return { tookMs, failed: tookMs.filter((ms) => ms === LIMIT_MS).length };
}

function firstByteMs({ hostname, port, host }: URL): Promise<number> {
  return new Promise((resolve) => {
    const startMs = performance.now();
    const socket = net.connect({ port: Number(port), host: hostname });
    socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    socket.once('data', () => {
      resolve(performance.now() - startMs);
      socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.setTimeout(LIMIT_MS, () => socket.destroy());
    // Of one that was answered, this says nothing new.
    socket.once('close', () => resolve(LIMIT_MS));
  });
}
