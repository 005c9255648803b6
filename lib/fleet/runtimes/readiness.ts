// Where a replica is to listen, and when it does. A program that knows nothing of us does not say when it listens, so
// it is asked by connecting: often at first, and then at intervals that are short beside the time that it has taken.

import net from 'node:net';
import type { Address, Clock } from '../../core/ports.ts';
import { checkPortIsFree } from '../../system/free-port.ts';

/** What a replica finds in HOST. */
export const LOOPBACK = '127.0.0.1';

// Below the ports that the system gives to whoever asks for any. One of those may be given to another program before
// the replica listens on it, and connecting to it would reach that one.
const FIRST_PORT = 20_000;
const LAST_PORT = 32_767;
const MOST_ATTEMPTS = 100;

const SHORTEST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 50;
const PAUSE_SHARE = 0.05;

/**
 * A port that nobody listens on at either loopback address. Rejects if this process cannot open a socket.
 * @param random gives a whole number below its argument.
 */
export async function freePort(random: (limit: number) => number): Promise<number> {
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const port = FIRST_PORT + random(LAST_PORT - FIRST_PORT + 1);
    if (await isFree(port)) return port;
  }
  throw new Error(`of ${MOST_ATTEMPTS} ports tried from ${FIRST_PORT} to ${LAST_PORT}, all are in use`);
}

async function isFree(port: number): Promise<boolean> {
  for (const host of [LOOPBACK, '::1']) {
    try {
      await checkPortIsFree(port, host);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EADDRINUSE' || code === 'EACCES') return false;
      // Without IPv6 there is nobody at that address.
      if (host === LOOPBACK) throw error;
    }
  }
  return true;
}

/** Where a program that listens on a port of this machine may be: `localhost` can stand for either. */
export function loopbackAddresses(port: number): readonly [Address, ...Address[]] {
  return [
    { type: 'tcp', host: LOOPBACK, port },
    { type: 'tcp', host: '::1', port },
  ];
}

/** Resolves with the first of the addresses at which connections are accepted. Rejects when the signal is aborted. */
export async function untilListens(addresses: readonly Address[], clock: Clock, signal: AbortSignal): Promise<Address> {
  const begunMs = clock.now();
  for (;;) {
    const found = await firstThatAccepts(addresses, signal);
    // It may have begun to listen at all of them while they were asked one after the other.
    if (found !== undefined)
      return found === addresses[0] ? found : ((await firstThatAccepts(addresses, signal)) ?? found);
    const pauseMs = PAUSE_SHARE * (clock.now() - begunMs);
    await clock.sleep(Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, pauseMs)), signal).catch(() => undefined);
    signal.throwIfAborted();
  }
}

async function firstThatAccepts(addresses: readonly Address[], signal: AbortSignal): Promise<Address | undefined> {
  for (const address of addresses) {
    const accepted = await accepts(address, signal);
    signal.throwIfAborted();
    if (accepted) return address;
  }
  return undefined;
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
