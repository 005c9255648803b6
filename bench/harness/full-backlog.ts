// Ports at which the system answers no SYN, since nobody accepts and their backlogs are full: so is a host that hangs,
// or one whose packets are lost. They listen in a thread that stands still. Linux only.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net, { type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

export interface Backlogs {
  readonly ports: readonly number[];
  /** Nobody accepts any more, and there is no more room. */
  fill(): Promise<void>;
  /** Resolves when somebody tries to connect to each of them, in vain. */
  awaited(): Promise<void>;
  /** From now on, connections are accepted and relayed. The system tries again a second after its first SYN. */
  accept(): void;
  close(): Promise<void>;
}

// Holds as many connections as the backlog has room for, and one more.
const BACKLOG = 1;
const LOOK_EVERY_MS = 10;

const LISTENER = `
const { parentPort, workerData } = require('node:worker_threads');
const net = require('node:net');
const { targetPort, count, gate } = workerData;
const sockets = new Set();
const relay = (near) => {
  const far = net.connect(targetPort, '127.0.0.1');
  for (const [one, other] of [[near, far], [far, near]]) {
    sockets.add(one);
    one.on('error', () => undefined).on('close', () => sockets.delete(one) && other.destroy());
    one.pipe(other);
  }
};
const servers = Array.from({ length: count }, () => net.createServer(relay));
let listening = 0;
for (const server of servers) {
  server.listen({ port: 0, host: '127.0.0.1', backlog: ${BACKLOG} }, () => {
    listening += 1;
    if (listening === count) parentPort.postMessage(servers.map((one) => one.address().port));
  });
}
parentPort.on('message', () => {
  // Nothing would become of them.
  for (const socket of sockets) socket.destroy();
  parentPort.postMessage('stands still');
  Atomics.wait(gate, 0, 0);
});
`;

/** @param targetPort where connections are relayed to, while they are accepted. */
export async function openBacklogs(targetPort: number, count: number): Promise<Backlogs> {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(LISTENER, { eval: true, workerData: { targetPort, count, gate } });
  const [ports] = (await once(worker, 'message')) as [number[]];
  const awaited = async () => {
    while (!allAwaited(ports)) await sleep(LOOK_EVERY_MS);
  };
  let fillers: Socket[] = [];
  const accept = () => {
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    for (const filler of fillers) filler.destroy();
  };
  return {
    ports,
    fill: async () => {
      // If it stands still already, it would not hear that it should.
      accept();
      Atomics.store(gate, 0, 0);
      worker.postMessage('stand still');
      await once(worker, 'message');
      fillers = ports.flatMap((port) => Array.from({ length: BACKLOG + 2 }, () => connect(port)));
      await awaited();
      // Those that have room keep it. The others would be taken for somebody who tries to connect.
      for (const filler of fillers.filter(({ connecting }) => connecting)) filler.destroy();
    },
    awaited,
    accept,
    close: async () => {
      accept();
      await worker.terminate();
    },
  };
}

function connect(port: number): Socket {
  return net.connect(port, '127.0.0.1').on('error', () => undefined);
}

// A connection to each of these ports has sent its SYN and has no answer.
function allAwaited(ports: readonly number[]): boolean {
  const connections = readFileSync('/proc/net/tcp', 'utf8');
  return ports.every((port) => {
    const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} 02`;
    return connections.includes(remote);
  });
}
