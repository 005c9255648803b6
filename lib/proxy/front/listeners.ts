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

// Undocumented, but in Node since 0.9.
type WithHandle = net.Server & { readonly _handle?: { readonly fd?: number } | null };

/** Listens for connections. */
export type Listening = Pick<Listeners, 'listen' | 'descriptors' | 'close' | 'giveWay'>;

export class Listeners {
  readonly #all: net.Server[];
  readonly #more: () => net.Server;

  /** @param server takes the connections of all of them, and listens as the first. */
  constructor(server: Server) {
    const options = { allowHalfOpen: true, noDelay: true };
    const give = (socket: Socket) => server.emit('connection', socket);
    this.#more = () => net.createServer(options, give);
    this.#all = [server, ...Array.from({ length: COUNT - 1 }, this.#more)];
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
    // A process before this one may have had more workers: a socket that nobody takes from would hold its clients for
    // ever.
    while (this.#all.length < descriptors.length) this.#all.push(this.#more());
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

  /** Their file descriptors. Throws if they do not listen, or if this version of Node does not tell. */
  get descriptors(): readonly number[] {
    const listening = this.#all.filter((server) => server.listening);
    if (listening.length === 0) throw new Error('nothing is listened on');
    return listening.map((server) => {
      const fd = (server as WithHandle)._handle?.fd;
      if (fd !== undefined && fd >= 0) return fd;
      throw new Error(`Node ${process.version} does not tell the descriptors of its sockets`);
    });
  }

  /** Accepts no more connections. Resolves when those that there are have ended. */
  async close(): Promise<void> {
    await Promise.all(this.#all.map(close));
  }

  /**
   * The same, but without the part of `http.Server`, which would also close connections that have not sent a byte yet
   * (https://github.com/nodejs/node/issues/63470). If another process holds the sockets too, nothing that waits in them
   * is lost.
   */
  async giveWay(): Promise<void> {
    await Promise.all(
      this.#all.map((server) => new Promise((resolve) => net.Server.prototype.close.call(server, resolve))),
    );
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
