// The sockets that listen for clients: several of one port, between which the system spreads new connections. libuv
// takes one from each in a turn of the event loop, and while many clients are busy a turn is long: behind a single
// socket, 300 that come at once would wait for 300 turns, a second or more.

import type { Server } from 'node:http';
import net, { type Socket } from 'node:net';
import type { ListenPlace } from '../../core/plane-ports.ts';
import { checkPortIsFree } from '../../system/free-port.ts';

// Elsewhere Node refuses such sockets, since there the system does not spread connections over them.
const SHARES_PORTS = process.platform === 'linux' || process.platform === 'freebsd';
// Twice as many bring no more: then the turns are as long as what they take.
const COUNT = SHARES_PORTS ? 32 : 1;
const BACKLOG = 4096;

export class Listeners {
  readonly #all: readonly net.Server[];

  /** @param server takes the connections of all of them, and listens as the first. */
  constructor(server: Server) {
    const options = { allowHalfOpen: true, noDelay: true };
    const give = (socket: Socket) => server.emit('connection', socket);
    this.#all = [server, ...Array.from({ length: COUNT - 1 }, () => net.createServer(options, give))];
  }

  /**
   * Resolves with the port. Rejects with the system's error, also if another program listens on the port already.
   * @param sharesPort the sockets of other threads are on that port too. Then somebody else has made sure of the port.
   * @param onError called when a connection could not be taken.
   */
  async listen(place: ListenPlace, sharesPort: boolean, onError: (error: Error) => void): Promise<number> {
    if ('descriptors' in place) return this.#listenOn(place.descriptors, onError);
    const { port, host } = place;
    // Any program of this user may join a shared port, but nobody may join a socket that is bound alone. A program that
    // joins later, or between these two steps, is not found out.
    if (SHARES_PORTS && !sharesPort && port !== 0) await checkPortIsFree(port, host);
    const at = { port, host, backlog: BACKLOG, reusePort: SHARES_PORTS };
    for (const one of this.#all) {
      at.port = portOf(await begin(one, at));
      one.on('error', onError);
    }
    return at.port;
  }

  // Sockets that somebody else has opened, so that none is lost while no process of ours is there.
  async #listenOn(descriptors: readonly number[], onError: (error: Error) => void): Promise<number> {
    if (descriptors.length > COUNT) throw new Error(`${descriptors.length} sockets are more than ${COUNT}`);
    const ports = new Set<number>();
    for (const [index, fd] of descriptors.entries()) {
      const one = this.#all[index] as net.Server;
      await begin(one, { fd, backlog: BACKLOG });
      // Of a socket that is not of TCP, Node says nothing, or its path.
      const address = one.address();
      if (address === null || typeof address === 'string') throw new Error(`descriptor ${fd} is no TCP socket`);
      ports.add(address.port);
      one.on('error', onError);
    }
    const [port = 0, ...others] = ports;
    if (others.length > 0) throw new Error(`the sockets have several ports: ${[...ports].join(', ')}`);
    return port;
  }

  /** Accepts no more connections. Resolves when those that there are have ended. */
  async close(): Promise<void> {
    await Promise.all(this.#all.map(close));
  }
}

function begin(
  server: net.Server,
  at: net.ListenOptions | { readonly fd: number; readonly backlog: number },
): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}

// Also of one that does not listen.
function close(server: net.Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

function portOf(server: net.Server): number {
  return (server.address() as net.AddressInfo).port;
}
