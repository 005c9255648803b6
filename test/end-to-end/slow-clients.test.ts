// The whole program with its defaults, held up by slow clients: no other client may notice.

import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import t from 'tap';
import { startProgram } from '../../bench/harness/program.ts';

// More than the places of three replicas.
const MANY = 1560;

async function many(port: number, text: string): Promise<Socket[]> {
  const sockets: Socket[] = [];
  // Connects in small groups, since the listen backlog is not what is tested.
  for (let count = 0; count < MANY; count += 60) {
    const more = Array.from({ length: 60 }, () => net.connect({ port, host: '127.0.0.1' }));
    await Promise.all(more.map((socket) => once(socket, 'connect')));
    for (const socket of more) {
      socket.on('error', () => undefined);
      socket.write(text);
    }
    sockets.push(...more);
  }
  return sockets;
}

t.test('the attack: 1,560 uploads of which a byte comes now and then keep nobody waiting', async (t) => {
  const program = await startProgram();
  const sockets = await many(program.port, 'POST /api/vote HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n1');
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await program.stop();
  });
  for (let round = 0; round < 3; round++) {
    const startedMs = performance.now();
    t.equal((await fetch(`${program.url}/home`)).status, 200);
    // A request waits up to 5 s for a place in the queue.
    t.ok(performance.now() - startedMs < 4000);
    for (const socket of sockets) socket.write('2');
  }
  t.ok(
    sockets.every((socket) => socket.readyState === 'open' && socket.bytesRead === 0),
    'they are there, and have no answer',
  );
});
