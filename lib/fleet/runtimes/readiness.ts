// Where a replica is to listen, and when it does. A program that knows nothing of us does not say when it listens, so
// it is asked by connecting: often at first, and then at intervals that are short beside the time that it has taken.

import net from 'node:net';
import type { Address, Clock } from '../../core/ports.ts';

const SHORTEST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 50;
const PAUSE_SHARE = 0.05;

/** A port of the loopback interface that nobody listens on. Rejects if this machine has none, or no descriptor. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Resolves with the first of the addresses at which a connection is accepted. Rejects when the signal is aborted. */
export async function untilListens(addresses: readonly Address[], clock: Clock, signal: AbortSignal): Promise<Address> {
  const begunMs = clock.now();
  for (;;) {
    for (const address of addresses) {
      const accepted = await accepts(address, signal);
      signal.throwIfAborted();
      if (accepted) return address;
    }
    const pauseMs = PAUSE_SHARE * (clock.now() - begunMs);
    await clock.sleep(Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, pauseMs)), signal).catch(() => undefined);
    signal.throwIfAborted();
  }
}

function accepts(address: Address, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = address.type === 'unix' ? net.connect(address.path) : net.connect(address.port, address.host);
    const give = () => socket.destroy();
    signal.addEventListener('abort', give, { once: true });
    let accepted = false;
    socket.once('connect', () => {
      // A connection to a port that nobody listens on may be given that same port, and then reaches itself.
      accepted = address.type === 'unix' || socket.localPort !== address.port;
      socket.destroy();
    });
    socket.once('error', () => undefined);
    socket.once('close', () => {
      signal.removeEventListener('abort', give);
      resolve(accepted);
    });
  });
}
