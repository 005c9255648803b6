// As a service of systemd: its own programs check the unit files, open the socket, and send what it is told.

import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { freePort } from '../../bench/harness/ports.ts';
import { takeNotify, takeSockets } from '../../lib/system/service-manager.ts';

const run = promisify(execFile);
const script = new URL('../../lib/main.ts', import.meta.url).pathname;
const UNITS = ['ringmaster.service', 'ringmaster.socket'];
const has = (program: string) => spawnSync('which', [program]).status === 0;
const skip = (...programs: string[]) => {
  const missing = programs.filter((program) => !has(program));
  return missing.length > 0 && `${missing.join(', ')} not installed`;
};

t.test('sockets are those that were opened for this very process', async (t) => {
  const environment = { LISTEN_PID: '7', LISTEN_FDS: '2', LISTEN_FDNAMES: 'a:b', PATH: '/bin' };
  t.same(takeSockets({ ...environment }, 7), [3, 4]);
  t.same(takeSockets({ ...environment }, 8), []);
  t.same(takeSockets({ ...environment, LISTEN_FDS: 'many' }, 7), []);
  t.same(takeSockets({}, 7), []);
  const taken = { ...environment };
  takeSockets(taken, 7);
  t.same(taken, { PATH: '/bin' }, 'replicas see nothing of it');
});

t.test('systemd finds no fault in the unit files', { skip: skip('systemd-analyze') }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-units-'));
  t.teardown(() => rm(directory, { recursive: true }));
  for (const unit of UNITS)
    await copyFile(new URL(`../../scripts/systemd/${unit}`, import.meta.url), join(directory, unit));
  const service = join(directory, 'ringmaster.service');
  const { stdout, stderr } = await run('systemd-analyze', [
    'verify',
    '--man=no',
    ...UNITS.map((unit) => join(directory, unit)),
  ]);
  t.equal(
    `${stdout}${stderr}`
      .split('\n')
      .filter((line) => line.includes(directory))
      .join('\n'),
    '',
  );
  // 10 is a service that may do everything.
  await run('systemd-analyze', ['security', '--offline=yes', '--threshold=30', service]);
  t.pass('it is exposed by less than 3.0');
});

t.test('it serves on a socket that systemd has opened', { skip: skip('systemd-socket-activate') }, async (t) => {
  const port = await freePort();
  const at = `127.0.0.1:${port}`;
  const { program, ended, said } = await activated(t, at);
  // It is started by the first connection, which waits until it serves.
  const reply = await fetch(`http://${at}/home`);
  t.equal(reply.status, 200);
  await said(`ringmaster listens on http://${at}`);
  program.kill('SIGTERM');
  t.same(await ended, [0, null]);
});

t.test(
  'a socket that is open to the network is no place for changes without a token, whatever --host says',
  {
    skip: skip('systemd-socket-activate'),
  },
  async (t) => {
    const port = await freePort();
    for (const [at, isOpen] of [
      [`0.0.0.0:${port}`, true],
      [`[::]:${port}`, true],
      [`127.0.0.1:${port}`, false],
      [`[::1]:${port}`, false],
    ] as const) {
      const { program, ended, said } = await activated(t, at);
      const url = `http://${at.startsWith('[') ? '[::1]' : '127.0.0.1'}:${port}`;
      t.equal((await fetch(`${url}/home`)).status, 200, at);
      await said('ringmaster listens on');
      const change = () => fetch(`${url}/add?dry-run`, { method: 'POST', body: '{"n": 1}' });
      t.equal((await change()).status, isOpen ? 401 : 200, at);
      if (!isOpen) {
        const { stdout } = await run(process.execPath, [
          script,
          'upgrade',
          '--port',
          String(port),
          '--host',
          url.slice(7, url.lastIndexOf(':')),
        ]).catch(() => ({ stdout: '' }));
        const [, next] = /process (\d+) has taken over/.exec(stdout) ?? [];
        if (next !== undefined) {
          t.equal((await change()).status, 200, `${at}, after an upgrade`);
          process.kill(Number(next), 'SIGTERM');
        } else program.kill('SIGTERM');
      } else program.kill('SIGTERM');
      await ended;
    }
  },
);

t.test('with several workers its sockets are refused before a replica is started', async (t) => {
  const command = `LISTEN_FDS=1 LISTEN_PID=$$ exec "${process.execPath}" "${script}" --workers 2`;
  const { status, stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8' });
  t.equal(status, 1);
  t.match(stderr, /ringmaster: sockets that somebody else has opened \(LISTEN_FDS\) take --workers 1/);
  t.notMatch(stderr, /replica-starting/);
});

t.test('a socket that is none is refused in words', { skip: skip('systemd-socket-activate') }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-socket-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const path = join(directory, 'unix.sock');
  const { ended, said } = await activated(t, path);
  spawn('python3', ['-c', `import socket; socket.socket(socket.AF_UNIX).connect(${JSON.stringify(path)})`]);
  await said('descriptor 3 is no TCP socket');
  t.same(await ended, [1, null]);
});

t.test('systemd is told when it serves, and when it ends', { skip: skip('systemd-notify', 'python3') }, async (t) => {
  const { path, heard } = await notifySocket(t);
  const program = spawn(process.execPath, [script, '--port', '0'], {
    env: { ...process.env, NOTIFY_SOCKET: path },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => program.kill('SIGKILL'));
  await heard('READY=1');
  await heard('STATUS=listens on port ');
  program.kill('SIGTERM');
  await heard('STOPPING=1');
});

t.test('after an upgrade systemd knows the new process', { skip: skip('systemd-notify', 'python3') }, async (t) => {
  const { path, heard } = await notifySocket(t);
  const port = await freePort();
  const program = spawn(process.execPath, [script, '--port', String(port), '--grace', '1s'], {
    env: { ...process.env, NOTIFY_SOCKET: path },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => program.kill('SIGKILL'));
  await heard('READY=1');
  const ended = once(program, 'exit');
  const { stdout } = await run(process.execPath, [script, 'upgrade', '--port', String(port)]);
  const [, next = ''] = /process (\d+) has taken over/.exec(stdout) ?? [];
  t.teardown(() => process.kill(Number(next), 'SIGKILL'));
  await heard(`MAINPID=${next}`);
  await heard(`STATUS=has taken over from process ${program.pid}`);
  t.same(await ended, [0, null]);
  process.kill(Number(next), 'SIGTERM');
  await heard('STOPPING=1');
});

t.test('sockets that systemd has opened are passed on', { skip: skip('systemd-socket-activate') }, async (t) => {
  const port = await freePort();
  const at = `127.0.0.1:${port}`;
  const { program, said } = await activated(t, at);
  t.equal((await fetch(`http://${at}/home`)).status, 200);
  await said(`ringmaster listens on http://${at}`);
  const { stdout } = await run(process.execPath, [script, 'upgrade', '--port', String(port)]);
  t.match(stdout, /: 3 replicas, 1 socket\n/);
  const [, next = ''] = /process (\d+) has taken over/.exec(stdout) ?? [];
  t.teardown(() => process.kill(Number(next), 'SIGKILL'));
  t.not(Number(next), program.pid);
  t.equal((await fetch(`http://${at}/home`)).status, 200);
});

t.test('that systemd could not be told is said', async (t) => {
  const environment = { NOTIFY_SOCKET: '/nowhere', PATH: '/nowhere' };
  const reason = await new Promise<string>((resolve) => takeNotify(environment, resolve)('READY=1'));
  t.match(reason, /systemd-notify/);
  t.same(environment, { PATH: '/nowhere' });
});

/** The program, which is started by the first connection to a socket that systemd opens there. */
async function activated(t: Test, at: string) {
  const program = spawn('systemd-socket-activate', ['-l', at, process.execPath, script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(program, 'exit');
  t.teardown(() => program.kill('SIGKILL'));
  const said = reader(program);
  await said('Listening on');
  return { program, ended, said };
}

/** Resolves when what is asked for has been written. */
function reader(program: ChildProcess): (text: string) => Promise<void> {
  let all = '';
  const waits = new Set<() => void>();
  for (const stream of [program.stdout, program.stderr]) {
    stream?.setEncoding('utf8').on('data', (piece: string) => {
      all += piece;
      for (const look of waits) look();
    });
  }
  return (text) =>
    new Promise((resolve) => {
      const look = () => {
        if (!all.includes(text)) return;
        waits.delete(look);
        resolve();
      };
      waits.add(look);
      look();
    });
}

// Node has no Unix datagram sockets.
async function notifySocket(t: Test): Promise<{ path: string; heard: (text: string) => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-notify-'));
  const path = join(directory, 'notify.sock');
  const script = join(directory, 'listen.py');
  await writeFile(
    script,
    `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound', flush=True)
while True: print(s.recv(4096).decode(), flush=True)
`,
  );
  const listener = spawn('python3', [script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(async () => {
    listener.kill('SIGKILL');
    await rm(directory, { recursive: true });
  });
  const heard = reader(listener);
  await heard('bound');
  return { path, heard };
}
