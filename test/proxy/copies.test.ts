import { createHash } from 'node:crypto';
import net from 'node:net';
import t from 'tap';
import { startProxy, tcp } from '../fixtures/proxy.ts';
import { scriptedReplica } from '../fixtures/scripted-replica.ts';

const SIZE_BYTES = 8 * 2 ** 20;
const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

// Each piece of it is unlike any other, and unlike those of another first word.
function patterned(firstWord: number): Buffer {
  const words = Uint32Array.from({ length: SIZE_BYTES / 4 }, (_, index) => firstWord + index);
  return Buffer.from(words.buffer);
}

interface Download {
  /** The first bytes have come. */
  readonly begun: Promise<void>;
  readonly body: Promise<Buffer>;
  readonly socket: net.Socket;
}

function download(port: number, path: string): Download {
  const socket = net.connect({ port, host: '127.0.0.1' });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  const parts: Buffer[] = [];
  socket.on('data', (part: Buffer) => parts.push(part));
  return {
    socket,
    begun: new Promise((resolve) => socket.once('data', () => resolve())),
    body: new Promise((resolve) =>
      socket.once('close', () => {
        const whole = Buffer.concat(parts);
        resolve(whole.subarray(whole.indexOf('\r\n\r\n') + 4));
      }),
    ),
  };
}

t.test('what waits for a slow client stays as it was, whatever others are sent meanwhile', async (t) => {
  const bodies = [patterned(0), patterned(2 ** 31)] as const;
  const replica = await scriptedReplica((socket, head) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE_BYTES}\r\n\r\n`);
    socket.write(bodies[head.startsWith('GET /slow') ? 0 : 1]);
  });
  const proxy = await startProxy([tcp(replica.port)]);
  t.teardown(() => Promise.all([proxy.close(), replica.close()]));
  const slow = Array.from({ length: 4 }, () => download(proxy.port, '/slow'));
  for (const one of slow) {
    await one.begun;
    one.socket.pause();
  }
  for (let round = 0; round < 3; round++) {
    t.equal(digest(await download(proxy.port, '/quick').body), digest(bodies[1]));
  }
  for (const one of slow) one.socket.resume();
  for (const one of slow) t.equal(digest(await one.body), digest(bodies[0]));
});
