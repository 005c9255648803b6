import { once } from 'node:events';
import net from 'node:net';
import t from 'tap';
import { realClock } from '../../lib/fleet/clock.ts';
import { freePort, loopbackAddresses, untilListens } from '../../lib/fleet/runtimes/readiness.ts';

/** Gives these numbers one after the other. */
const inTurn = (...numbers: number[]) => {
  const left = [...numbers];
  return () => left.shift() ?? 0;
};

/** Listens at that address on a port of the range that is given to replicas. */
async function occupied(host: string): Promise<{ server: net.Server; port: number }> {
  for (let port = 20_000; ; port++) {
    const server = net.createServer().listen({ port, host });
    const isBound = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (isBound) return { server, port };
  }
}

t.test('a port that somebody listens on at either loopback address is not free', async (t) => {
  for (const host of ['127.0.0.1', '::1', '::']) {
    const { server, port } = await occupied(host);
    t.teardown(() => server.close());
    const offset = port - 20_000;
    // One of the next may be in use as well.
    const found = await freePort(inTurn(offset, offset, ...Array.from({ length: 50 }, (_, next) => offset + 1 + next)));
    t.ok(found > port && found <= port + 51, `${found} after ${port}`);
  }
});

t.test('if every port is in use, that is said', async (t) => {
  const { server, port } = await occupied('127.0.0.1');
  t.teardown(() => server.close());
  await t.rejects(
    freePort(() => port - 20_000),
    { message: 'of 100 ports tried from 20000 to 32767, all are in use' },
  );
});

t.test('it listens once it accepts a connection; giving up ends the wait with the reason', async (t) => {
  const { server, port } = await occupied('127.0.0.1');
  server.close();
  await once(server, 'close');
  const wanted = new AbortController();
  const waits = untilListens(loopbackAddresses(port), realClock, wanted.signal);
  const late = net.createServer().listen({ port, host: '127.0.0.1' });
  t.teardown(() => late.close());
  t.same(await waits, { type: 'tcp', host: '127.0.0.1', port });
  const never = untilListens([{ type: 'unix', path: '/nowhere.sock' }], realClock, wanted.signal);
  wanted.abort(new Error('enough'));
  await t.rejects(never, { message: 'enough' });
});
