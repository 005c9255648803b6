// Connections to replicas that take their time, and replicas that close theirs without a word.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { platform } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { pythonMissing, startHttpServer } from '../fixtures/http-server.ts';
import { played } from '../fixtures/played.ts';
import { startProxy, tcp } from '../fixtures/proxy.ts';
import { connectRaw, exchangeRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const GET = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
const skip =
  platform() === 'linux' ? (pythonMissing() ?? false) : 'what becomes of a SYN is told by the /proc of Linux';

/**
 * A service with room for one connection in its backlog, which is taken: SYNs are dropped until it begins to accept.
 */
async function fullService(t: Test) {
  const program = `
import socket, sys
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen(0)
print(listener.getsockname()[1], flush=True)
sys.stdin.readline()
while True:
    connection, _ = listener.accept()
    connection.settimeout(5)
    if connection.recv(65536) != b'':
        connection.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nserved')
    connection.close()
`;
  const child = spawn('python3', ['-c', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  const port = Number((await once(child.stdout, 'data'))[0]);
  const first = await connectRaw(port);
  first.socket.end();
  return { port, accept: () => child.stdin.write('\n') };
}

/** A connection to that port has sent its SYN and has no answer. */
function isConnecting(port: number): boolean {
  const remote = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} 02`;
  return readFileSync('/proc/net/tcp', 'utf8').includes(remote);
}

t.test('one lost SYN does not matter', { skip }, async (t) => {
  const { port, accept } = await fullService(t);
  const proxy = await startProxy([tcp(port)]);
  t.teardown(() => proxy.close());
  const answer = exchangeRaw(proxy.port, GET);
  // What the system does with a SYN tells nobody: it can only be looked at, now and then.
  while (!isConnecting(port)) await sleep(5);
  accept();
  t.match(await answer, /served$/, 'the next one is sent after a second');
});

t.test('a host that hangs is suspected after a second, and its request goes elsewhere in time', { skip }, async (t) => {
  const { port } = await fullService(t);
  const second = await scriptedReplica((socket) => socket.write(reply('second')));
  const proxy = await startProxy([tcp(port), tcp(second.port)], { connectTimeoutMs: 2500 });
  t.teardown(() => Promise.all([proxy.close(), second.close()]));
  const startedMs = performance.now();
  const suspected = new Promise<void>((resolve) => proxy.proxy.watch(() => resolve()));
  const answer = exchangeRaw(proxy.port, GET);
  // The times of a connect are timers of its socket: they follow the system’s, which sends a SYN again after a second.
  await suspected;
  t.same(proxy.suspects, [1]);
  t.equal(second.received.length, 0, 'it is still waited for');
  t.match(await answer, /second$/);
  t.ok(performance.now() - startedMs > 2400);
});

t.test('a refused connection is not waited for', async (t) => {
  const gone = await scriptedReplica(() => undefined);
  await gone.close();
  const proxy = await startProxy([tcp(gone.port)], { connectTimeoutMs: 3_600_000 });
  t.teardown(() => proxy.close());
  t.match(await exchangeRaw(proxy.port, GET), /^HTTP\/1.1 503 .*could not be reached: connect ECONNREFUSED/s);
});

t.test('with --replica-keep-alive off each request has a connection of its own, and says so', async (t) => {
  const { replica, proxy } = await played(t, { replicaKeepAlive: false }, (socket, head) => {
    if (head.includes('Upgrade')) {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\nopen');
    } else socket.write(reply('ok'));
  });
  const client = await connectRaw(proxy.port);
  for (let count = 1; count <= 3; count++) {
    client.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi');
    await client.until((text) => text.split('\r\n\r\nok').length === count + 1);
  }
  t.equal(replica.received.length, 3);
  for (const text of replica.received) t.match(text, /\r\nConnection: close\r\n\r\nhi$/);
  t.equal(replica.received.join('').match(/connection:/gi)?.length, 3);
  t.notMatch(client.text, /connection: close/i, 'which is nothing to the client');
  client.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n');
  await client.until(/open$/);
  t.match(replica.received[3], /\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n$/);
  client.socket.destroy();
});

t.test(
  'a real http.server that closes without a word after each reply',
  { skip: pythonMissing() ?? false },
  async (t) => {
    const port = await startHttpServer(
      t,
      `
    def do_POST(self):
        self.rfile.read(int(self.headers['Content-Length']))
        self.say(200, 'served')
        self.close_connection = True
`,
    );
    const proxy = await startProxy([tcp(port)], { replicaKeepAlive: false });
    t.teardown(() => proxy.close());
    const clients = await Promise.all(Array.from({ length: 4 }, () => connectRaw(proxy.port)));
    for (let count = 1; count <= 50; count++) {
      await Promise.all(
        clients.map((client) => {
          client.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi');
          return client.until((text) => text.split('HTTP/1.1 ').length === count + 1 && text.endsWith('served'));
        }),
      );
    }
    for (const { text, socket } of clients) {
      t.equal(text.match(/HTTP\/1.1 200/g)?.length, 50);
      socket.destroy();
    }
  },
);
