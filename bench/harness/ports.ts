// Free ports for programs that cannot pick one themselves, and whether such a program listens yet.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';

/** A port that nobody listens on, as long as nobody else takes it before it is used. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port as number;
}

// Ports given out before, since the program that was told of one may not listen yet.
const given = new Set<number>();

/** That many different ports, none of which was given out before. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  for (const server of servers) if (!server.listening) await once(server, 'listening');
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  const fresh = ports.filter((port) => !given.has(port));
  for (const port of fresh) given.add(port);
  // As long as these are open, the system gives others.
  const rest = fresh.length === count ? [] : await freePorts(count - fresh.length);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return [...fresh, ...rest];
}

/** Whether a connection to that port of 127.0.0.1 is accepted. Closes it at once. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
