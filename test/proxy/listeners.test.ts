// The sockets that listen for clients: how soon a burst is taken, who is kept from sharing the port, and their end.

import http from 'node:http';
import net from 'node:net';
import t, { type Test } from 'tap';
import { Listeners } from '../../lib/proxy/front/listeners.ts';
import { startProxy } from '../fixtures/proxy.ts';

const BURST = 300;
const SHARES_PORTS = process.platform === 'linux' || process.platform === 'freebsd';
const fail = (error: Error) => {
  throw error;
};

function startListening(t: Test, options: net.ListenOptions): Promise<number> {
  const server = net.createServer().listen({ port: 0, host: '127.0.0.1', ...options });
  t.teardown(() => server.close());
  return new Promise((resolve) => server.once('listening', () => resolve((server.address() as net.AddressInfo).port)));
}

t.test('a burst is taken in a few turns of the event loop', { skip: !SHARES_PORTS }, async (t) => {
  const server = http.createServer();
  const listeners = new Listeners(server);
  const port = await listeners.listen({ port: 0, host: '127.0.0.1' }, false, fail);
  let came = 0;
  let turns = 0;
  const all = new Promise<void>((resolve) =>
    server.on('connection', () => {
      came += 1;
      if (came === BURST) resolve();
    }),
  );
  const count = () => {
    if (came > 0) turns += 1;
    if (came < BURST) setImmediate(count);
  };
  const clients = Array.from({ length: BURST }, () => net.connect(port, '127.0.0.1'));
  setImmediate(count);
  await all;
  t.ok(turns < BURST / 5, `${turns} turns`);
  for (const client of clients) client.destroy();
  await listeners.close();
});

t.test('a port that somebody has is refused, also if he would share it', async (t) => {
  const kinds = SHARES_PORTS ? [{}, { reusePort: true }] : [{}];
  for (const kind of kinds) {
    const port = await startListening(t, kind);
    const listeners = new Listeners(http.createServer());
    await t.rejects(listeners.listen({ port, host: '127.0.0.1' }, false, fail), {
      code: 'EADDRINUSE',
      port,
      address: '127.0.0.1',
    });
    await listeners.close();
  }
});

t.test('when they are closed nobody listens, and the port is free', async (t) => {
  const proxy = await startProxy([]);
  const { port } = proxy;
  await proxy.close();
  for (let count = 0; count < 64; count++) {
    const client = net.connect(port, '127.0.0.1');
    const code = await new Promise((resolve) => {
      client.once('connect', resolve);
      client.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    });
    if (code !== 'ECONNREFUSED') t.fail(`connection ${count}: ${code}`);
  }
  t.equal(await startListening(t, { port }), port);
});
