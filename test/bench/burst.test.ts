// The burst of the speed experiment.

import http from 'node:http';
import type net from 'node:net';
import t from 'tap';
import { burst } from '../../bench/harness/burst.ts';

t.test('each connection of a burst is new, and those that are not answered are counted', async (t) => {
  const sockets = new Set<net.Socket>();
  const server = http.createServer((request, response) => {
    sockets.add(request.socket);
    if (sockets.size > 3) request.socket.destroy();
    else response.end('hello');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const { tookMs, failed } = await burst(`http://127.0.0.1:${port}`, 5);
  t.equal(sockets.size, 5);
  t.equal(failed, 2);
  t.equal(tookMs.filter((ms) => ms === 10_000).length, 2);
});
