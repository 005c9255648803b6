// The backends if there is no nginx: bare sockets that answer every request head with bytes made in advance. backend.ts
// starts it with `port,/path/of.sock` for each. It understands only what the load generators send: GETs without a body.

import { createServer, type Socket } from 'node:net';
import { bodyOf, bodyPath } from './backend.ts';
import { BODIES_BYTES } from './scenarios.ts';

const HEAD_END = '\r\n\r\n';

for (const [index, place] of process.argv.slice(2).entries()) {
  const [port, path] = place.split(',');
  const replies = repliesOf(`Hello from Server: backend-${index + 1}, which says no more than this.\n`);
  const listener = (socket: Socket) => answer(socket, replies);
  createServer({ noDelay: true }, listener).listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 });
  createServer(listener).listen({ path, backlog: 4096 });
}

function repliesOf(greeting: string): Map<string, Buffer> {
  const bodies: [path: string, body: Buffer][] = BODIES_BYTES.map((bytes) => [bodyPath(bytes), bodyOf(bytes)]);
  const all: [path: string, body: Buffer][] = [['/', Buffer.from(greeting)], ...bodies];
  return new Map(all.map(([path, body]) => [path, Buffer.concat([Buffer.from(headOf(body.length)), body])]));
}

function headOf(bytes: number): string {
  return `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${bytes}${HEAD_END}`;
}

function answer(socket: Socket, replies: ReadonlyMap<string, Buffer>): void {
  let rest = '';
  socket.setEncoding('latin1');
  socket.on('error', () => socket.destroy());
  socket.on('data', (text) => {
    const heads = (rest + text).split(HEAD_END);
    rest = heads.pop() ?? '';
    for (const head of heads) {
      const path = head.split(' ', 2)[1] ?? '';
      socket.write(replies.get(path) ?? 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
    }
  });
}
