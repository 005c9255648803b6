import net from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { beginPeer, haproxy, unlessInstalled } from '../../bench/harness/peers.ts';
import { startProgram } from '../../bench/harness/program.ts';
import { eventually } from '../fixtures/eventually.ts';
import { exchangeRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

t.test('HTTP/1.0 without a Host is served by our own replicas, which listen on sockets without a name', async (t) => {
  const program = await startProgram(['--replicas', '1']);
  t.teardown(() => program.stop());
  t.match(await exchangeRaw(program.port, 'GET /home HTTP/1.0\r\n\r\n'), /^HTTP\/1.1 200 .*Hello from Server/s);
  t.match(await exchangeRaw(program.port, 'OPTIONS / HTTP/1.0\r\n\r\n'), /^HTTP\/1.1 200 .*\r\nAllow: GET\r\n/s);
});

t.test('a path that replicas do not have: found out at once, told in words, exit code 1, nothing left', async (t) => {
  // With a start timeout of an hour, the test ends only if the answer itself is the verdict.
  const begun = startProgram(['--heartbeat-path', '/health', '--start-timeout', '1h']);
  const words =
    'no replica came up: it answers 400 to /health: is it there, for that Host\\? --heartbeat-path / or tcp';
  await t.rejects(begun, { message: new RegExp(`ended with 1: .*\nringmaster: ${words}`, 's') });
});

t.test('an added one that does not have the path: /add says so at once, and adds nothing', async (t) => {
  const program = await startProgram([...['--replicas', '0', '--heartbeat-path', '/health', '--start-timeout', '1h']]);
  t.teardown(() => program.stop());
  const added = await program.json('/add', { method: 'POST', body: '{"n":1,"hostnames":["app"]}' });
  t.match(added, {
    status: 503,
    body: { message: /^<Error> app did not come up: it answers 400 to \/health: .*; nothing was added$/ },
  });
  t.match(await program.logged((line) => line.event === 'replica-lost'), {
    hostname: 'app',
    reason: /^it answers 400 to \/health: is it there/,
  });
  t.same(await program.hostnames(), []);
});

t.test('HAProxy’s `option httpchk` as it comes finds us up', { skip: unlessInstalled('haproxy') }, async (t) => {
  // The replica insists on a Host field, as every HTTP/1.1 server does.
  const replica = await scriptedReplica((socket, head) =>
    socket.write(/\r\nHost: [\w.]+:\d+\r\n/.test(head) ? reply('') : reply('', '', '400 Bad Request')),
  );
  const program = await startProgram(['--upstream', replica.upstream, '--heartbeat-path', 'off']);
  const checker = await beginPeer(
    haproxy(
      ({ directory }) => `global
  stats socket ${directory}/stats
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
backend checked
  option httpchk
  server balancer 127.0.0.1:${program.port} check inter 100ms`,
    ),
    {},
  );
  t.teardown(async () => {
    await checker.stop();
    await program.stop();
    await replica.close();
  });
  let state: string | undefined;
  await eventually('HAProxy has found something', async () => {
    state = await checkStatus(join(checker.directory, 'stats'));
    return state !== undefined && state !== 'INI';
  });
  t.equal(state, 'L7OK');
});

// The check status of HAProxy's only server; `undefined` while its socket does not exist.
function checkStatus(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect(path, () => socket.write('show stat\n'));
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes;
    });
    socket.on('error', () => resolve(undefined));
    socket.on('close', () => {
      const [names = [], ...rows] = text.split('\n').map((line) => line.split(','));
      const row = rows.find(([, server]) => server === 'balancer');
      resolve(row?.[names.indexOf('check_status')]?.replace(/^\* /, '') || undefined);
    });
  });
}
