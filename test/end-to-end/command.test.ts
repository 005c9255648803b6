// Programs that know nothing of us as replicas of the real program: they are started by a command, survive a kill under
// load, are shown when they fail, and leave nothing behind.

import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { replicaPid } from '../../bench/harness/faults.ts';
import { unlessInstalled } from '../../bench/harness/peers.ts';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { eventually } from '../fixtures/eventually.ts';

t.setTimeout(300_000);

const MAIN = fileURLToPath(new URL('../../lib/main.ts', import.meta.url));
const NODE_APP = `
const http = require('node:http');
const { PORT, SERVER_ID } = process.env;
http.createServer((request, response) => response.end(SERVER_ID)).listen(PORT, () => console.log('up as', SERVER_ID));
`;
// gunicorn and http.server send a head and its body one after the other. A kill between the two cuts a reply that has
// begun, which nobody can repeat: so their pages are empty.
const WSGI_APP = `
def app(environment, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', '0')])
    return []
`;

const FLASK_APP = `
from flask import Flask
app = Flask(__name__)
@app.get('/')
def page():
    return ''
`;
// They are packages of this checkout, and their apps are elsewhere.
const load = `createRequire(${JSON.stringify(fileURLToPath(import.meta.url))})`;
const FASTIFY_APP = `
import { createRequire } from 'node:module';
const app = ${load}('fastify')();
app.get('/', () => ({ pid: process.pid }));
await app.listen({ port: Number(process.env.PORT), host: process.env.HOST });
`;
// A session that this replica does not know is begun under the id that its signed cookie has, so that the cookie stays
// the key.
const EXPRESS_APP = `
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
const load = ${load};
const app = load('express')();
const genid = (request) => request.sessionID ?? randomUUID();
app.use(load('express-session')({ secret: 'x', resave: false, saveUninitialized: true, genid }));
app.get('/', (request, response) => {
  request.session.views = (request.session.views ?? 0) + 1;
  response.json({ views: request.session.views, server: process.env.SERVER_ID });
});
app.listen(process.env.PORT, process.env.HOST);
`;

const directory = mkdtempSync(join(tmpdir(), 'ringmaster-app-'));
t.teardown(() => rmSync(directory, { recursive: true }));
const file = (name: string, text: string) => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};
const app = file('app.cjs', NODE_APP);
file('wsgi.py', WSGI_APP);
file('flask_app.py', FLASK_APP);
const fastify = file('fastify.mjs', FASTIFY_APP);
const express = file('express.mjs', EXPRESS_APP);
file('index.html', '');
file('index.php', '<?php echo getenv("SERVER_ID");');

let marks = 0;

/** Starts the balancer. `left` gives the processes that its replicas have started, whatever became of their parents. */
async function start(t: Test, args: readonly string[], command: readonly string[]) {
  marks += 1;
  const mark = `RINGMASTER_TEST_MARK=${process.pid}-${marks}`;
  const options = ['--replica-cwd', directory, '--replica-env', mark, '--heartbeat-path', '/', ...args];
  // A busy machine may lose the first packet of a connection more than once.
  const patience = ['--connect-timeout', '30s', '--queue-timeout', '30s', '--start-timeout', '2m'];
  const program = await startProgram([...patience, ...options, '--', ...command]);
  t.teardown(() => program.stop());
  return { program, left: () => processesWith(mark) };
}

function processesWith(mark: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(mark);
    } catch {
      return false;
    }
  });
}

/** Sends GETs until the promise is resolved; gives how many there were, and those that failed. */
async function underLoad(program: Program, until: Promise<unknown>) {
  let isOver = false;
  let count = 0;
  const failed: string[] = [];
  const ask = async () => {
    while (!isOver) {
      const response = await fetch(`${program.url}/`).catch((error) => error);
      const text = await response.text?.();
      count += 1;
      if (response.status !== 200) failed.push(`${response.status ?? response} ${text}`);
    }
  };
  const asking = Promise.all(Array.from({ length: 4 }, ask));
  await until;
  isOver = true;
  await asking;
  return { count, failed };
}

// Debian's gunicorn runs on Debian's Python, which need not be the first on the PATH.
function unlessFlask(): string | false {
  const hasFlask = spawnSync('/usr/bin/python3', ['-c', 'import flask']).status === 0;
  return unlessInstalled('gunicorn') || (!hasFlask && 'Flask is not installed');
}

const HTTP_SERVER = ['python3', '-m', 'http.server', '{port}', '--bind', '127.0.0.1'];
for (const [name, skip, args, command] of [
  ['node on PORT', false, [], [process.execPath, app]],
  ['node on a socket in PORT', false, ['--replica-listen', 'socket'], [process.execPath, app]],
  ['node behind a shell', false, [], ['sh', '-c', '"$0" "$1" & wait', process.execPath, app]],
  ['python3 -m http.server', unlessInstalled('python3'), [], HTTP_SERVER],
  [
    'gunicorn on a port',
    unlessInstalled('gunicorn'),
    [],
    ['gunicorn', '-w', '2', '-b', '127.0.0.1:{port}', 'wsgi:app'],
  ],
  ['gunicorn on a socket', unlessInstalled('gunicorn'), [], ['gunicorn', '-b', 'unix:{socket}', 'wsgi:app']],
  ['gunicorn with Flask', unlessFlask(), [], ['gunicorn', '-b', '127.0.0.1:{port}', 'flask_app:app']],
  ['Fastify', false, [], [process.execPath, fastify]],
  ['Express', false, [], [process.execPath, express]],
  ['php -S', unlessInstalled('php'), [], ['php', '-S', '127.0.0.1:{port}']],
] as const) {
  t.test(`${name}: three of them survive a kill under load, and stop without a trace`, { skip }, async (t) => {
    const { program, left } = await start(t, ['--replica-output', 'off', ...args], command);
    t.same(await program.hostnames(), ['server1', 'server2', 'server3']);
    const pid = await replicaPid(program, 'server2');
    const replaced = async () => {
      process.kill(pid, 'SIGKILL');
      const { seat, incarnation } = await program.logged((line) => line.event === 'replica-lost');
      await program.logged(
        (line) => line.event === 'replica-serving' && line.seat === seat && line.incarnation !== incarnation,
      );
    };
    const { count, failed } = await underLoad(program, replaced());
    t.same(failed, [], `${count} requests`);
    t.ok(count > 0);
    t.equal((await program.hostnames()).length, 3);
    program.process.kill('SIGTERM');
    t.equal(await program.exited, 0);
    t.same(left(), []);
  });
}

t.test('Express with its sessions in memory: by its cookie, a session stays where it has begun', async (t) => {
  const { program } = await start(t, ['--key', 'cookie:connect.sid'], [process.execPath, express]);
  const servers = new Set<string>();
  for (let client = 0; client < 12; client++) {
    let cookie = '';
    const view = async () => {
      const reply = await fetch(`${program.url}/`, { headers: { cookie } });
      cookie = reply.headers.get('set-cookie')?.split(';')[0] ?? cookie;
      return (await reply.json()) as { views: number; server: string };
    };
    // Whoever answers the first request makes the cookie, which may then belong to another replica.
    await view();
    const { views, server } = await view();
    for (let more = 1; more <= 5; more++) t.same(await view(), { views: views + more, server });
    servers.add(server);
  }
  t.equal(servers.size, 3, 'sessions are spread');
});

t.test('kill -9 of the balancer: no program outlives it, nor what it has started', async (t) => {
  const { program, left } = await start(t, [], ['sh', '-c', '"$0" "$1" & sleep 600 & wait', process.execPath, app]);
  t.equal(left().length, 9, 'a shell, a server and a sleep for each');
  program.process.kill('SIGKILL');
  await program.exited;
  await eventually('all are gone', () => left().length === 0);
});

t.test('output comes line by line behind the hostname, or as it is, or not at all', async (t) => {
  const started = async (output: string) => {
    const { program } = await start(t, ['--replicas', '2', '--replica-output', output], [process.execPath, app]);
    await program.stop();
    return program.output().split('\n').sort();
  };
  const ups = (lines: string[]) => lines.filter((line) => line.includes('up as'));
  t.same(ups(await started('prefix')), ['server1 | up as server1', 'server2 | up as server2']);
  t.same(ups(await started('inherit')), ['up as server1', 'up as server2']);
  t.same(ups(await started('off')), []);
});

const run = async (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
  promisify(execFile)(process.execPath, [MAIN, '--port', '0', '--log', 'off', ...args]).then(
    (output) => ({ code: 0, ...output }),
    (error) => error,
  );

t.test('no such program: exit code 1 and one clear line', async (t) => {
  t.match(await run('--', 'node-x', 'app.js'), {
    code: 1,
    stdout: '',
    stderr: 'ringmaster: node-x: no such program\n',
  });
});

t.test('none ever serves: exit code 1, its last 20 lines and why', async (t) => {
  const fails = file(
    'fails.cjs',
    'for (let i = 1; i <= 30; i++) console.error("line", i);\nthrow new Error("no luck");',
  );
  const { code, stdout, stderr } = await run('--replica-output', 'off', '--', process.execPath, fails);
  t.equal(code, 1);
  t.equal(stdout, '');
  const lines = stderr.trim().split('\n');
  t.equal(lines.at(-1), 'ringmaster: no replica came up: it ended before it listened: exit code 1: Error: no luck');
  const shown = lines.slice(0, -1);
  t.match(shown.at(-1), /^server\d \| exit code 1$/);
  t.equal(shown.length, 21, 'those that failed in the same way are shown once');
});

t.test('none ever listens: exit code 1, and what it was to do', async (t) => {
  const { code, stderr } = await run('--start-timeout', '500ms', '--', 'sleep', '600');
  t.equal(code, 1);
  t.match(stderr, /^ringmaster: no replica came up: it did not listen on the port that it was given \(PORT\) within/);
});

t.test('none has the page of the heartbeat: exit code 1, and what to try', async (t) => {
  const unfit = file('unfit.cjs', NODE_APP.replace('response.end', 'response.writeHead(404).end'));
  const { code, stderr } = await run('--start-timeout', '1h', '--', process.execPath, unfit);
  t.equal(code, 1);
  t.match(stderr, /^ringmaster: no replica came up: .*404.* \/heartbeat.* --heartbeat-path \/ or tcp/);
});

t.test('one that fails at first, as for a port in use, is started again at another port', async (t) => {
  const ports = join(directory, 'ports');
  const second = file(
    'second.cjs',
    `const { appendFileSync, readFileSync } = require('node:fs');
     appendFileSync('${ports}', process.env.PORT + '\\n');
     if (readFileSync('${ports}', 'utf8').split('\\n').length === 2) throw new Error('listen EADDRINUSE');
     ${NODE_APP}`,
  );
  const { program } = await start(t, ['--replicas', '1', '--replica-output', 'off'], [process.execPath, second]);
  t.equal((await program.call('GET', '/')).text, 'server1');
  t.match(
    program.log.find((line) => line.event === 'replica-lost'),
    { hostname: 'server1', reason: 'it ended before it listened: exit code 1: Error: listen EADDRINUSE' },
  );
});

t.test('a crash loop backs off, and the log says when it tries again', async (t) => {
  const crashes = file(
    'crashes.cjs',
    `${NODE_APP.replace('response.end(', 'setTimeout(process.exit, 50, 3) && response.end(')}`,
  );
  const { program } = await start(t, ['--replicas', '1', '--replica-output', 'off'], [process.execPath, crashes]);
  for (const retryInMs of [250, 500]) {
    await program.logged((line) => line.event === 'replica-lost' && line.retryInMs === retryInMs);
  }
});
