// The replicas behind a proxy under test. Their listeners stay, and what they answer changes from case to case.

import net, { type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Case, ReplicaSide, ReplicaStep } from './case.ts';
import { Garbled, type Message, readRequest } from './message.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

interface Connection {
  socket: Socket;
  replica: number;
  text: string;
  unread: string;
  answered: boolean;
  tunnel: boolean;
  requests: Message[];
  garbled: string | undefined;
  ended: boolean;
}

export interface Replicas {
  readonly ports: readonly number[];
  /** Answers new connections as the case says, from now on. */
  begin(script: Pick<Case, 'answers' | 'answerAt'>, clientHas: () => string): void;
  /** What has come since then, connection by connection. */
  seen(): readonly ReplicaSide[];
  /** Called at each change. */
  onChange: () => void;
  /** Says that a replica or the client has got something, so that steps that wait check again. */
  changed(): void;
  /** Closes all connections. */
  clear(): void;
  close(): void;
}

/** Listens on that many free ports. */
export async function listenAsReplicas(count: number): Promise<Replicas> {
  let connections: Connection[] = [];
  let script: Pick<Case, 'answers' | 'answerAt'> = {};
  let clientHas = () => '';
  let asked = 0;

  // A step may wait for bytes that never come. It is given up when its connection ends, at the latest with the case.
  const waiting = new Set<() => void>();
  const until: Until = (socket, holds) =>
    new Promise((resolve) => {
      const check = () => {
        if (!socket.destroyed && !holds()) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  const answer = async (connection: Connection, steps: readonly ReplicaStep[]) => {
    for (const step of steps) {
      if (connection.socket.destroyed) return;
      await playStep(connection, step, until, clientHas);
    }
  };
  const read = (connection: Connection) => {
    while (!connection.tunnel && connection.garbled === undefined) {
      const request = tryRead(connection);
      if (request === undefined) return;
      if (!connection.answered && (request.complete || script.answerAt === 'head')) {
        connection.answered = true;
        const answers = script.answers ?? [OK];
        const next = answers[Math.min(asked, answers.length - 1)] ?? OK;
        asked += 1;
        void answer(connection, typeof next === 'string' ? [next] : next);
      }
      if (!request.complete) return;
      connection.requests.push(request);
      connection.unread = request.rest;
      connection.answered = false;
    }
  };

  const replicas: Replicas = {
    ports: [],
    begin: (next, has) => {
      connections = [];
      asked = 0;
      script = next;
      clientHas = has;
    },
    seen: () => connections.map(describe),
    onChange: () => undefined,
    changed: () => {
      for (const check of waiting) check();
      replicas.onChange();
    },
    clear: () => {
      for (const { socket } of connections) socket.destroy();
    },
    close: () => {
      replicas.clear();
      for (const server of servers) server.close();
    },
  };
  const servers: Server[] = [];
  for (let index = 0; index < count; index++) {
    const server = net.createServer((socket) => {
      const connection: Connection = {
        ...{ socket, replica: index, text: '', unread: '', answered: false, tunnel: false },
        ...{ requests: [], garbled: undefined, ended: false },
      };
      connections.push(connection);
      socket.on('error', () => undefined);
      for (const event of ['end', 'close']) {
        socket.on(event, () => {
          connection.ended = true;
          replicas.changed();
        });
      }
      socket.on('data', (bytes) => {
        const text = bytes.toString('latin1');
        connection.text += text;
        connection.unread += text;
        read(connection);
        replicas.changed();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
  }
  return Object.assign(replicas, { ports: servers.map((server) => (server.address() as AddressInfo).port) });
}

type Until = (socket: Socket, holds: () => boolean) => Promise<void>;

async function playStep(
  connection: Connection,
  step: ReplicaStep,
  until: Until,
  clientHas: () => string,
): Promise<void> {
  const { socket } = connection;
  if (typeof step !== 'string') {
    if ('pauseMs' in step) await pause(step.pauseMs);
    else if ('until' in step) await until(socket, () => step.until.test(connection.text));
    else await until(socket, () => step.clientHas.test(clientHas()));
  } else if (step === 'end') socket.end();
  else if (step === 'reset') socket.resetAndDestroy();
  else if (step === 'tunnel') connection.tunnel = true;
  else await new Promise((resolve) => socket.write(step, 'latin1', resolve));
}

function tryRead(connection: Connection): Message | undefined {
  try {
    return readRequest(connection.unread);
  } catch (error) {
    if (!(error instanceof Garbled)) throw error;
    connection.garbled = error.message;
    return undefined;
  }
}

function describe({ text, requests, garbled, ended, replica, unread, tunnel }: Connection): ReplicaSide {
  let unfinished: Message | undefined;
  if (garbled === undefined && !tunnel && unread !== '') unfinished = readRequest(unread);
  return { text, requests: unfinished === undefined ? requests : [...requests, unfinished], garbled, ended, replica };
}
