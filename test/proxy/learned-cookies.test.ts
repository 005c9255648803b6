// Cookies of the application: whoever has set one keeps its client.

import t, { type Test } from 'tap';
import { routeTo, startProxy, tcp } from '../fixtures/proxy.ts';
import { connectRaw, exchangeRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const NAMES = ['one', 'two'];
const ROUTES = (ports: readonly number[]) => ports.map((port, index) => routeTo(index + 1, tcp(port)));

/** Two replicas, of which the first one comes first for whatever is not learned. */
async function played(t: Test) {
  const replicas = await Promise.all(
    NAMES.map((name) =>
      scriptedReplica((socket, head) => {
        const cookie = /^GET \/set\/(\S*)/.exec(head)?.[1];
        const fields = cookie === undefined ? '' : `Set-Cookie: other=1\r\nset-cookie: sid=${cookie}; Path=/\r\n`;
        if (head.includes('Upgrade: ')) {
          socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n${fields}\r\n`);
        } else socket.write(reply(name, fields));
      }),
    ),
  );
  const proxy = await startProxy(
    replicas.map(({ port }) => tcp(port)),
    { explainHeader: true },
    [{ type: 'learn', name: 'sid' }],
  );
  t.teardown(() => Promise.all([proxy.close(), ...replicas.map((replica) => replica.close())]));
  const ask = async (path: string, fields = '') => {
    const got = await exchangeRaw(proxy.port, `GET ${path} HTTP/1.1\r\nHost: x\r\n${fields}Connection: close\r\n\r\n`);
    return { by: got.split('\r\n\r\n')[1], route: /X-Ringmaster-Route: ([^\r]*)/.exec(got)?.[1], got };
  };
  const routes = ROUTES(replicas.map(({ port }) => port));
  const publish = (order: number[], seats = [1, 2]) =>
    proxy.publish({ order, routes: routes.filter(({ replica }) => seats.includes(replica.seat)) });
  return { proxy, ask, publish };
}

t.test('who sets the cookie gets what comes with it, and comes before the ring', async (t) => {
  const { ask, publish } = await played(t);
  await publish([2, 1]);
  t.equal((await ask('/set/a')).by, 'two');
  await publish([1, 2]);
  t.equal((await ask('/')).by, 'one');
  const { by, route } = await ask('/', 'Cookie: sid=a\r\n');
  t.equal(by, 'two');
  t.match(route, /^key="learn:cookie=sid", slot=\d+, owner="server2", replica="server2"$/);
  t.equal((await ask('/', 'Cookie: sid=b\r\n')).by, 'one', 'one that nobody has set goes by the ring');
  const explained = await ask('/', 'Cookie: sid=a\r\nX-Ringmaster-Explain: 1\r\n');
  t.match(explained.got, /X-Ringmaster-Owner: server2\r\n.*X-Ringmaster-Order: server2, server1\r\n/s);
});

t.test('who sets it anew keeps it from then on, and nothing is learned of what is no value', async (t) => {
  const { ask, publish } = await played(t);
  await publish([2, 1]);
  for (const cookie of ['a', '""', '']) await ask(`/set/${cookie}`);
  await publish([1, 2]);
  t.equal((await ask('/', 'Cookie: sid=""\r\n')).by, 'one');
  t.equal((await ask('/set/a')).by, 'one');
  t.equal((await ask('/', 'Cookie: sid=a\r\n')).by, 'one');
});

t.test(
  'while that seat takes no requests they go by the ring, and the reply says why; then they are back',
  async (t) => {
    const { ask, publish } = await played(t);
    await publish([2, 1]);
    await ask('/set/a');
    await publish([1, 2], [1]);
    const { by, route } = await ask('/', 'Cookie: sid=a\r\n');
    t.equal(by, 'one');
    t.match(route, /owner="server2", replica="server1", why=absent$/);
    await publish([1, 2]);
    t.equal((await ask('/', 'Cookie: sid=a\r\n')).by, 'two');
  },
);

t.test('a switch of protocols may set it', async (t) => {
  const { proxy, ask, publish } = await played(t);
  await publish([2, 1]);
  const client = await connectRaw(proxy.port);
  client.send('GET /set/a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n');
  await client.until(/set-cookie: sid=a/);
  client.socket.destroy();
  await publish([1, 2]);
  t.equal((await ask('/', 'Cookie: sid=a\r\n')).by, 'two');
});
