// A proxy in front of the Docker Engine of this machine that can be shut: a door.

import { rm } from 'node:fs/promises';
import http from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SOCKET = '/var/run/docker.sock';

export interface EngineDoor {
  /** The value of DOCKER_HOST that leads through the door. */
  readonly host: string;
  /** Called before a call goes to the engine: may wait, or answer in place of the engine. */
  intercept: (method: string, path: string) => Promise<{ status: number; message: string } | undefined>;
  /** Stops listening; open calls and event streams break. */
  shut(): Promise<void>;
  open(): Promise<void>;
}

export async function engineDoor(): Promise<EngineDoor> {
  const path = join(tmpdir(), `ringmaster-door-${process.pid}-${Math.random().toString(36).slice(2)}.sock`);
  const sockets = new Set<Socket>();
  const door: EngineDoor = {
    host: `unix://${path}`,
    intercept: () => Promise.resolve(undefined),
    shut: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(path, { force: true });
    },
    open: () => new Promise((resolve) => server.listen(path, resolve)),
  };
  const server = http.createServer(async (request, response) => {
    const answer = await door.intercept(request.method ?? '', request.url ?? '');
    if (answer !== undefined) {
      response.writeHead(answer.status, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ message: answer.message }));
      return;
    }
    const { method, url, headers } = request;
    const onward = http.request({ socketPath: SOCKET, method, path: url, headers }, (reply) => {
      response.writeHead(reply.statusCode ?? 500, reply.headers);
      response.flushHeaders();
      reply.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await door.open();
  return door;
}
