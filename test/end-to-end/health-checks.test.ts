import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { startProgram } from '../fixtures/program.ts';
import { exchangeRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const HAPROXY = '/usr/sbin/haproxy';

t.test('HTTP/1.0 without a Host is served by our own replicas, which listen on sockets without a name', async (t) => {
  const program = await startProgram(['--replicas', '1']);
  t.teardown(() => program.stop());
  t.match(await exchangeRaw(program.port, 'GET /home HTTP/1.0\r\n\r\n'), /^HTTP\/1.1 200 .*Hello from Server/s);
  t.match(await exchangeRaw(program.port, 'OPTIONS / HTTP/1.0\r\n\r\n'), /^HTTP\/1.1 200 .*\r\nAllow: GET\r\n/s);
});

t.test(
  'HAProxy’s `option httpchk` as it comes finds us up',
  { skip: existsSync(HAPROXY) ? false : 'HAProxy is not installed' },
  async (t) => {
    // Strict about Host, as every server of HTTP/1.1 is.
    const replica = await scriptedReplica((socket, head) =>
      socket.write(/\r\nHost: [\w.]+:\d+\r\n/.test(head) ? reply('') : reply('', '', '400 Bad Request')),
    );
    const program = await startProgram(['--upstream', replica.upstream, '--heartbeat-path', 'off']);
    const dir = await mkdtemp(join(tmpdir(), 'httpchk-'));
    const socket = join(dir, 'stats');
    await writeFile(
      join(dir, 'haproxy.cfg'),
      `global
  stats socket ${socket}
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
backend checked
  option httpchk
  server balancer 127.0.0.1:${program.port} check inter 100ms
`,
    );
    const haproxy = spawn(HAPROXY, ['-db', '-f', join(dir, 'haproxy.cfg')], { stdio: 'ignore' });
    t.teardown(async () => {
      haproxy.kill();
      await once(haproxy, 'exit');
      await program.stop();
      await replica.close();
      await rm(dir, { recursive: true, force: true });
    });
    let state: string | undefined;
    while (state === undefined || state === 'INI') {
      await pause(20);
      state = await checkStatus(socket);
    }
    t.equal(state, 'L7OK');
  },
);

// Of HAProxy's only server; `undefined` as long as its socket is not there.
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
