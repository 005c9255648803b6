// A network that only exists in a simulation. Clients and replicas are played at the far ends of its connections, and
// threads of the data plane have the near ends.

import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Address } from '../../../lib/core/ports.ts';
import type { Network } from '../../../lib/proxy/ports.ts';
import type { OnRead } from '../../../lib/proxy/replicas/socket.ts';
import type { Random } from '../../fixtures/random.ts';
import type { VirtualClock } from '../../fixtures/virtual-clock.ts';
import { FarEnd } from './far-end.ts';
import { Pipe } from './pipe.ts';
import { type SocketTerms, VirtualSocket } from './virtual-socket.ts';

/** What becomes of a connection that a thread asks for: it is taken, refused with that code, or not answered. */
export type Admission =
  | { readonly type: 'accept'; readonly take: (far: FarEnd) => void }
  | { readonly type: 'refuse'; readonly code: string }
  | { readonly type: 'hang' };

/** A connection of a thread to a replica. */
export interface Dialled {
  /** 1, 2, … */
  readonly number: number;
  readonly address: Address;
  /** Which thread has it: 1, 2, … */
  readonly thread: number;
}

export interface NetworkPorts {
  readonly clock: VirtualClock;
  readonly random: Random;
  /** Asked when somebody's wish to connect has come to that address. */
  readonly admit: (dialled: Dialled) => Admission;
  /** Called with what a thread writes to a replica, before it goes out. */
  readonly onWrite: (dialled: Dialled, text: string) => void;
}

const LONGEST_WAY_MS = 2;
const LEAST_CAPACITY_BYTES = 4096;
const MOST_CAPACITY_BYTES = 65_536;
const PORT = 5000;

export class VirtualNetwork {
  readonly ports: NetworkPorts;
  /** Threads that accept connections. */
  readonly accepting: ThreadNetwork[] = [];
  /** Near ends that are open. */
  readonly open = new Set<VirtualSocket>();
  dialled = 0;

  constructor(ports: NetworkPorts) {
    this.ports = ports;
  }

  /** Connects a client. `undefined` if nobody listens. */
  connect(): FarEnd | undefined {
    const thread = this.accepting[this.ports.random.below(this.accepting.length)];
    return thread?.take();
  }

  /** How long something is on the way, in ms. */
  way(): number {
    return this.ports.random.next() * LONGEST_WAY_MS;
  }
}

/** The network as one thread of the data plane has it. */
export class ThreadNetwork implements Network {
  readonly #network: VirtualNetwork;
  readonly #thread: number;
  readonly #links = new Set<Link>();
  #give: (socket: VirtualSocket) => void = () => undefined;
  #isKilled = false;

  constructor(network: VirtualNetwork, thread: number) {
    this.#network = network;
    this.#thread = thread;
  }

  readonly dial = (address: Address, onread: OnRead): Socket => {
    const network = this.#network;
    const { clock, admit, onWrite } = network.ports;
    network.dialled += 1;
    const dialled = { number: network.dialled, address, thread: this.#thread };
    const link = new Link(network, this.#links, (bytes) => onWrite(dialled, bytes.toString('latin1')));
    const terms = { isConnecting: true, allowHalfOpen: false, ignoresRefusals: true, onread };
    const socket = link.open(terms);
    clock.after(network.way(), () => {
      const admission = admit(dialled);
      if (admission.type === 'hang') return;
      if (admission.type === 'accept') admission.take(link.far);
      clock.after(network.way(), () => {
        if (this.#isKilled) return;
        if (admission.type === 'refuse') socket.refuse(admission.code);
        else socket.connected();
      });
    });
    return socket as unknown as Socket;
  };

  readonly listeners = (server: Server) => {
    let left = 0;
    let onNoneLeft = () => {};
    this.#give = (socket) => {
      left += 1;
      socket.once('close', () => {
        left -= 1;
        if (left === 0) onNoneLeft();
      });
      server.emit('connection', socket);
    };
    const stop = () => {
      this.#acceptNoMore();
      return new Promise<void>((resolve) => {
        onNoneLeft = resolve;
        if (left === 0) resolve();
      });
    };
    return {
      listen: async () => {
        if (!this.#isKilled) this.#network.accepting.push(this);
        return PORT;
      },
      get descriptors(): readonly number[] {
        throw new Error('a virtual network has no descriptors');
      },
      close: stop,
      giveWay: stop,
    };
  };

  /** A client connects. The system has its connection at once, and the thread a little later. */
  take(): FarEnd {
    const network = this.#network;
    const link = new Link(network, this.#links);
    network.ports.clock.after(network.way(), () => {
      if (this.#isKilled || !link.far.isOpen) return;
      if (!network.accepting.includes(this)) link.far.onReset();
      else this.#give(link.open({ isConnecting: false, allowHalfOpen: true, ignoresRefusals: false }));
    });
    return link.far;
  }

  /** The thread has ended: all its connections are reset, and it hears of none of them any more. */
  kill(): void {
    this.#isKilled = true;
    this.#acceptNoMore();
    for (const link of this.#links) link.cut();
  }

  #acceptNoMore(): void {
    const { accepting } = this.#network;
    const at = accepting.indexOf(this);
    if (at !== -1) accepting.splice(at, 1);
  }
}

// One connection.
class Link {
  readonly far: FarEnd;
  readonly #network: VirtualNetwork;
  readonly #links: Set<Link>;
  readonly #incoming: Pipe;
  readonly #outgoing: Pipe;
  readonly #onWrite: ((bytes: Buffer) => void) | undefined;
  #near: VirtualSocket | undefined;
  #isCut = false;

  /** @param links of the thread. */
  constructor(network: VirtualNetwork, links: Set<Link>, onWrite?: (bytes: Buffer) => void) {
    const { clock, random } = network.ports;
    this.#network = network;
    this.#links = links;
    this.#onWrite = onWrite;
    const latencyMs = network.way();
    const capacityBytes = random.chance(0.5) ? MOST_CAPACITY_BYTES : LEAST_CAPACITY_BYTES;
    const terms = { clock, latencyMs, capacityBytes };
    this.#incoming = new Pipe(terms);
    this.#outgoing = new Pipe(terms);
    this.far = new FarEnd(this.#outgoing, this.#incoming);
    links.add(this);
  }

  /** The thread has its end of it from now on. */
  open(terms: SocketTerms): VirtualSocket {
    const network = this.#network;
    const { clock } = network.ports;
    const near = new VirtualSocket(
      {
        after: (ms, call) => clock.after(ms, () => this.#isCut || call()),
        incoming: this.#incoming,
        outgoing: this.#outgoing,
        onClosed: () => {
          network.open.delete(near);
          this.#links.delete(this);
        },
        onWrite: this.#onWrite,
      },
      terms,
    );
    network.open.add(near);
    this.#near = near;
    return near;
  }

  /** The thread has ended. */
  cut(): void {
    this.#isCut = true;
    if (this.#near !== undefined) this.#network.open.delete(this.#near);
    // What comes for it goes nowhere.
    this.#incoming.forgetReader();
    this.#outgoing.forgetWriter();
    this.#links.delete(this);
    this.#outgoing.reset();
  }
}
