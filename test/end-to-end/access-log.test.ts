// The access log of the real program: read by GoAccess, rotated by logrotate, over two workers as over one, and never
// waited for.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { constants, openSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { endWithUs } from '../../bench/harness/children.ts';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { exchangeRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

t.setTimeout(180_000);

const MAIN = fileURLToPath(new URL('../../lib/main.ts', import.meta.url));
const service = await scriptedReplica((socket, head) => {
  const [, path] = head.split(' ');
  if (path === '/missing') socket.write(reply('none').replace('200 OK', '404 Not Found'));
  else socket.write(reply('{}'));
});
t.teardown(() => service.close());

const missing = (command: string) =>
  spawnSync(command, ['--version'], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } }).error !==
    undefined && `${command} is not installed`;

async function started(t: Test, args: readonly string[]) {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-access-'));
  const file = join(directory, 'access.log');
  const own = ['--upstream', service.upstream, '--heartbeat-path', 'off', '--access-log-file', file];
  const program = await startProgram([...own, ...args]);
  t.teardown(async () => {
    await program.stop();
    await rm(directory, { recursive: true, force: true });
  });
  return { program, file, directory };
}

const linesIn = async (file: string) => (await readFile(file, 'latin1').catch(() => '')).split('\n').slice(0, -1);

/** Resolves when the file has that many lines. */
async function grown(file: string, count: number): Promise<string[]> {
  for (;;) {
    const lines = await linesIn(file);
    if (lines.length >= count) return lines;
    await sleep(20);
  }
}

/** Asks so often, over several connections, and reads the answers. */
async function ask({ url }: Program, count: number, path = '/'): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const answer = await fetch(`${url}${path}`, {
        headers: { connection: index % 2 === 0 ? 'close' : 'keep-alive' },
      });
      await answer.text();
    }),
  );
}

/** Requests of all kinds, those that are no requests included. Returns how many. */
async function askAll({ url, port }: Program): Promise<number> {
  const agents = ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'a "b" \\c', 'x] [y'];
  for (const agent of agents) {
    await (
      await fetch(`${url}/page?q=a%20b&c="d"`, { headers: { 'User-Agent': agent, Referer: 'http://a/"x"' } })
    ).text();
  }
  await (await fetch(`${url}/missing`)).text();
  await (await fetch(`${url}/rep`)).text();
  await (await fetch(url, { method: 'POST', body: 'body' })).text();
  const raw = [
    'nonsense\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    'HEAD / HTTP/1.0\r\nHost: x\r\nUser-Agent: caf\xe9\x01\r\n\r\n',
    'GET /caf\xe9 HTTP/1.1\r\nHost: x\r\nUser-Agent: \xff\x80\r\nConnection: close\r\n\r\n',
    'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n',
    'GET / RTSP/1.0\r\nHost: x\r\n\r\n',
    'TRACE / HTTP/1.1\r\nHost: x\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n',
  ];
  for (const one of raw) await exchangeRaw(port, one);
  return agents.length + 3 + raw.length;
}

t.test(
  'GoAccess reads the combined form: all lines, and counts what was asked',
  { skip: missing('goaccess') },
  async (t) => {
    const { program, file } = await started(t, ['--access-log', 'all', '--access-log-format', 'combined']);
    const asked = await askAll(program);
    await ask(program, 100, '/many');
    const lines = await grown(file, asked + 100);
    t.equal(lines.length, asked + 100);
    const args = [file, '--log-format=COMBINED', '-o', 'json', '--no-global-config', '--ignore-crawlers=false'];
    const { stdout, stderr, status } = spawnSync('goaccess', args.slice(0, -1), { encoding: 'utf8' });
    t.equal(status, 0, stderr);
    const { general, requests, status_codes: codes } = JSON.parse(stdout);
    t.match(general, { total_requests: asked + 100, valid_requests: asked + 100, failed_requests: 0 });
    t.ok(
      requests.data.some(
        ({ data, hits }: { data: string; hits: { count: number } }) => data === '/many' && hits.count === 100,
      ),
    );
    const withStatus = (status: number) => lines.filter((line) => line.includes(`" ${status} `)).length;
    for (const { data, hits } of codes.data.flatMap(({ items }: { items: unknown[] }) => items)) {
      t.equal(hits.count, withStatus(Number.parseInt(data, 10)), data);
    }
  },
);

for (const workers of ['1', '2']) {
  t.test(`each request has its line, which is JSON, with ${workers} worker(s)`, async (t) => {
    const { program, file } = await started(t, ['--access-log', 'all', '--workers', workers, '--traceparent', 'begin']);
    const asked = await askAll(program);
    await ask(program, 500);
    await grown(file, asked + 500);
    await program.stop();
    const lines = (await linesIn(file)).map((line) => JSON.parse(line));
    t.equal(lines.length, asked + 500);
    t.equal(new Set(lines.map(({ requestId }) => requestId)).size, lines.length, 'each has its id');
    const traces = lines.filter(({ status }) => status === 200).map(({ traceparent }) => traceparent);
    t.equal(new Set(traces).size, traces.length, 'and its trace');
    t.match(
      lines.find(({ target }) => target === '/rep'),
      { ended: 'own', status: 200, client: '127.0.0.1', bytesOut: /^[1-9]/, replica: null },
    );
  });

  t.test(`with ${workers} worker(s), what was asked last is in the file when the program has ended`, async (t) => {
    const { program, file } = await started(t, ['--access-log', 'all', '--workers', workers]);
    await ask(program, 50);
    await program.stop();
    t.equal((await linesIn(file)).length, 50);
  });
}

t.test(
  'logrotate renames the file and tells the program: no line is lost',
  { skip: missing('logrotate') },
  async (t) => {
    const { program, file, directory } = await started(t, ['--access-log', 'all', '--workers', '2']);
    const config = join(directory, 'logrotate.conf');
    await writeFile(
      config,
      `${file} {\n  rotate 9\n  nocompress\n  missingok\n  su root root\n  postrotate\n    kill -USR1 ${program.pid}\n  endscript\n}\n`,
      { mode: 0o644 },
    );
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
    let asked = 0;
    for (let round = 1; round <= 3; round++) {
      await ask(program, 100);
      asked += 100;
      // Lines wait for each other for a moment, and may also come after the file was renamed.
      await grown(file, 1);
      const reopened = program.log.filter(({ event }) => event === 'access-log-reopened').length;
      const rotated = spawnSync('logrotate', ['--force', '--state', `${config}.state`, config], {
        env,
        encoding: 'utf8',
      });
      t.equal(rotated.status, 0, rotated.stderr);
      await program.logged(
        ({ event }) =>
          event === 'access-log-reopened' &&
          program.log.filter((line) => line.event === 'access-log-reopened').length > reopened,
      );
    }
    await ask(program, 100);
    asked += 100;
    await program.stop();
    const files = [file, `${file}.1`, `${file}.2`, `${file}.3`];
    const counts = await Promise.all(files.map(async (one) => (await linesIn(one)).length));
    t.equal(
      counts.reduce((sum, count) => sum + count),
      asked,
      `${counts}`,
    );
    t.ok(
      counts.every((count) => count > 0),
      `${counts}`,
    );
  },
);

t.test('a file that cannot be opened ends the program before it starts anything, and says why', async (t) => {
  const args = ['--port', '0', '--access-log', 'all', '--access-log-file', '/none/access.log'];
  const child = endWithUs(spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'ignore', 'pipe'] }));
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  t.equal(code, 1);
  t.match(said, /ringmaster: --access-log-file cannot be opened: ENOENT.*\/none\/access\.log/);
  t.notMatch(said, /replica-starting/);
});

t.test('without an access log no file is made, and SIGUSR1 does nothing', async (t) => {
  const { program, file } = await started(t, []);
  program.process.kill('SIGUSR1');
  await ask(program, 10);
  program.process.kill('SIGUSR1');
  await ask(program, 1);
  await program.stop();
  t.equal(await program.exited, 0);
  await t.rejects(readFile(file), { code: 'ENOENT' });
  t.notOk(program.log.some(({ event }) => event.startsWith('access-log')));
});

for (const workers of ['1', '2']) {
  t.test(`a reader that stalls delays nobody, with ${workers} worker(s)`, { skip: missing('mkfifo') }, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'ringmaster-access-'));
    const pipe = join(directory, 'pipe');
    spawnSync('mkfifo', [pipe]);
    // It is open, and nobody reads.
    openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const own = ['--upstream', service.upstream, '--heartbeat-path', 'off', '--workers', workers];
    const program = await startProgram([...own, '--access-log', 'all', '--access-log-file', pipe]);
    t.teardown(async () => {
      await program.stop();
      await rm(directory, { recursive: true, force: true });
    });
    // Of each worker a mebibyte waits, and the pipe takes 64 KiB.
    const dropped = program.logged(({ event, file }) => event === 'log-lines-dropped' && file === pipe);
    const path = `/${'x'.repeat(10_000)}`;
    let isOver = false;
    void dropped.then(() => {
      isOver = true;
    });
    while (!isOver) await ask(program, 50, path);
    t.ok((await dropped).count);
    await ask(program, 50);
    program.process.kill('SIGTERM');
    t.equal(await program.exited, 0, 'and the program ends in order');
  });
}

t.test('`-` is standard output, in whole lines', async (t) => {
  const own = ['--upstream', service.upstream, '--heartbeat-path', 'off', '--access-log', 'all'];
  const program = await startProgram(own);
  t.teardown(() => program.stop());
  await ask(program, 200);
  await program.stop();
  const lines = program
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{"time"'));
  t.equal(lines.map((line) => JSON.parse(line).status).filter((status) => status === 200).length, 200);
});
