// X-Ringmaster-Route, the receipt that every reply has with --explain-header.

import t, { type Test } from 'tap';
import { keySources } from '../../lib/settings/lists/kinds.ts';
import type { Options } from '../../lib/settings/options.ts';
import { routeTo, startProxy, tcp } from '../fixtures/proxy.ts';
import { connectRaw, exchangeRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

async function played(t: Test, key: string, options: Partial<Options> = {}) {
  const replicas = await Promise.all(
    ['one', 'two'].map((name) =>
      scriptedReplica((socket, head) => {
        if (head.includes('/lost') && name === 'one') socket.destroy();
        else if (head.includes('Upgrade: '))
          socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n');
        else if (!head.includes('/held')) socket.write(reply(name));
      }),
    ),
  );
  const addresses = replicas.map(({ port }) => tcp(port));
  const proxy = await startProxy(addresses, { explainHeader: true, ...options }, keySources.read(key));
  t.teardown(() => Promise.all([proxy.close(), ...replicas.map((replica) => replica.close())]));
  const ask = async (path = '/', fields = '') => {
    const got = await exchangeRaw(proxy.port, `GET ${path} HTTP/1.1\r\nHost: x\r\n${fields}Connection: close\r\n\r\n`);
    return /\r\nX-Ringmaster-Route: ([^\r]*)/.exec(got)?.[1];
  };
  return { proxy, replicas, addresses, ask };
}

t.test('it names the source of the key, its slot, whose that is, and who replied', async (t) => {
  const { ask } = await played(t, 'cookie:s,header:x+path:1');
  t.equal(await ask('/', 'Cookie: s=1\r\n'), 'key="cookie:s", slot=0, owner="server1", replica="server1"');
  t.equal(await ask('/a', 'x: y\r\n'), 'key="header:x+path:1", slot=0, owner="server1", replica="server1"');
  t.equal(await ask(), 'key="request", slot=0, owner="server1", replica="server1"');
});

t.test('it says why the owner did not reply', async (t) => {
  const { proxy, addresses, ask } = await played(t, 'header:x', { maxInFlight: 1 });
  const elsewhere = (why: string) => `key="header:x", slot=0, owner="server1", replica="server2", why=${why}`;
  t.equal(await ask('/lost', 'x: y\r\n'), elsewhere('tried'));
  const held = await connectRaw(proxy.port);
  held.send('GET /held HTTP/1.1\r\nHost: x\r\nx: y\r\n\r\n');
  await proxy.publish({ order: [1, 2], routes: addresses.map((address, index) => routeTo(index + 1, address)) });
  while (proxy.proxy.ledger.inFlight === 0) await new Promise((resolve) => setImmediate(resolve));
  t.equal(await ask('/', 'x: y\r\n'), elsewhere('busy'));
  held.socket.destroy();
  const [one, two] = addresses.map((address, index) => routeTo(index + 1, address));
  if (one === undefined || two === undefined) throw new Error('two replicas');
  await proxy.publish({ order: [1, 2], routes: [{ ...one, suspected: true }, two] });
  t.equal(await ask('/', 'x: y\r\n'), elsewhere('suspected'));
  await proxy.publish({ order: [1, 2], routes: [two] });
  t.equal(await ask('/', 'x: y\r\n'), elsewhere('absent'));
});

t.test('a switch of protocols has it, an error of the balancer and a plain reply do not', async (t) => {
  const { proxy, ask } = await played(t, 'header:x');
  const client = await connectRaw(proxy.port);
  client.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n');
  t.match(await client.until(/\r\n\r\n/), /\r\nX-Ringmaster-Route: key="request", /);
  client.socket.destroy();
  await proxy.publish({ order: [1, 2], routes: [] });
  t.equal(await ask(), undefined);
  const { ask: plain } = await played(t, 'header:x', { explainHeader: false });
  t.equal(await plain(), undefined);
});

t.test('what is no text of a structured field is made one', async (t) => {
  const { ask } = await played(t, 'cookie:a"\\é');
  t.equal(await ask('/', 'Cookie: a"\\é=1\r\n'), 'key="cookie:a\\"\\\\?", slot=0, owner="server1", replica="server1"');
});
